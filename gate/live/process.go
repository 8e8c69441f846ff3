package live

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"

	"github.com/assaykit/assay/gate"
	"github.com/assaykit/assay/gate/checkout"
	"github.com/assaykit/assay/gate/internal/child"
)

// runner runs test binaries and reads what they print. The units that they declare accumulate.
type runner struct {
	env    []string
	suffix string          // that names of results have: "-2" for GOMAXPROCS=2, "" for 1
	skip   map[string]bool // Options.SkipUnits, tidied
	format benchfmt.Reader
}

// newRunner returns a runner whose processes have this one's environment, with their temporary files below temp, and with GOMAXPROCS fixed, which is
// part of the names, for binaries of whatever Go version.
func newRunner(temp string, skipUnits []string) *runner {
	procs := runtime.GOMAXPROCS(0)
	r := &runner{skip: gate.Tidied(skipUnits), env: append(checkout.Environment(), "TMPDIR="+temp, fmt.Sprintf("GOMAXPROCS=%d", procs))}
	if procs != 1 {
		r.suffix = fmt.Sprintf("-%d", procs)
	}
	return r
}

// result is a result line.
type result struct {
	name   string // without the prefix Benchmark, with the suffix
	iters  int
	values map[string]float64
	text   string            // the line
	config map[string]string // goos, goarch, pkg, cpu
}

// A process's output that is kept: of standard output all is needed, of standard error what a message shows.
const (
	mostStdout = 8 << 20
	mostStderr = 4 << 10
)

// run runs a test binary's benchmarks that match pattern in dir, and returns their results.
func (r *runner) run(ctx context.Context, binary, dir, pattern, benchtime string) ([]result, error) {
	cmd := child.Command(ctx, binary, "-test.run=^$", "-test.bench="+pattern, "-test.benchtime="+benchtime, "-test.count=1", "-test.benchmem",
		"-test.paniconexit0", "-test.timeout=0")
	cmd.Dir, cmd.Env = dir, append(r.env, "PWD="+dir)
	stdout, stderr := child.Output{Limit: mostStdout / 2}, child.Output{Limit: mostStderr / 2}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := child.Run(cmd)
	said := func() string { return printed(stdout.Bytes()) + printed(stderr.Bytes()) }
	switch _, exited := err.(*exec.ExitError); {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s %s: %w%s", dir, pattern, context.Cause(ctx), said())
	case err != nil && !exited:
		return nil, fmt.Errorf("%s %s: %w", dir, pattern, err)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w%s", dir, pattern, err, said())
	case stdout.Dropped() > 0:
		return nil, fmt.Errorf("%s %s prints more than %d bytes: let it print less%s", dir, pattern, mostStdout, said())
	}
	results, err := r.read(stdout.Bytes(), pattern, benchtime)
	if err != nil {
		err = fmt.Errorf("%w%s", err, printed(stderr.Bytes()))
	}
	return results, err
}

// printed is the beginning and the end of an output, for a message.
func printed(output []byte) string {
	short := child.Output{Limit: mostStderr / 2}
	short.Write(bytes.TrimSpace(output))
	if text := short.Bytes(); len(text) > 0 {
		return "\n" + string(text)
	}
	return ""
}

// read returns the results in the output of a process that exited with 0. What it printed counts only in the frame of a run to the end: as many iterations
// as were asked for, and PASS behind the last result.
func (r *runner) read(output []byte, pattern, benchtime string) ([]result, error) {
	lines := strings.Split(string(output), "\n")
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s%s", pattern, fmt.Sprintf(format, args...), printed(output))
	}
	const mixed = "the result is mixed with other output: let the benchmark print to standard error"
	r.format.Reset(bytes.NewReader(output), "output")
	var results []result
	end := 0 // the line of the last result
	for r.format.Scan() {
		switch rec := r.format.Result().(type) {
		case *benchfmt.SyntaxError:
			if strings.HasPrefix(lines[rec.Line-1], "Unit") {
				return nil, refuse("%s: base and head must declare their units alike, in lines such as \"Unit tok/s better=higher\"", rec.Msg)
			}
			return nil, refuse(mixed)
		case *benchfmt.Result:
			_, end = rec.Pos()
			switch n, fixed := strings.CutSuffix(benchtime, "x"); {
			case rec.Iters < 1: // which package testing may print, and even exit with 0, before a panic ends the process
				return nil, refuse("the benchmark failed: its result is of no iterations")
			case fixed && n != strconv.Itoa(rec.Iters):
				return nil, refuse("a result of %d iterations where %s were asked for: let nothing but package testing print results and set b.N", rec.Iters, n)
			}
			res, err := r.result(rec, lines[end-1])
			if err != nil {
				return nil, err
			}
			results = append(results, res)
		}
	}
	switch err := r.format.Err(); {
	case err != nil:
		return nil, err
	case strings.Count(string(output), " allocs/op") != len(results): // which -test.benchmem adds to each
		return nil, refuse(mixed)
	case !slices.Contains(lines[end:], "PASS"):
		return nil, refuse("it exited with 0, but without PASS: let TestMain run the tests, and nothing else exit")
	}
	return results, nil
}

// result returns the content of a result line.
func (r *runner) result(rec *benchfmt.Result, text string) (result, error) {
	res := result{name: string(rec.Name.Full()), iters: rec.Iters, values: map[string]float64{}, config: map[string]string{}, text: text}
	for _, key := range []string{"goos", "goarch", "pkg", "cpu"} {
		if value := rec.GetConfig(key); value != "" {
			res.config[key] = value
		}
	}
	for _, v := range rec.Values {
		x, unit := benchunit.Tidy(v.Value, v.Unit) // benchfmt leaves the unit of "0 ns/op" as it is
		if r.skip[unit] {
			continue
		}
		written := cmp.Or(v.OrigUnit, v.Unit)
		if why := gate.Unusable(cmp.Or(v.OrigValue, v.Value), written); why != "" {
			return res, fmt.Errorf("%s: %s", res.name, why)
		}
		if _, twice := res.values[unit]; twice {
			return res, fmt.Errorf("%s: two values of %s: report each unit once", res.name, written)
		}
		res.values[unit] = x
	}
	return res, nil
}

// one runs exactly one benchmark for n iterations.
func (r *runner) one(ctx context.Context, binary, dir string, b *benchmark, benchtime string) (result, error) {
	results, err := r.run(ctx, binary, dir, b.pattern, benchtime)
	switch {
	case err != nil:
		return result{}, err
	case len(results) != 1 || results[0].name != b.name:
		return result{}, fmt.Errorf("%s: %d results where one of that name was expected: its sub-benchmarks must not depend on the run, and nothing else may print results", b.name, len(results))
	}
	return results[0], nil
}

// pattern returns the pattern of go test that matches the full name, without the suffix, alone.
func pattern(name string) string {
	elements := strings.Split("Benchmark"+name, "/")
	for i, e := range elements {
		elements[i] = "^" + regexp.QuoteMeta(e) + "$"
	}
	return strings.Join(elements, "/")
}
