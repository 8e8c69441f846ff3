// Package gate turns two files of Go benchmark results, OLD and NEW, into a verdict that a program can act on: what benchstat shows, with an
// exit code, a refusal where the comparison could not have failed, and for each row the smallest slowdown that it would have found. Its Report is
// also what package live makes of two commits that it measures itself; what follows is about files.
//
// # Rows
//
// A row is one benchmark and unit, keyed by full name, pkg, goos, goarch and cpu. ns/op, B/op and allocs/op are better lower, MB/s better
// higher, whatever a file declares; any other unit needs a line such as "Unit tok/s better=higher" in either file, because a unit without a direction
// would never gate, or is left out (Options.SkipUnits). A unit that is the time times or under a constant in all runs, such as MB/s, is left to the time.
//
// A file is what go test prints: as it is, as the events of go test -json, or from a log, with colours, GitHub's timestamps, or a progress bar's
// carriage returns before a result. A result that stands behind other text of its line is refused, because its name cannot be trusted.
//
// Rows are judged in one of two ways.
//
//   - Exactly: B/op and allocs/op where every run of a side agrees, and units declared assume=exact. Any change for the worse is a regression.
//   - By test: everything else, B/op and allocs/op that jitter included. These rows form the families of the correction below.
//
// Where B/op or allocs/op jitter, averages below one allocation (8 B/op, 1 allocs/op) count as one: they are remainders of a cost paid now and
// then, 0, 0, 3, 0 B/op, that have no useful ratio.
//
// # The test
//
// Let n runs of OLD and m of NEW be given and let d be the n*m differences log(new) - log(old), with the sign turned where higher is better,
// so that positive is worse and halving and doubling weigh the same. With theta = log(1 + Slack),
//
//	U = #{d > theta},   p = P0(U' >= U)
//
// where P0 is the exact distribution of the Mann-Whitney statistic (normal with continuity correction above n*m = 10,000, where it is the
// more cautious of the two). This is the one-sided U test of OLD * (1 + Slack) against NEW: half of the p that benchstat prints, in the
// direction of harm, with the slack inside the test rather than beside it. Ties count against the verdict, so printed values with few digits
// cannot raise the false alarm rate.
//
// Holm's step-down correction runs over all tested rows: the probability that a suite in which nothing became slower by more than the slack
// shows any regression is at most Alpha, whatever its size. Improvements are tested the same way, in a family of their own. The guarantee
// needs the runs of a row to be exchangeable, which sequential runs on a drifting machine are not; see Caveat.
//
// # Ratio and interval
//
// Ratio.Center is the Hodges-Lehmann estimate: exp of the median of d, as new/old. Ratio.Lo and Ratio.Hi invert the same test at the
// level at which Holm's procedure judged the row, so a row is a regression exactly when its interval lies beyond the slack. Old and New carry
// benchmath's median and 95 % interval, as benchstat prints them.
//
// # Resolution
//
// A row's resolution is the slowdown that data like this would have found with 95 % power, had this row been the only one to slow down. A test
// at level Alpha / rows with critical value c fires when the c-th largest of d exceeds theta. So a sample of pure noise would have needed a
// slowdown of theta minus the c-th largest of its d, and the resolution is the 95th percentile of that over 400 samples of sizes n and m,
// drawn with a fixed seed from the pooled residuals of log values about each side's median, scaled by sqrt((n+m)/(n+m-2)). It assumes no shape of the
// noise, but cannot know tails that the runs did not show. Measured power at r, with alpha 0.01:
//
//	runs a side, rows   normal   exponential   10 % outliers   two modes
//	 6,   1               0.89      0.80           0.79           0.93
//	10,   1               0.93      0.91           0.91           0.94
//	10,  20               0.88      0.80           0.78           0.95
//	20,   1               0.95      0.90           0.92           0.94
//	20, 100               0.93      0.90           0.91           0.92
//
// So use ten runs or more, and twenty for a large suite.
//
// # Verdicts
//
//   - regression: the corrected p is below Alpha.
//   - improved: the same in the other direction.
//   - pass: neither, the resolution is at most the limit (Options.Resolution), and the whole interval lies below a slowdown by the limit. A pass is
//     a statement about the code: it did not slow down by more than the limit.
//   - inconclusive: neither, and the data cannot say that, or a value is no measurement: negative, not finite, or a time of 0. It is never a pass;
//     Row.Reason says why.
//   - same code: both sides' test binaries are equal, so nothing was measured. Only a report on two commits has it.
//
// # Refusals
//
// Compare returns an error that wraps ErrCannotJudge, with the remedy, rather than a report that could not have held a regression: no benchmark in
// common, too few runs for the smallest attainable p, 1/C(n+m, n), to reach Alpha / rows, a failed or truncated run, benchmarks that
// disappeared, different machines, files that disagree about a unit, several configurations pooled under one name, or one set of measurements given as
// both files.
package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"

	"golang.org/x/perf/benchmath"
)

// ErrCannotJudge is wrapped by each error of Compare that concerns the input: nothing was judged, and the command's exit code is 2.
var ErrCannotJudge = errors.New("cannot judge")

// Caveat is printed once with any regression or improvement found by test.
const Caveat = "each file holds one binary, run at one time: a difference can also come from code layout or from the machine's state, and no test on these " +
	"two files can tell; confirm with interleaved runs of relinked binaries (go build -ldflags=-randlayout=SEED)"

// Source is a file of benchmark results. Name is used in messages and headings; empty means OLD or NEW.
type Source struct {
	Name string
	io.Reader
}

// Options configures Compare. Start from Defaults: the zero Alpha and Resolution are errors.
type Options struct {
	Alpha             float64        // bound on the probability of any false regression in the whole suite, in (0, 0.5)
	Slack             float64        // slowdown that is tolerated, as a fraction: 0.01 is 1 %
	Resolution        float64        // limit on a row's resolution for the verdict pass, as a fraction above Slack
	RequireResolution float64        // if not 0, replaces Resolution, and any inconclusive row makes the exit code 2
	AllowRemoved      bool           // list rows of OLD that NEW lacks instead of refusing
	SkipUnits         []string       // leave these out
	Bench             *regexp.Regexp // if not nil, only benchmarks whose full name it matches, with or without the prefix Benchmark
}

// Defaults returns the options of a gate for continuous integration: Alpha 0.01, Slack 0.01, Resolution 0.05.
func Defaults() Options { return Options{Alpha: 0.01, Slack: 0.01, Resolution: 0.05} }

func (o Options) limit() float64 {
	if o.RequireResolution != 0 {
		return o.RequireResolution
	}
	return o.Resolution
}

// Validate returns an error for options that make no test.
func (o Options) Validate() error {
	switch {
	case !(o.Alpha > 0 && o.Alpha < 0.5):
		return fmt.Errorf("gate: Alpha is %v, want a value in (0, 0.5) such as 0.01", o.Alpha)
	case !(o.Slack >= 0 && o.Slack <= 10):
		return fmt.Errorf("gate: Slack is %v, want a fraction in [0, 10] such as 0.01 for 1 %%", o.Slack)
	case !(o.limit() > o.Slack) || math.IsInf(o.limit(), 0):
		return fmt.Errorf("gate: the limit on the resolution is %v, want a fraction above Slack, %v: no row could pass", o.limit(), o.Slack)
	}
	return nil
}

// Verdict is the judgement of one row.
type Verdict string

// The verdicts, in the order in which Report counts them.
const (
	Pass         Verdict = "pass"
	Regression   Verdict = "regression"
	Improved     Verdict = "improved"
	Inconclusive Verdict = "inconclusive"
	SameCode     Verdict = "same code" // both sides' test binaries have equal code and data: nothing was measured
)

// Interval is an estimate with its bounds, which may be infinite. Infinities are strings in JSON.
type Interval struct{ Center, Lo, Hi float64 }

// Side is what was measured of a row on one side: the number of runs and the median with its 95 % interval, in the tidied unit.
type Side struct {
	Interval
	Runs int
}

// Summarize returns what benchstat prints of runs, which are in the tidied unit: under benchmath.AssumeExact for a unit that is declared
// assume=exact, else under benchmath.AssumeNothing.
func Summarize(runs []float64, assume benchmath.Assumption) Side {
	sum := assume.Summary(benchmath.NewSample(slices.Clone(runs), &benchmath.DefaultThresholds), 0.95)
	return Side{Interval{sum.Center, sum.Lo, sum.Hi}, len(runs)}
}

// Row is one benchmark and unit, or, of the same code, a benchmark function with all that it measures: then it has a name, pkg and place only.
type Row struct {
	Name       string            `json:"name"`             // full name without the prefix Benchmark
	Unit       string            `json:"unit"`             // tidied as benchunit does: sec/op for ns/op, B/s for MB/s
	Config     map[string]string `json:"config,omitempty"` // pkg, goos, goarch and cpu, where the files state them
	Better     string            `json:"better"`           // lower or higher
	Exact      bool              `json:"exact"`            // judged exactly rather than by test
	Old        Side              `json:"old"`
	New        Side              `json:"new"`
	Ratio      Interval          `json:"ratio"`      // new/old; above 1 is worse where lower is better
	P          float64           `json:"p"`          // one-sided and corrected, where the center of Ratio points (a suspect's: as suspected); 1 for exact rows
	Resolution float64           `json:"resolution"` // smallest slowdown that would have been found, as a fraction; 0 for exact rows
	Verdict    Verdict           `json:"verdict"`
	Reason     string            `json:"reason,omitempty"` // why the verdict is inconclusive
	Quads      [2]int            `json:"quads,omitzero"`   // A B B A quads behind the verdict, by stage; none for files
	Pairs      []float64         `json:"-"`                // their log ratios, worse is positive
	Layout     float64           `json:"layout,omitempty"` // spread over links of equal code, largest/smallest - 1, where layout explains it
	Links      int               `json:"links,omitempty"`  // behind Layout
	File       string            `json:"file,omitempty"`   // of the benchmark's function, slash-separated below the repository's root
	Line       int               `json:"line,omitempty"`
}

// Report is the outcome of Compare, or of the measurement of two commits.
type Report struct {
	Old               string   `json:"old"` // names of the sources or commits
	New               string   `json:"new"`
	Alpha             float64  `json:"alpha"`
	Slack             float64  `json:"slack"`
	Limit             float64  `json:"limit"`              // on the resolution, for the verdict pass
	RequireResolution bool     `json:"require_resolution"` // whether an inconclusive row makes the exit code 2
	Rows              []Row    `json:"rows"`
	Added             []string `json:"added"`   // rows of NEW that OLD lacks: listed, not judged
	Removed           []string `json:"removed"` // rows of OLD that NEW lacks; empty unless Options.AllowRemoved
	Notes             []string `json:"notes"`
	Seconds           float64  `json:"seconds,omitempty"` // that measuring took
	Samples           []string `json:"samples,omitempty"` // files of benchmark results that hold the measurements of OLD and NEW, if they were kept
}

// Compare reads two files of benchmark results and judges each row that they share. Errors about the input wrap ErrCannotJudge and name the
// remedy; errors about opt do not wrap it.
func Compare(old, new Source, opt Options) (*Report, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	in, err := newInput(opt)
	if err != nil {
		return nil, err
	}
	for s, src := range []Source{old, new} {
		if err := in.read(s, src, MaxInput); err != nil {
			return nil, err
		}
	}
	r := &Report{
		Old: in.names[0], New: in.names[1], Alpha: opt.Alpha, Slack: opt.Slack, Limit: opt.limit(), RequireResolution: opt.RequireResolution != 0,
		Added: []string{}, Removed: []string{}, Notes: []string{},
	}
	trials, err := in.match(r)
	if err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, in.notes()...)
	if err := decide(trials, opt); err != nil {
		return nil, err
	}
	for _, t := range trials {
		r.Rows = append(r.Rows, t.row)
	}
	for _, row := range r.Rows {
		if !row.Exact && (row.Verdict == Regression || row.Verdict == Improved) {
			r.Notes = append(r.Notes, Caveat)
			break
		}
	}
	return r, nil
}

// Count returns the number of rows with verdict v.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, row := range r.Rows {
		if row.Verdict == v {
			n++
		}
	}
	return n
}

// ExitCode is 1 if any row regressed; else 2 if the rows judged by test are all inconclusive (allocations, which hardly vary, apart), or any is and
// Options.RequireResolution was set, or no row is conclusive; else 0, as where all code is the same.
func (r *Report) ExitCode() int {
	tested, doubtful := 0, 0
	for _, row := range r.Rows {
		if _, allocation := smallestAllocation[row.Unit]; row.Exact || allocation || row.Verdict == SameCode {
			continue
		}
		tested++
		if row.Verdict == Inconclusive {
			doubtful++
		}
	}
	unclear := r.Count(Inconclusive)
	switch {
	case r.Count(Regression) > 0:
		return 1
	case unclear > 0 && r.RequireResolution, tested > 0 && doubtful == tested, unclear == len(r.Rows):
		return 2
	}
	return 0
}

// MarshalJSON adds the counts by verdict and the exit code to the fields of Report.
func (r *Report) MarshalJSON() ([]byte, error) {
	type report Report // without this method
	return json.Marshal(struct {
		*report
		Counts map[Verdict]int `json:"counts"`
		Exit   int             `json:"exit"`
	}{(*report)(r), map[Verdict]int{
		Pass: r.Count(Pass), Regression: r.Count(Regression), Improved: r.Count(Improved), Inconclusive: r.Count(Inconclusive),
		SameCode: r.Count(SameCode),
	}, r.ExitCode()})
}

// Figure is a float64 whose infinities are strings in JSON.
type Figure float64

func (x Figure) MarshalJSON() ([]byte, error) {
	if v := float64(x); math.IsInf(v, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(v, 'g', -1, 64)), nil
	}
	return json.Marshal(float64(x))
}

type jsonInterval struct {
	Center Figure `json:"center"`
	Lo     Figure `json:"lo"`
	Hi     Figure `json:"hi"`
}

func (v Interval) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonInterval{Figure(v.Center), Figure(v.Lo), Figure(v.Hi)})
}

func (s Side) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		jsonInterval
		Runs int `json:"runs"`
	}{jsonInterval{Figure(s.Center), Figure(s.Lo), Figure(s.Hi)}, s.Runs})
}

// MarshalJSON leaves out the numbers of a row of the same code, which has none.
func (r Row) MarshalJSON() ([]byte, error) {
	if r.Verdict == SameCode {
		return json.Marshal(struct {
			Name    string            `json:"name"`
			Config  map[string]string `json:"config,omitempty"`
			Verdict Verdict           `json:"verdict"`
			File    string            `json:"file,omitempty"`
			Line    int               `json:"line,omitempty"`
		}{r.Name, r.Config, r.Verdict, r.File, r.Line})
	}
	type row Row // without this method
	return json.Marshal(struct {
		row
		Resolution Figure `json:"resolution"` // hides the embedded field
	}{row(r), Figure(r.Resolution)})
}
