package benchmarks

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/gate"
)

// testWorkloads are the tiny ones and others that take every path of the evaluation they are verified by: grouped heads, windows, post-norm,
// and results large enough to be sampled.
func testWorkloads() []Workload {
	banded, post, long := model("tiny-banded"), model("tiny-post"), model("tiny")
	return slices.Concat(
		tinyWorkloads(),
		everyOp(banded, 9),
		[]Workload{post.layerNorm(9), post.mha(9), post.ffn(9), post.block(9)},
		[]Workload{long.matmul(200), long.linear("ffn", 200), long.attention(200), long.mha(200), long.ffn(200), long.block(200), long.attentionCached(200)},
	)
}

// TestContenders holds every contender to the evaluation on every workload, before and after some steps. The reference shows that the
// evaluation is right, to the roundoff of float64.
func TestContenders(t *testing.T) {
	for _, w := range testWorkloads() {
		t.Run(w.Name, func(t *testing.T) {
			p, err := newBench(w)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range Contenders() {
				impl := c.New()
				if !op.Offers(impl, w.Op) {
					continue
				}
				if err := play(p, impl); err != nil {
					t.Errorf("%s: %v", c.Name, err)
				}
			}
		})
	}
}

// play opens a session, takes some steps and verifies it, as a measurement does.
func play(p *bench, impl op.Implementation) error {
	s, err := p.open(impl)
	if err != nil {
		return err
	}
	for i := range 2 * sets {
		if err := s.step(i); err != nil {
			return errors.Join(err, s.close())
		}
	}
	return errors.Join(s.verify(), s.verify(), s.close()) // twice, as between two measurements
}

// planted wraps the kernels of the reference.
type planted struct {
	op.Implementation
	wrap func(op.Kernel) op.Kernel
}

func (p planted) Formats() op.Formats { return op.FormatsOf(p.Implementation) }

func (p planted) Open(spec op.Spec) (op.Kernel, error) {
	k, err := p.Implementation.Open(spec)
	if err != nil {
		return nil, err
	}
	return p.wrap(k), nil
}

type kernelFunc func(dst, src []op.Tensor) error

func (f kernelFunc) Run(dst, src []op.Tensor) error { return f(dst, src) }

// TestPlantedKernels shows that a kernel that is wrong, or fast only because it remembers, gets no result.
func TestPlantedKernels(t *testing.T) {
	benchTime := flag.Lookup("test.benchtime").Value
	old := benchTime.String()
	if err := benchTime.Set("5x"); err != nil {
		t.Fatal(err)
	}
	defer benchTime.Set(old)
	plant := func(name, workload, want string, wrap func(op.Kernel) op.Kernel) {
		t.Run(name, func(t *testing.T) {
			impl := planted{Contenders()[0].New(), wrap}
			var out bytes.Buffer
			err := Run(t.Context(), &out, Options{
				Contenders: []Contender{{Name: "planted", New: func() op.Implementation { return impl }}}, Workload: workload, BenchTime: 1,
			})
			if !errors.Is(err, ErrWrong) || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want a wrong result %s", err, want)
			}
			if strings.Contains(out.String(), "Benchmark") {
				t.Errorf("a result was written:\n%s", out.String())
			}
			p := mustPrepare(t, workload)
			if r := testing.Benchmark(func(b *testing.B) { benchmark(b, p, impl) }); r.N != 0 {
				t.Errorf("the benchmark did not fail: %v", r)
			}
		})
	}
	for _, tt := range plantedKernels {
		plant(tt.name, "op=softmax/model=tiny/seq=8", tt.want, tt.wrap)
	}
	for _, tt := range plantedStates {
		plant(tt.name, "op=adam/model=tiny/layer=ffn/params=256", tt.want, tt.wrap)
	}
}

type plantedKernel struct {
	name, want string
	wrap       func(op.Kernel) op.Kernel
}

// plantedStates are wrong kernels of an op that keeps a state.
var plantedStates = []plantedKernel{
	{"a step off by one part in a thousand", "before timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			err := k.Run(dst, src)
			dst[2].F64[17] *= 1.001
			return err
		})
	}},
	{"stays where its first step ended", "ends where the one before it did", func(k op.Kernel) op.Kernel {
		var first []op.Tensor
		return kernelFunc(func(dst, src []op.Tensor) error {
			if first == nil {
				err := k.Run(dst, src)
				first = clone(dst, op.F64)
				return err
			}
			for i := range dst {
				copy(dst[i].F64, first[i].F64)
			}
			return nil
		})
	}},
	{"stops stepping", "after timing", func(k op.Kernel) op.Kernel {
		runs := 0
		return kernelFunc(func(dst, src []op.Tensor) error {
			if runs++; runs > 1 {
				return nil
			}
			return k.Run(dst, src)
		})
	}},
	{"remembers gradients by their address", "after timing", func(k op.Kernel) op.Kernel {
		seen := map[*float64][]float64{}
		return kernelFunc(func(dst, src []op.Tensor) error {
			at := &src[0].F64[0]
			if _, ok := seen[at]; !ok {
				seen[at] = slices.Clone(src[0].F64)
			}
			return k.Run(dst, []op.Tensor{op.Float64(seen[at], src[0].Shape...), src[1]})
		})
	}},
}

// plantedKernels are wrong kernels of softmax.
var plantedKernels = []plantedKernel{
	{"off by one part in a thousand", "before timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			err := k.Run(dst, src)
			dst[0].F64[17] *= 1.001
			return err
		})
	}},
	{"computes only into a fresh destination", "after timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			if !math.IsNaN(dst[0].F64[0]) {
				return nil
			}
			return k.Run(dst, src)
		})
	}},
	{"leaves an element out", "before timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			old := dst[0].F64[40]
			err := k.Run(dst, src)
			dst[0].F64[40] = old
			return err
		})
	}},
	{"remembers its first result", "before timing", func(k op.Kernel) op.Kernel {
		var first []float64
		return kernelFunc(func(dst, src []op.Tensor) error {
			if first == nil {
				err := k.Run(dst, src)
				first = slices.Clone(dst[0].F64)
				return err
			}
			copy(dst[0].F64, first)
			return nil
		})
	}},
	{"remembers results by the address of the inputs", "after timing", func(k op.Kernel) op.Kernel {
		results := map[*float64][]float64{}
		return kernelFunc(func(dst, src []op.Tensor) error {
			at := &src[0].F64[0]
			if _, ok := results[at]; !ok {
				err := k.Run(dst, src)
				results[at] = slices.Clone(dst[0].F64)
				return err
			}
			copy(dst[0].F64, results[at])
			return nil
		})
	}},
	{"stops computing once it is timed", "after timing", func(k op.Kernel) op.Kernel {
		runs := 0
		return kernelFunc(func(dst, src []op.Tensor) error {
			if runs++; runs > sets {
				return nil
			}
			return k.Run(dst, src)
		})
	}},
	{"drifts by an ulp", "after timing", func(k op.Kernel) op.Kernel {
		runs := 0
		return kernelFunc(func(dst, src []op.Tensor) error {
			err := k.Run(dst, src)
			if runs++; runs > sets {
				dst[0].F64[3] *= 1 + 0x1p-52
			}
			return err
		})
	}},
	{"changes its inputs", "after timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			err := k.Run(dst, src)
			src[0].F64[5]++
			return err
		})
	}},
}

func mustPrepare(t *testing.T, name string) *bench {
	t.Helper()
	w, err := Workloads("^" + name + "$")
	if err != nil {
		t.Fatal(err)
	}
	p, err := newBench(w[0])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBoundsAreSharp shows that the tolerance of composites tells the constants of an op apart, in float32.
func TestBoundsAreSharp(t *testing.T) {
	for _, tt := range []struct{ name, workload, right, wrong string }{
		{"GELU by erf for tanh", "op=ffn/model=tiny/seq=8", "gelu_tanh", "gelu"},
		{"no causal mask", "op=mha/model=tiny/seq=8", `"causal":true`, `"causal":false`},
		{"eps 2e-5 for 1e-5", "op=block/model=tiny/seq=8", "0.00001", "0.00002"},
		{"scale of one head too many", "op=attention/model=tiny/seq=8", `{`, `{"scale":0.48,`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPrepare(t, tt.workload)
			attrs := strings.Replace(string(p.spec.Attrs), tt.right, tt.wrong, 1)
			if attrs == string(p.spec.Attrs) {
				t.Fatalf("%s does not hold %s", attrs, tt.right)
			}
			p.spec.Attrs = []byte(attrs)
			if _, err := p.open(Contenders()[1].New()); !errors.Is(err, ErrWrong) {
				t.Errorf("got error %v, want a wrong result", err)
			}
		})
	}
}

// TestRunWritesBenchmarkFormat reads what Run writes with the package that others read it with.
func TestRunWritesBenchmarkFormat(t *testing.T) {
	text := run(t, Options{Workload: "op=(softmax|gpt.cached)/model=tiny", Count: 2, BenchTime: 20 * time.Microsecond})
	r := benchfmt.NewReader(strings.NewReader(text), "run")
	var names []string
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Error(rec)
		case *benchfmt.Result:
			base, parts := rec.Name.Parts()
			names = append(names, string(base)+string(bytes.Join(parts[:len(parts)-len(gomaxprocs(parts))], nil)))
			for _, unit := range []string{"sec/op", "GFLOP/s", "GB/s", "tok/s"} {
				if v, ok := rec.Value(unit); !ok || !(v > 0) {
					t.Errorf("%s: %v %s", rec.Name, v, unit)
				}
			}
			for _, unit := range []string{"B/op", "allocs/op"} {
				if _, ok := rec.Value(unit); !ok {
					t.Errorf("%s: no %s", rec.Name, unit)
				}
			}
			for _, key := range []string{"goos", "goarch", "pkg"} {
				if rec.GetConfig(key) == "" {
					t.Errorf("%s: no %s", rec.Name, key)
				}
			}
		}
	}
	for _, unit := range []string{"GFLOP/s", "GB/s", "tok/s"} {
		if r.Units().GetBetter(unit) != 1 {
			t.Errorf("%s has no direction", unit)
		}
	}
	// Contenders take turns; gonum has no cache.
	softmax, cached := []string{}, []string{}
	for range 2 {
		for _, impl := range []string{"reference", "optimized", "gonum"} {
			softmax = append(softmax, "Op/op=softmax/impl="+impl+"/model=tiny/seq=8")
		}
		for _, impl := range []string{"reference", "optimized"} {
			cached = append(cached, "Op/op=gpt.cached/impl="+impl+"/model=tiny/layers=2/ctx=8")
		}
	}
	if want := slices.Concat(softmax, cached); !slices.Equal(names, want) {
		t.Errorf("got names\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
}

func run(t *testing.T, opt Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Run(t.Context(), &out, opt); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestGateReadsRun shows that the gate can judge what Run writes, and sees that it is whole. The rates follow from the time.
func TestGateReadsRun(t *testing.T) {
	var sources [2]gate.Source
	for i := range sources {
		text := run(t, Options{Workload: "op=softmax/model=tiny", Contenders: Contenders()[1:2], Count: 6, BenchTime: 20 * time.Microsecond})
		sources[i] = gate.Source{Name: fmt.Sprint(i), Reader: strings.NewReader(text)}
	}
	report, err := gate.Compare(sources[0], sources[1], gate.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) < 3 { // sec/op, two kinds of allocation
		t.Errorf("got %d rows, want 3: %v", len(report.Rows), report.Rows)
	}
	if notes := strings.Join(report.Notes, "\n"); strings.Contains(notes, "cut off") {
		t.Error(notes)
	}
}

// gomaxprocs returns the last part of a name if it is the suffix -N.
func gomaxprocs(parts [][]byte) [][]byte {
	if n := len(parts); n > 0 && parts[n-1][0] == '-' {
		return parts[n-1:]
	}
	return nil
}

func TestRunErrors(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	gonum := Contenders()[2:]
	for _, tt := range []struct {
		name string
		ctx  context.Context
		opt  Options
		want string
	}{
		{"bad pattern", t.Context(), Options{Workload: "("}, "workload pattern"},
		{"no workload", t.Context(), Options{Workload: "conv"}, "matches no workload"},
		{"negative count", t.Context(), Options{Count: -1}, "count = -1"},
		{"nothing offered", t.Context(), Options{Workload: "gpt.cached/model=tiny", Contenders: gonum}, ErrNothing.Error()},
		{"cancelled", done, Options{Workload: "softmax/model=tiny"}, context.Canceled.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, log strings.Builder
			tt.opt.Log = func(s string) { log.WriteString(s) }
			err := Run(tt.ctx, &out, tt.opt)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrWrong) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if tt.name == "nothing offered" && !strings.Contains(log.String(), "impl=gonum") {
				t.Errorf("the log %q does not say what was left out", log.String())
			}
		})
	}
}

// TestFormats refuses an implementation whose storage would round the inputs.
func TestFormats(t *testing.T) {
	impl := op.WithFormats(Contenders()[1].New(), op.Formats{Storage: op.BFloat16Format, Accumulate: op.Float32Format})
	if _, err := mustPrepare(t, "op=softmax/model=tiny/seq=8").open(impl); !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("got error %v, want one that wraps ErrUnsupported", err)
	}
}

func TestWorkloads(t *testing.T) {
	all, err := Workloads("")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, w := range all {
		for i, part := range strings.Split(w.Name, "/") {
			key, value, ok := strings.Cut(part, "=")
			if !ok || key == "" || value == "" || i == 0 && (key != "op" || value != w.Op) {
				t.Errorf("%s: %q is not key=value with the op first", w.Name, part)
			}
		}
		if seen[w.Name] {
			t.Errorf("%s is there twice", w.Name)
		}
		seen[w.Name] = true
		if w.Tokens < 1 != (w.Op == "adam") || w.Tokens > 1 && w.Context != nil {
			t.Errorf("%s: %d tokens", w.Name, w.Tokens)
		}
	}
	// Numbers are the same each time and differ from set to set. Only the tiny ones are drawn: the others are large.
	for _, w := range tinyWorkloads() {
		first := fmt.Sprint(w.Spec(), w.Inputs(0))
		if again := fmt.Sprint(w.Spec(), w.Inputs(0)); again != first {
			t.Errorf("%s: another call gives other numbers", w.Name)
		}
		if fmt.Sprint(w.Inputs(1)) == fmt.Sprint(w.Inputs(0)) {
			t.Errorf("%s: sets 0 and 1 are the same", w.Name)
		}
	}
}
