package live

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/assaykit/assay/gate"
	"github.com/assaykit/assay/gate/paired"
)

// conclude adds the rows of all benchmarks to the report.
func (s *comparison) conclude(timed []*benchmark, results [][]paired.Result) error {
	for i, b := range timed {
		spread, links := b.layout()
		for k, u := range b.timed {
			row := s.row(b, u)
			r := results[i][k]
			row.Old, row.New = s.summary(b, u)
			row.Verdict, row.Reason, row.Quads, row.P, row.Resolution, row.Pairs = gate.Verdict(r.Verdict), r.Reason, r.Quads, r.P, r.Resolution, r.Pairs
			row.Ratio = gate.Interval{Center: math.Exp(r.Center), Lo: math.Exp(r.Lo), Hi: math.Exp(r.Hi)}
			if u.worse < 0 {
				row.Ratio = gate.Interval{Center: math.Exp(-r.Center), Lo: math.Exp(-r.Hi), Hi: math.Exp(-r.Lo)}
			}
			if k == 0 {
				row.Layout, row.Links = spread, links
			}
			s.report.Rows = append(s.report.Rows, row)
		}
	}
	var runs []gate.Runs
	for _, b := range s.benchmarks {
		for _, u := range b.other {
			if len(b.runs[base]) == 0 {
				if len(b.timed) == 0 { // else the row for the time says it
					row := s.row(b, u)
					row.Verdict, row.Reason, row.Resolution = gate.Inconclusive, "the budget ended before it was measured: raise the budget", math.Inf(1)
					s.report.Rows = append(s.report.Rows, row)
				}
				continue
			}
			r := gate.Runs{Row: s.row(b, u), Declared: u.declared}
			for side, into := range []*[]float64{&r.Old, &r.New} {
				for _, slice := range b.runs[side] {
					v, ok := slice.values[u.name]
					if !ok {
						return fmt.Errorf("%s reports %s in some runs only: report it in all", b.name, u.name)
					}
					*into = append(*into, v)
				}
			}
			runs = append(runs, r)
		}
	}
	rows, err := gate.JudgeRuns(runs, gate.Options{Alpha: ofAllocations * s.Alpha, Slack: s.Slack, Resolution: s.report.Limit})
	if err != nil {
		return err
	}
	s.report.Rows = append(s.report.Rows, rows...)
	return nil
}

func (s *comparison) row(b *benchmark, u unit) gate.Row {
	return gate.Row{Name: b.name, Unit: u.name, Config: b.config, Better: u.better, File: b.top.File, Line: b.top.Line}
}

func (s *comparison) summary(b *benchmark, u unit) (old, new gate.Side) {
	for side, into := range []*gate.Side{&old, &new} {
		var x []float64
		for _, r := range b.runs[side] {
			x = append(x, r.values[u.name])
		}
		if len(x) > 0 {
			*into = gate.Summarize(x, benchmath.AssumeNothing)
		}
	}
	return old, new
}

// layout returns how far the first unit of one side is spread over its links, largest/smallest - 1, if layout explains it; else 0.
//
// Of the three contrasts of a quad's four slices, that of the sides holds what the two layouts cost, the other two (first against second
// half, outer against inner with the sides exchanged) hold noise only, and of equal variance, if none was chosen by them. So layout matters where
// the first varies more about its center, by a factor of at least 1.5 in the median and with p < 0.001.
func (b *benchmark) layout() (spread float64, links int) {
	var sides, rest []float64
	var means [2][]float64
	for _, x := range b.quads {
		for _, v := range x {
			if v <= 0 {
				return 0, 0
			}
		}
		l := [4]float64{math.Log(x[0]), math.Log(x[1]), math.Log(x[2]), math.Log(x[3])}
		sides = append(sides, (l[1]+l[2]-l[0]-l[3])/2)
		rest = append(rest, (l[0]+l[1]-l[2]-l[3])/2, (l[0]+l[2]-l[1]-l[3])/2)
	}
	const least = 8
	if len(sides) < least {
		return 0, 0
	}
	for _, x := range b.runs[base] {
		means[base] = append(means[base], math.Log(x.values[b.timed[0].name]))
	}
	for _, x := range b.runs[head] {
		means[head] = append(means[head], math.Log(x.values[b.timed[0].name]))
	}
	deviate(sides)
	deviate(rest)
	p := benchmath.AssumeNothing.Compare(benchmath.NewSample(slices.Clone(sides), &benchmath.DefaultThresholds),
		benchmath.NewSample(slices.Clone(rest), &benchmath.DefaultThresholds)).P
	slices.Sort(sides)
	slices.Sort(rest)
	if sides[len(sides)/2] < 1.5*rest[len(rest)/2] || p > 0.001 {
		return 0, 0
	}
	for _, x := range means {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := 0; i+1 < len(x); i += 2 { // the two slices of a link
			m := (x[i] + x[i+1]) / 2
			lo, hi = min(lo, m), max(hi, m)
		}
		spread = max(spread, math.Expm1(hi-lo))
	}
	return spread, len(b.quads)
}

// deviate replaces values by their distances from their median.
func deviate(x []float64) {
	sorted := slices.Sorted(slices.Values(x))
	center := (sorted[(len(x)-1)/2] + sorted[len(x)/2]) / 2
	for i := range x {
		x[i] = math.Abs(x[i] - center)
	}
}

// The files of Options.Samples; the last two are the caller's.
var sampleFiles = []string{"base.txt", "head.txt", "report.json", "report.md"}

// clear removes what an earlier run kept, after it has made sure that the directory can be written.
func (o Options) clear() error {
	if o.Samples == "" {
		return nil
	}
	err := os.MkdirAll(o.Samples, 0o777)
	if err == nil {
		err = replace(filepath.Join(o.Samples, sampleFiles[0]), "")
	}
	for _, name := range sampleFiles {
		if err == nil {
			if err = os.Remove(filepath.Join(o.Samples, name)); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	}
	if err != nil {
		return fmt.Errorf("the directory for the measurements: %w: name another with --samples, or none", err)
	}
	return nil
}

// keep writes what was measured as two files of benchmark results, if that is wanted and anything was.
func (s *comparison) keep() error {
	if s.Samples == "" || !slices.ContainsFunc(s.benchmarks, func(b *benchmark) bool { return len(b.runs[base]) > 0 }) {
		return nil
	}
	var err error
	for side, name := range sampleFiles[:len(sideNames)] {
		file := filepath.Join(s.Samples, name)
		err = errors.Join(err, replace(file, s.samples(side)))
		s.report.Samples = append(s.report.Samples, file)
	}
	if err != nil {
		return fmt.Errorf("keeping the measurements: %w", err)
	}
	s.Log("measurements: %s", strings.Join(s.report.Samples, " "))
	return nil
}

// samples is a side's slices as go test would print them.
func (s *comparison) samples(side int) string {
	var b strings.Builder
	shown := map[string]string{}
	end := func() {
		if shown["pkg"] != "" {
			b.WriteString("PASS\n")
		}
	}
	for _, u := range s.declarations() {
		b.WriteString(u + "\n")
	}
	for _, bench := range s.benchmarks {
		for _, r := range bench.runs[side] {
			if r.config["pkg"] != shown["pkg"] {
				end()
			}
			for _, key := range []string{"goos", "goarch", "pkg", "cpu"} {
				if r.config[key] != shown[key] {
					shown[key] = r.config[key]
					fmt.Fprintf(&b, "%s: %s\n", key, r.config[key])
				}
			}
			b.WriteString(r.text + "\n")
		}
	}
	end()
	return b.String()
}

// declarations are the unit lines of what was measured.
func (s *comparison) declarations() []string {
	var lines []string
	for _, u := range s.runner.format.Units() {
		lines = append(lines, fmt.Sprintf("Unit %s %s=%s", u.OrigUnit, u.Key, u.Value))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// replace writes a file whole or not at all.
func replace(name, content string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
