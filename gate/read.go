package gate

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"
)

// smallestAllocation is the floor of the units that count allocations where runs differ: averages below one allocation an operation are
// remainders of a cost paid now and then (0, 0, 3, 0 B/op), which have no ratio.
var smallestAllocation = map[string]float64{"B/op": 8, "allocs/op": 1}

// maxInput bounds the bytes of one source.
const maxInput = 256 << 20

// configKeys are the file configuration keys that tell rows apart; all but the first describe the machine.
var configKeys = []string{"pkg", "goos", "goarch", "cpu"}

// failure matches lines with which go test and the Go runtime report that a run went wrong. benchfmt ignores them.
var failure = regexp.MustCompile(`^(\s*--- FAIL|FAIL\b|panic:|fatal error:|exit status |signal: |\*\*\* Test killed)`)

// cell collects the runs of one benchmark and unit from both sources.
type cell struct {
	name, unit, written string // written is the unit as the file has it
	config              []string
	runs                [2][]float64
	iters               [2][]int
	residue             [2]benchproc.Key // configuration outside the key, of the side's first run
}

func (c *cell) String() string { return c.name + " " + c.unit }

// identity is what tells rows apart, without the machine.
func (c *cell) identity() [3]string { return [3]string{c.config[0], c.name, c.unit} }

type cellKey struct {
	config     benchproc.Key
	name, unit string
}

// input reads the sources and sorts their measurements into cells.
type input struct {
	opt        Options
	names      [2]string
	benchmarks [2]int // results before Options.Bench
	format     benchfmt.Reader
	config     *benchproc.Projection // configKeys
	residue    *benchproc.Projection // every other file configuration key
	cells      map[cellKey]*cell
	order      []*cell // as first seen
}

func newInput(opt Options) (*input, error) {
	in := &input{opt: opt, cells: map[cellKey]*cell{}}
	var p benchproc.ProjectionParser
	var err error
	if in.config, err = p.Parse(strings.Join(configKeys, ","), nil); err != nil {
		return nil, err
	}
	if _, err = p.Parse(".fullname", nil); err != nil { // keeps the name out of the residue
		return nil, err
	}
	in.residue = p.Residue()
	return in, nil
}

// read adds the results of side s (0 OLD, 1 NEW).
func (in *input) read(s int, src Source, limit int64) error {
	name := cmp.Or(src.Name, [2]string{"OLD", "NEW"}[s])
	in.names[s] = name
	if src.Reader == nil {
		return refuse("%s: no reader", name)
	}
	data, err := io.ReadAll(io.LimitReader(src, limit+1))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCannotJudge, name, err)
	}
	if int64(len(data)) > limit {
		return refuse("%s: larger than %d bytes: keep the benchmark result and configuration lines only", name, limit)
	}
	if err := checkComplete(name, data); err != nil {
		return err
	}
	in.format.Reset(bytes.NewReader(data), name)
	for in.format.Scan() {
		switch rec := in.format.Result().(type) {
		case *benchfmt.SyntaxError:
			return refuse("%v: the line is cut off or mixed with other output: run it again", rec)
		case *benchfmt.Result:
			in.benchmarks[s]++
			if err := in.add(s, rec); err != nil {
				return err
			}
		}
	}
	if err := in.format.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotJudge, err)
	}
	if in.benchmarks[s] == 0 {
		return refuse("%s: no benchmark results: want the plain output of go test -bench=. -count=N", name)
	}
	return nil
}

// checkComplete refuses the traces of runs that failed or were cut off, which benchfmt passes over.
func checkComplete(name string, data []byte) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return refuse("%s: holds NUL bytes: save it as UTF-8 text", name)
	}
	line, pkgs, passes := 0, 0, 0
	for text := range bytes.Lines(data) {
		line++
		switch {
		case failure.Match(text):
			return refuse("%s:%d: the run failed: %q: fix it and run again", name, line, bytes.TrimSpace(text))
		case bytes.HasPrefix(text, []byte("pkg:")):
			pkgs++
		case string(bytes.TrimSpace(text)) == "PASS":
			passes++
		}
		const prefix = "Benchmark"
		if text[len(text)-1] != '\n' && (bytes.HasPrefix(text, []byte(prefix)) || strings.HasPrefix(prefix, string(text))) {
			return refuse("%s:%d: the last line has no newline: the file is cut off: run it again", name, line)
		}
	}
	if 0 < passes && passes < pkgs {
		return refuse("%s: %d packages started and %d ended with PASS: the file is cut off: run it again", name, pkgs, passes)
	}
	return nil
}

func (in *input) add(s int, res *benchfmt.Result) error {
	name := string(res.Name.Full())
	if re := in.opt.Bench; re != nil && !re.MatchString(name) && !re.MatchString("Benchmark"+name) {
		return nil
	}
	file, line := res.Pos()
	at := func(format string, args ...any) error {
		return refuse("%s:%d: %s: %s", file, line, name, fmt.Sprintf(format, args...))
	}
	if res.Iters < 1 {
		return at("%d iterations: run it again", res.Iters)
	}
	key := cellKey{config: in.config.Project(res), name: name}
	residue := in.residue.Project(res)
	seen := map[string]bool{}
	for _, v := range res.Values {
		written := cmp.Or(v.OrigUnit, v.Unit)
		x, unit := benchunit.Tidy(v.Value, v.Unit) // benchfmt leaves the unit of "0 ns/op" as it is
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0) || x < 0:
			return at("%v %s is not a measurement: run it again", v.Value, written)
		case seen[unit]:
			return at("two values of %s: report each unit once", written)
		}
		seen[unit], key.unit = true, unit
		c := in.cells[key]
		if c == nil {
			c = &cell{name: name, unit: unit, written: written}
			for _, f := range in.config.Fields() {
				c.config = append(c.config, key.config.Get(f))
			}
			in.cells[key], in.order = c, append(in.order, c)
		}
		if len(c.runs[s]) == 0 {
			c.residue[s] = residue
		} else if vary := benchproc.NonSingularFields([]benchproc.Key{c.residue[s], residue}); len(vary) > 0 {
			return at("runs under one name differ in %q: put it into the benchmark's name or drop the line from the file", vary[0].Name)
		}
		c.runs[s], c.iters[s] = append(c.runs[s], x), append(c.iters[s], res.Iters)
	}
	return nil
}
