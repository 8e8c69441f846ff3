package live

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"

	"github.com/assaykit/assay/gate/checkout"
	"github.com/assaykit/assay/gate/internal/child"
)

// runner runs test binaries and reads what they print. The units that they declare accumulate.
type runner struct {
	env    []string
	suffix string // that names of results have: "-2" for GOMAXPROCS=2, "" for 1
	format benchfmt.Reader
}

// newRunner returns a runner whose processes have this one's environment, with their temporary files below temp, and with GOMAXPROCS fixed, which is
// part of the names, for binaries of whatever Go version.
func newRunner(temp string) *runner {
	procs := runtime.GOMAXPROCS(0)
	r := &runner{env: append(checkout.Environment(), "TMPDIR="+temp, fmt.Sprintf("GOMAXPROCS=%d", procs))}
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

// failed is the tail of what a process printed.
func failed(output []byte) string {
	const most = 2000
	output = bytes.TrimSpace(output)
	if len(output) > most {
		output = append([]byte("… "), output[len(output)-most:]...)
	}
	return string(output)
}

// run runs a test binary's benchmarks that match pattern in dir, and returns its results.
func (r *runner) run(ctx context.Context, binary, dir, pattern, benchtime string, limit time.Duration) ([]result, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := child.Command(limited, binary, "-test.run=^$", "-test.bench="+pattern, "-test.benchtime="+benchtime, "-test.count=1", "-test.benchmem",
		"-test.paniconexit0", "-test.timeout=0")
	cmd.Dir, cmd.Env = dir, append(r.env, "PWD="+dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := child.Run(cmd)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limited.Err() != nil:
		return nil, fmt.Errorf("%s %s did not end within %v: shorten it or raise the budget", filepath.Base(dir), pattern, limit.Round(time.Second))
	case err != nil:
		if _, ok := err.(*exec.ExitError); !ok {
			return nil, fmt.Errorf("%s %s: %w", dir, pattern, err)
		}
		return nil, fmt.Errorf("%s %s: %w:\n%s", dir, pattern, err, failed(append(stdout.Bytes(), stderr.Bytes()...)))
	}
	return r.read(stdout.Bytes(), pattern)
}

// read returns the results in the output of a process that ended well.
func (r *runner) read(output []byte, pattern string) ([]result, error) {
	lines := strings.Split(string(output), "\n")
	mixed := fmt.Errorf("%s: the result is mixed with other output: let the benchmark print to standard error:\n%s", pattern, failed(output))
	r.format.Reset(bytes.NewReader(output), "output")
	var results []result
	for r.format.Scan() {
		switch rec := r.format.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, mixed
		case *benchfmt.Result:
			_, at := rec.Pos()
			res := result{name: string(rec.Name.Full()), iters: rec.Iters, values: map[string]float64{}, config: map[string]string{}, text: lines[at-1]}
			for _, key := range []string{"goos", "goarch", "pkg", "cpu"} {
				if value := rec.GetConfig(key); value != "" {
					res.config[key] = value
				}
			}
			for _, v := range rec.Values {
				x, unit := benchunit.Tidy(v.Value, v.Unit) // benchfmt leaves the unit of "0 ns/op" as it is
				if _, twice := res.values[unit]; twice || math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
					return nil, fmt.Errorf("%s: %v %s is not a measurement, or is reported twice", res.name, x, unit)
				}
				res.values[unit] = x
			}
			results = append(results, res)
		}
	}
	if n := strings.Count(string(output), " allocs/op"); n != len(results) { // which -test.benchmem adds to each
		return nil, mixed
	}
	return results, r.format.Err()
}

// one runs exactly one benchmark for n iterations.
func (r *runner) one(ctx context.Context, binary, dir string, b *benchmark, benchtime string, limit time.Duration) (result, error) {
	results, err := r.run(ctx, binary, dir, b.pattern, benchtime, limit)
	switch {
	case err != nil:
		return result{}, err
	case len(results) != 1 || results[0].name != b.name:
		return result{}, fmt.Errorf("%s: %d results where one of that name was expected: its sub-benchmarks must not depend on the run", b.name, len(results))
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
