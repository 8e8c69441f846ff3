// Package selftest measures how often the gate is wrong, on the machine where it runs: false alarms on code that is the same but for its layout, and
// slowdowns of known size that it finds.
//
// Each run is a repository of its own with two commits of package kernels, judged by package live as any other module. In the head of every run a
// function is added that nothing but an init function uses, of another size each time: that moves everything, so that base and head never have the
// same layout.
//
//   - A/A: nothing else changes. A regression is a false alarm.
//   - Planted: four of the six benchmarks, others in each run, repeat their work 103, 105, 110 and 120 times instead of 100.
//
// Rates are given with Clopper-Pearson intervals (1934): the exact 95 % interval of a binomial proportion.
package selftest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assaykit/assay/gate"
	"github.com/assaykit/assay/gate/checkout"
	"github.com/assaykit/assay/gate/live"
)

// Slowdowns are planted in each run of the second kind.
var Slowdowns = []float64{0.03, 0.05, 0.1, 0.2}

// Budget is the time of a run of six benchmarks that leaves each as much as five minutes leave one of thirty in a package: linking at some seventy
// seeds takes either suite half a minute.
const Budget = 90 * time.Second

// Options configures Run.
type Options struct {
	Runs   int           // of each kind
	Budget time.Duration // of a run
	Limit  float64       // resolution within which the aims hold
	Seed   uint32        // of the first run's layouts; 0: random ones
	Log    func(format string, args ...any)
}

// Rate is how often something happened.
type Rate struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Lo    float64 `json:"lo"` // 95 % interval of the proportion
	Hi    float64 `json:"hi"`
}

// NewRate returns count of n with its Clopper-Pearson interval.
func NewRate(count, n int) Rate {
	r := Rate{Count: count, Of: n, Lo: 0, Hi: 1}
	x, m := float64(count), float64(n)
	if count > 0 {
		r.Lo = distuv.Beta{Alpha: x, Beta: m - x + 1}.Quantile(0.025)
	}
	if count < n {
		r.Hi = distuv.Beta{Alpha: x + 1, Beta: m - x}.Quantile(0.975)
	}
	return r
}

func (r Rate) String() string {
	if r.Of == 0 {
		return "none"
	}
	return fmt.Sprintf("%d of %d (%.1f to %.1f %%)", r.Count, r.Of, 100*r.Lo, 100*r.Hi)
}

// Found is how often a slowdown of one size was found.
type Found struct {
	Slowdown float64 `json:"slowdown"`
	All      Rate    `json:"all"`
	Within   Rate    `json:"within"` // of the rows whose resolution, in the same run, is within the limit
}

// Result is what the self-test found.
type Result struct {
	Runs    int                    `json:"runs"`
	Limit   float64                `json:"limit"`
	Alarms  Rate                   `json:"alarms"`     // A/A runs with a regression
	Rows    Rate                   `json:"alarm_rows"` // rows of both kinds of runs, not slowed, called regressions
	Found   []Found                `json:"found"`
	Finds   map[string]gate.Figure `json:"resolution"` // benchmark: median resolution in the A/A runs
	Layout  map[string]int         `json:"layout"`     // benchmark: A/A runs in which it was layout-sensitive
	Seconds float64                `json:"seconds"`
	PerRun  float64                `json:"run_seconds"` // mean of the A/A runs

	Pairs map[string][]float64 `json:"-"` // benchmark: the paired log ratios of the A/A runs
}

//go:embed kernels/kernels.go kernels/kernels_test.go
var sources embed.FS

// kernels are the constants in which slowdowns are planted, and the benchmarks that show them.
var kernels = []struct{ benchmark, constant string }{
	{"MatMul", "matMulReps"}, {"Softmax", "softmaxReps"}, {"Words", "wordsReps"}, {"Sort", "sortReps"}, {"Stream", "streamReps"}, {"Nodes", "nodesReps"},
}

// Run runs the self-test. If it is interrupted or fails after a pair of runs, it returns what was found until then with the error.
func Run(ctx context.Context, opt Options) (*Result, error) {
	if opt.Runs < 1 {
		return nil, fmt.Errorf("runs = %d: want at least 1", opt.Runs)
	}
	start := time.Now()
	t := &tally{Options: opt, finds: map[string][]float64{}, layout: map[string]int{}, pairs: map[string][]float64{},
		found: map[float64]*detections{}}
	for _, size := range Slowdowns {
		t.found[size] = &detections{}
	}
	for k := range opt.Runs {
		opt.Log("self-test: pair %d of %d, the same code, up to %v", k+1, opt.Runs, opt.Budget)
		err := t.run(ctx, k, nil)
		if err == nil {
			opt.Log("self-test: pair %d of %d, slowdowns, up to %v", k+1, opt.Runs, opt.Budget)
			err = t.run(ctx, k, planted(k))
		}
		if err != nil && k > 0 {
			return t.result(time.Since(start)), fmt.Errorf("after %d of %d pairs of runs: %w", k, opt.Runs, err)
		}
		if err != nil {
			return nil, err
		}
		opt.Log("self-test: after %v: %d alarms%s", time.Since(start).Round(time.Second), t.alarms, t.soFar())
	}
	return t.result(time.Since(start)), nil
}

// planted returns the slowdown of each kernel in the k-th planted run.
func planted(k int) []float64 {
	slow := make([]float64, len(kernels))
	for i, size := range Slowdowns {
		slow[(i+k)%len(slow)] = size
	}
	return slow
}

// tally counts.
type tally struct {
	Options
	alarms, rows int // A/A runs with a regression; rows
	clean        int // rows that were not slowed
	runs         int
	seconds      float64
	pairs        map[string][]float64    // benchmark: the paired log ratios of the A/A runs
	found        map[float64]*detections // by slowdown
	finds        map[string][]float64
	layout       map[string]int
}

// run makes a repository, has it judged and counts. slow is nil for A/A.
func (t *tally) run(ctx context.Context, k int, slow []float64) (err error) {
	dir, remove, err := checkout.TempDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := Write(ctx, dir, slow, k); err != nil {
		return err
	}
	opt := live.Defaults("HEAD~1")
	opt.Dir, opt.Budget, opt.Head, opt.Resolution, opt.Samples = dir, t.Budget, "HEAD", t.Limit, ""
	if t.Seed != 0 {
		opt.Seed = t.Seed + uint32(k)<<8
	}
	report, err := live.Run(ctx, opt)
	if err != nil {
		return err
	}
	alarm := false
	for _, row := range report.Rows {
		regressed := row.Verdict == gate.Regression
		if row.Unit != "sec/op" {
			alarm = alarm || regressed
			continue
		}
		name, _, _ := strings.Cut(row.Name, "-")
		i := slices.IndexFunc(kernels, func(k struct{ benchmark, constant string }) bool { return k.benchmark == name })
		if i < 0 {
			return fmt.Errorf("self-test: a row for %s, which is not in the suite", row.Name)
		}
		if slow != nil && slow[i] > 0 {
			t.found[slow[i]].add(regressed, row.Resolution <= t.Limit)
			continue
		}
		t.clean++
		if regressed {
			t.rows++
			alarm = true
		}
		if slow == nil {
			t.finds[name] = append(t.finds[name], row.Resolution)
			t.pairs[name] = append(t.pairs[name], row.Pairs...)
			if row.Layout > 0 {
				t.layout[name]++
			}
		}
	}
	if slow == nil {
		t.runs++
		t.seconds += report.Seconds
		if alarm {
			t.alarms++
		}
	}
	return nil
}

// detections counts rows that were slowed: all, and those whose resolution is within the limit.
type detections struct{ found, of, foundWithin, within int }

func (d *detections) add(found, within bool) {
	count := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	d.found += count(found)
	d.of++
	d.foundWithin += count(found && within)
	d.within += count(within)
}

// soFar is what was found until now.
func (t *tally) soFar() (text string) {
	for _, size := range Slowdowns {
		text += fmt.Sprintf(", %d of %d of %.0f %%", t.found[size].found, t.found[size].of, 100*size)
	}
	return text
}

// result makes rates of the counts.
func (t *tally) result(took time.Duration) *Result {
	r := &Result{Runs: t.runs, Limit: t.Limit, Alarms: NewRate(t.alarms, t.runs), Rows: NewRate(t.rows, t.clean), Finds: map[string]gate.Figure{}, Layout: t.layout,
		Pairs: t.pairs, Seconds: took.Seconds(), PerRun: t.seconds / float64(t.runs)}
	for name, x := range t.finds {
		r.Finds[name] = gate.Figure(slices.Sorted(slices.Values(x))[len(x)/2])
	}
	for _, size := range Slowdowns {
		d := t.found[size]
		r.Found = append(r.Found, Found{size, NewRate(d.found, d.of), NewRate(d.foundWithin, d.within)})
	}
	return r
}

// Aims returns what the figures contradict of what the gate promises for rows whose resolution is within the limit: false alarms in at most 1 % of
// runs, slowdowns by the limit found in at least 95 %, by twice the limit in at least 99 %. Few runs contradict little.
func (r *Result) Aims() (missed []string) {
	if r.Alarms.Lo > 0.01 {
		missed = append(missed, fmt.Sprintf("false alarms in %v runs, want at most 1 %%", r.Alarms))
	}
	for _, f := range r.Found {
		want := r.aim(f.Slowdown)
		if f.Within.Of > 0 && f.Within.Hi < want {
			missed = append(missed, fmt.Sprintf("slowdowns of %.0f %% found in %v, want at least %.0f %%", 100*f.Slowdown, f.Within, 100*want))
		}
	}
	return missed
}

// aim is the least share of slowdowns of a size to be found on rows within the limit: 0 where it is smaller than that.
func (r *Result) aim(slowdown float64) float64 {
	switch {
	case slowdown < r.Limit:
		return 0
	case slowdown < 2*r.Limit:
		return 0.95
	}
	return 0.99
}

// Shown tells whether any slowdown that has an aim was planted in a row within the limit: without one, the aims cannot be missed.
func (r *Result) Shown() bool {
	return slices.ContainsFunc(r.Found, func(f Found) bool { return f.Within.Of > 0 && r.aim(f.Slowdown) > 0 })
}

// WriteText writes the result for people.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "self-test: %d runs of each kind, %.0f s a run of six benchmarks of the same code; intervals of 95 %%\n", r.Runs, r.PerRun)
	fmt.Fprintf(&b, "  false alarms         %v runs of the same code; %v rows that were not slowed\n", r.Alarms, r.Rows)
	for _, f := range r.Found {
		fmt.Fprintf(&b, "  found of %3.0f %%       %v; where the gate says that it finds %.0f %%: %v\n", 100*f.Slowdown, f.All, 100*r.Limit, f.Within)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Finds)) {
		fmt.Fprintf(&b, "  %-8s finds %.1f %%", name, 100*float64(r.Finds[name]))
		if n := r.Layout[name]; n > 0 {
			fmt.Fprintf(&b, ", layout-sensitive in %d of %d runs", n, r.Runs)
		}
		b.WriteByte('\n')
	}
	for _, missed := range r.Aims() {
		fmt.Fprintf(&b, "MISSED %s\n", missed)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
