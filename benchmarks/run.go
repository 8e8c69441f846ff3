package benchmarks

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/assaykit/assay/conformance/op"
)

// Options are what Run measures. The zero value measures everything once.
type Options struct {
	Contenders []Contender   // nil: Contenders()
	Workload   string        // a regular expression that names must match
	Count      int           // how often each benchmark is measured; 0: once
	BenchTime  time.Duration // how long one measurement takes at least; 0: one second
	// Log, if not nil, is told of contenders that a workload is measured without, and why.
	Log func(string)
}

// ErrNothing is wrapped by Run's error where not one benchmark was measured.
var ErrNothing = errors.New("nothing was measured")

// UnitLines declare the directions of the units that package benchfmt does not know. Without them a gate could not tell better from worse.
const UnitLines = `Unit GFLOP/s better=higher
Unit GB/s better=higher
Unit tok/s better=higher
`

// Run measures workloads and writes the results to w in the Go benchmark format. The contenders of a workload take turns, one measurement
// each, Count times, so that a machine which drifts drifts for all of them. A wrong result ends the run with an error that wraps ErrWrong,
// and a result is written only after it was verified.
func Run(ctx context.Context, w io.Writer, opt Options) error {
	workloads, err := Workloads(opt.Workload)
	if err != nil {
		return err
	}
	if opt.Contenders == nil {
		opt.Contenders = Contenders()
	}
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	if opt.Count < 0 || opt.BenchTime < 0 {
		return fmt.Errorf("count = %d, benchtime = %v: want neither below 0", opt.Count, opt.BenchTime)
	}
	opt.Count, opt.BenchTime = cmp.Or(opt.Count, 1), cmp.Or(opt.BenchTime, time.Second)
	if _, err := io.WriteString(w, header()+UnitLines); err != nil {
		return err
	}
	measured := 0
	for _, load := range workloads {
		n, err := opt.measure(ctx, w, load)
		if err != nil {
			return err
		}
		measured += n
	}
	if measured == 0 {
		return fmt.Errorf("%w: no contender is measured on a workload that matches %q", ErrNothing, opt.Workload)
	}
	_, err = io.WriteString(w, "PASS\n") // the output is whole
	return err
}

// measure measures one workload and returns how many results it wrote.
func (opt Options) measure(ctx context.Context, w io.Writer, load Workload) (n int, err error) {
	var p *bench
	var names []string
	var sessions []*entrant
	defer func() {
		for _, s := range sessions {
			err = errors.Join(err, s.close())
		}
	}()
	for _, c := range opt.Contenders {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		impl := c.New()
		if !c.takes(load, impl) {
			opt.Log(fmt.Sprintf("%s: not measured: it does not offer the op, or is too slow for the size", benchName(load, c)))
			continue
		}
		if p == nil {
			if p, err = newBench(load); err != nil {
				return 0, err
			}
		}
		s, err := p.open(impl)
		switch {
		case errors.Is(err, op.ErrUnsupported):
			opt.Log(fmt.Sprintf("%s: not measured: %v", benchName(load, c), err))
			continue
		case err != nil:
			return 0, fmt.Errorf("%s: %w", benchName(load, c), err)
		}
		sessions, names = append(sessions, s), append(names, benchName(load, c))
	}
	for range opt.Count {
		for i, s := range sessions {
			r, err := s.measure(ctx, opt.BenchTime)
			if err == nil {
				err = s.verify()
			}
			if err != nil {
				return n, fmt.Errorf("%s: %w", names[i], err)
			}
			if _, err := fmt.Fprintf(w, "Benchmark%s%s\t%v\t%s\n", names[i], procs(), r, r.MemString()); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// benchName returns the name of a benchmark, Op/op=attention/impl=optimized/model=gpt3-small/seq=1024.
func benchName(w Workload, c Contender) string {
	opName, rest, _ := strings.Cut(w.Name, "/")
	return "Op/" + opName + "/impl=" + c.Name + "/" + rest
}

// procs is the suffix that package testing gives names.
func procs() string {
	if n := runtime.GOMAXPROCS(0); n != 1 {
		return fmt.Sprintf("-%d", n)
	}
	return ""
}

// measure times as many steps as fill the time. It ends early, with an error, once ctx is done.
func (s *entrant) measure(ctx context.Context, benchTime time.Duration) (testing.BenchmarkResult, error) {
	for n := 1; ; {
		r, err := s.timed(ctx, n)
		if err != nil || r.T >= benchTime || n >= 1e9 {
			return r, err
		}
		// Aim a fifth beyond the time, as package testing does, but never at more than 100 times the steps.
		next := int(1.2 * float64(n) * float64(benchTime) / float64(max(r.T, 1)))
		n = min(max(next, n+1), 100*n, 1e9)
	}
}

// timed times n steps.
func (s *entrant) timed(ctx context.Context, n int) (testing.BenchmarkResult, error) {
	if err := ctx.Err(); err != nil {
		return testing.BenchmarkResult{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for i := range n {
		if err := s.step(i); err != nil {
			return testing.BenchmarkResult{}, err
		}
	}
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	r := testing.BenchmarkResult{
		N: n, T: elapsed, MemAllocs: after.Mallocs - before.Mallocs, MemBytes: after.TotalAlloc - before.TotalAlloc, Extra: map[string]float64{},
	}
	s.report(elapsed, n, func(x float64, unit string) { r.Extra[unit] = x })
	return r, nil
}

// report gives the rates of n steps.
func (s *entrant) report(elapsed time.Duration, n int, metric func(float64, string)) {
	perSecond := float64(n) / elapsed.Seconds()
	metric(s.flops*perSecond/1e9, "GFLOP/s")
	metric(s.bytes*perSecond/1e9, "GB/s")
	if s.Tokens > 0 {
		metric(float64(s.Tokens)*perSecond, "tok/s")
	}
}

// header describes the machine in the lines that go test prints.
func header() string {
	h := fmt.Sprintf("goos: %s\ngoarch: %s\npkg: github.com/assaykit/assay/benchmarks\n", runtime.GOOS, runtime.GOARCH)
	if name := processor(); name != "" {
		h += "cpu: " + name + "\n"
	}
	return h
}

// processor returns the processor's name where the operating system tells it as a file.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
