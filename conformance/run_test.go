package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// runScenarios are what a kernel author's test may be; each is run in a process of its own, because most of them fail.
var runScenarios = map[string]func(t *testing.T){
	"correct": func(t *testing.T) { conformance.Run(t, of(correct), conformance.Vectors(reluSet)) },
	"broken": func(t *testing.T) {
		conformance.Run(t, of(func(a op.ReLUArgs) error { copy(a.Y.F32, a.X.F32); return nil }), conformance.Vectors(reluSet))
	},
	"another op": func(t *testing.T) {
		conformance.Run(t, func() op.Implementation { return op.Softmax(nil) }, conformance.Vectors(reluSet))
	},
	"everything unsupported": func(t *testing.T) {
		conformance.Run(t, of(func(op.ReLUArgs) error { return op.Unsupported("relu", "not today") }), conformance.Vectors(reluSet))
	},
	"an incomplete profile": func(t *testing.T) {
		conformance.Run(t, of(correct), conformance.Ops("relu", "gelu"), conformance.Profile("forward"))
	},
	"an incomplete implementation": func(t *testing.T) {
		conformance.Run(t, of(correct), conformance.Ops("relu", "gelu"))
	},
	"an op and a case unsupported": func(t *testing.T) {
		set := vectorSet("relu", reluSet.Files[0].Cases...)
		set.Files = append(set.Files, &vector.File{Format: 1, Op: "gelu", Cases: []*vector.Case{reluSet.Files[0].Cases[0], reluSet.Files[0].Cases[1]}})
		conformance.Run(t, of(func(a op.ReLUArgs) error {
			if len(a.X.F32) == 3 {
				return op.Unsupported("relu", "three")
			}
			return correct(a)
		}), conformance.Vectors(set))
	},
	"another format": func(t *testing.T) {
		set := vectorSet("relu", reluCase("fits", []float32{1}, []float64{1}), reluCase("large", []float32{65536}, []float64{65536}))
		conformance.Run(t, func() op.Implementation {
			return op.WithFormats(op.ReLU(correct), op.Formats{Storage: op.Float16Format, Accumulate: op.Float32Format})
		}, conformance.Vectors(set), conformance.Profile("all"), conformance.Ops("relu"))
	},
	"corrupt vectors": func(t *testing.T) {
		conformance.Run(t, of(correct), conformance.Vectors(vectorSet("relu", reluSet.Files[0].Cases[0], reluCase("long", []float32{1}, []float64{1, 2}))))
	},
	"exits in the second case": func(t *testing.T) {
		conformance.Run(t, of(func(a op.ReLUArgs) error {
			if len(a.X.F32) == 3 {
				syscall.Exit(0)
			}
			return correct(a)
		}), conformance.Vectors(reluSet))
	},
	"panics in a goroutine of its own": func(t *testing.T) {
		conformance.Run(t, of(func(op.ReLUArgs) error {
			go panic("nobody recovers")
			select {}
		}), conformance.Vectors(reluSet))
	},
	"writes late":     func(t *testing.T) { conformance.Run(t, lateWriter(), conformance.Vectors(reluSet)) },
	"no such profile": func(t *testing.T) { conformance.Run(t, of(correct), conformance.Profile("most")) },
	"no such format": func(t *testing.T) {
		conformance.Run(t, func() op.Implementation {
			return op.WithFormats(op.ReLU(correct), op.Formats{Storage: "float5", Accumulate: op.Float32Format})
		}, conformance.Vectors(reluSet))
	},
	"no case": func(t *testing.T) {
		conformance.Run(t, of(correct), conformance.Vectors(reluSet), conformance.Cases("relu/none"))
	},
}

func TestRunScenario(t *testing.T) {
	if f := runScenarios[os.Getenv("ASSAY_TEST_SCENARIO")]; f != nil {
		f(t)
	}
}

// self returns the command that runs this test binary. One of another machine type needs the emulator that runs this process, too: its
// name is in ASSAY_EXEC, as go test's -exec has it.
func self(args ...string) *exec.Cmd {
	if emulator := os.Getenv("ASSAY_EXEC"); emulator != "" {
		return exec.Command(emulator, append([]string{os.Args[0]}, args...)...)
	}
	return exec.Command(os.Args[0], args...)
}

// Where -run leaves no case, the test fails: nothing was judged.
func TestRunOfNoCase(t *testing.T) {
	cmd := self("-test.run=^TestRunScenario$/^conv$", "-test.v")
	cmd.Env = append(os.Environ(), "ASSAY_TEST_SCENARIO=correct")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "-run selects no case") {
		t.Errorf("got %v:\n%s", err, out)
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		scenario string
		fails    bool
		says     []string
	}{
		{"correct", false, []string{"--- PASS: TestRunScenario/relu/plain", "PASS TestRunScenario (float32, accumulating float32): 2 of 2 cases judged, 0 failed; 1 of 1 ops, 2 of 3 clauses"}},
		{"broken", true, []string{"--- FAIL: TestRunScenario/relu/plain", "relu/plain [ACT-1] step 0: y[0]: got -1, want 0", "--- FAIL: TestRunScenario/relu/special"}},
		{"another op", true, []string{"--- SKIP: TestRunScenario/relu", "nothing was judged"}},
		{"everything unsupported", true, []string{"--- SKIP: TestRunScenario/relu/plain", "not today", "nothing was judged"}},
		{"an incomplete profile", true, []string{"--- FAIL: TestRunScenario/gelu", "--- PASS: TestRunScenario/relu", "profile forward is not complete:"}},
		{"an incomplete implementation", false, []string{"--- SKIP: TestRunScenario/gelu", "--- PASS: TestRunScenario/relu"}},
		{"an op and a case unsupported", false, []string{"--- SKIP: TestRunScenario/gelu", "--- SKIP: TestRunScenario/relu/special", "1 of 2 cases judged, 0 failed; 1 of 2 ops", "UNSUPPORTED relu: 1 of 2 cases: three"}},
		{"another format", false, []string{"--- SKIP: TestRunScenario/relu/large", "1 of 2 cases judged, 0 failed"}},
		{"writes late", true, []string{"--- FAIL: TestRunScenario/relu", "--- PASS: TestRunScenario/relu/plain", "relu/plain [BUF-7] step 0: y was written after its Run had returned"}},
		{"corrupt vectors", true, []string{"--- PASS: TestRunScenario/relu/plain", "--- FAIL: TestRunScenario/relu/long", "corrupt vectors"}},
		{"no such profile", true, []string{`profile "most"`}},
		{"no such format", true, []string{"declared formats"}},
		{"no case", true, []string{`no case "relu/none"`}},
	}
	for _, tt := range tests {
		t.Run(tt.scenario, func(t *testing.T) {
			t.Parallel()
			cmd := self("-test.run=^TestRunScenario$", "-test.v")
			cmd.Env = append(os.Environ(), "ASSAY_TEST_SCENARIO="+tt.scenario)
			out, err := cmd.CombinedOutput()
			if (err != nil) != tt.fails {
				t.Errorf("failed: %v, want %v", err, tt.fails)
			}
			for _, line := range tt.says {
				if !strings.Contains(string(out), line) {
					t.Errorf("does not say %q:\n%s", line, out)
				}
			}
		})
	}
}

// The suite is tested on vectors of its own, small enough to see through: relu with one tensor, and a cache that sums what it was given.

func input(name string, data ...float32) vector.Input {
	return vector.Input{Name: name, DType: op.F32, Type: "F32", Shape: []int{len(data)}, Data: op.Float32(data, len(data))}
}

func expect(name string, want ...float64) vector.Expect {
	zero := make([]float64, len(want))
	return vector.Expect{Name: name, Shape: []int{len(want)}, Want: want, Acc: zero, In: zero}
}

func reluCase(name string, x []float32, want []float64) *vector.Case {
	return &vector.Case{
		ID: "relu/" + name, Comment: "a test", Clauses: []string{"ACT-1"}, Attrs: json.RawMessage("{}"), Compare: vector.Bound,
		Steps: []vector.Step{{Src: []vector.Input{input("x", x...)}, Dst: []vector.Expect{expect("y", want...)}}},
	}
}

func vectorSet(opName string, cases ...*vector.Case) *vector.Set {
	return &vector.Set{
		Manifest: vector.Manifest{Clauses: []string{"ACT-1", "ACT-2", "BUF-1"}},
		Files:    []*vector.File{{Format: 1, Op: opName, Cases: cases}},
	}
}

var reluSet = vectorSet("relu",
	reluCase("plain", []float32{-1, 2, 0, 3}, []float64{0, 2, 0, 3}),
	reluCase("special", []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}, []float64{math.NaN(), math.Inf(1), 0}),
)

func relu(x float32) float32 {
	if x > 0 || x != x {
		return x
	}
	return 0
}

func correct(a op.ReLUArgs) error {
	for i, x := range a.X.F32 {
		a.Y.F32[i] = relu(x)
	}
	return nil
}

func of(f func(op.ReLUArgs) error) conformance.Factory {
	return func() op.Implementation { return op.ReLU(f) }
}

func mustCheck(t *testing.T, f conformance.Factory, opts ...conformance.Option) *conformance.Report {
	t.Helper()
	r, err := conformance.Check(f, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCorrectKernelPasses(t *testing.T) {
	r := mustCheck(t, of(correct), conformance.Vectors(reluSet))
	if r.Cases != 2 || r.Passed != 2 || r.Failed != 0 || r.Err() != nil {
		t.Errorf("got %+v", r)
	}
	if r.Clauses.Total != 3 || r.Clauses.Covered != 2 || !slices.Equal(r.Clauses.Missing, []string{"ACT-2"}) {
		t.Errorf("clauses: got %+v", r.Clauses)
	}
}

func TestKernelThatHangs(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	r := mustCheck(t, of(func(op.ReLUArgs) error { <-block; return nil }),
		conformance.Vectors(reluSet), conformance.Cases("relu/plain"), conformance.TimeLimit(time.Millisecond))
	if r.Failed != 1 || !strings.Contains(r.Err().Error(), "did not return within 1ms (conformance.TimeLimit allows more)") {
		t.Errorf("got %v", r.Err())
	}
}

func TestNothingJudgedIsAnError(t *testing.T) {
	other := func() op.Implementation { return op.Softmax(func(op.SoftmaxArgs) error { return nil }) }
	broken := vectorSet("relu", reluCase("broken", []float32{1, 2}, []float64{1, 2, 3}))
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name    string
		factory conformance.Factory
		opts    []conformance.Option
		says    string
	}{
		{"no op matches", of(correct), []conformance.Option{conformance.Ops("rule")}, `no case matches op "rule"`},
		{"one pattern of two matches", of(correct), []conformance.Option{conformance.Ops("relu", "atention")}, `no case matches op "atention"`},
		{"a profile without cases", of(correct), []conformance.Option{conformance.Profile("forward")}, "profile forward needs matmul"},
		{"a bad pattern", of(correct), []conformance.Option{conformance.Ops("[")}, "op pattern"},
		{"no such case", of(correct), []conformance.Option{conformance.Cases("relu/absent")}, `no case "relu/absent"`},
		{"no such profile", of(correct), []conformance.Option{conformance.Profile("some")}, `profile "some"`},
		{"nothing supported", other, nil, "supports none of the 2 selected cases"},
		{"an empty set", of(correct), []conformance.Option{conformance.Vectors(&vector.Set{})}, "the vectors hold no case"},
		{"corrupt vectors", of(correct), []conformance.Option{conformance.Vectors(broken)}, "y is [3], the op table makes it [2]"},
		{"an unknown format", func() op.Implementation { return op.WithFormats(op.ReLU(correct), op.Formats{Storage: "fp8"}) }, nil, `unknown format "fp8"`},
		{"interrupted", of(correct), []conformance.Option{conformance.Context(cancelled)}, "stopped after 0 of 2 cases"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := conformance.Check(tt.factory, append([]conformance.Option{conformance.Vectors(reluSet)}, tt.opts...)...)
			if !errors.Is(err, conformance.ErrNothingJudged) || !strings.Contains(err.Error(), tt.says) || r != nil {
				t.Errorf("got %v, %v; want ErrNothingJudged that says %q", r, err, tt.says)
			}
		})
	}
}

func TestUnsupportedIsCountedNotPassed(t *testing.T) {
	impl := func() op.Implementation {
		return op.ReLU(func(a op.ReLUArgs) error {
			if len(a.X.F32) == 3 {
				return op.Unsupported("relu", "odd lengths")
			}
			return correct(a)
		})
	}
	r := mustCheck(t, impl, conformance.Vectors(reluSet))
	if r.Cases != 1 || r.Passed != 1 || r.Unsupported() != 1 || r.Skipped[0].Reason != "odd lengths" {
		t.Errorf("got %+v", r)
	}
}

// float16 cannot hold every input: such cases are counted as not judged, neither passed nor failed nor a gap.
func TestInputsOutsideTheDeclaredRange(t *testing.T) {
	set := vectorSet("relu",
		reluCase("fits", []float32{-1, 65504, 0}, []float64{0, 65504, 0}),
		reluCase("overflows", []float32{65536}, []float64{65536}),
		reluCase("underflows", []float32{0x1p-15}, []float64{0x1p-15}),
		reluCase("infinite", []float32{float32(math.Inf(1))}, []float64{math.Inf(1)}),
	)
	for format, want := range map[op.Format]int{op.Float16Format: 2, op.BFloat16Format: 0, op.Float32Format: 0} {
		r := mustCheck(t, func() op.Implementation {
			return op.WithFormats(op.ReLU(correct), op.Formats{Storage: format, Accumulate: op.Float32Format})
		}, conformance.Vectors(set))
		notJudged := 0
		for _, s := range r.Skipped {
			if s.NotApplicable {
				notJudged += s.Cases
			}
		}
		if notJudged != want || r.Unsupported() != 0 || r.Failed != 0 || r.Cases != 4-want {
			t.Errorf("%s: %d not judged, want %d; %d unsupported, %d failed", format, notJudged, want, r.Unsupported(), r.Failed)
		}
	}
}

// A case whose bound is wider than a tenth of its results says nothing about a format that narrow: it is not judged, and covers nothing.
func TestBoundsTooWideForTheDeclaredFormats(t *testing.T) {
	c := reluCase("wide", []float32{1, 2}, []float64{1, 2})
	for i := range c.Steps[0].Dst[0].Acc {
		c.Steps[0].Dst[0].Acc[i] = 100
	}
	set := vectorSet("relu", c, reluCase("plain", []float32{1}, []float64{1}))
	r := mustCheck(t, func() op.Implementation {
		return op.WithFormats(op.ReLU(correct), op.Formats{Storage: op.BFloat16Format, Accumulate: op.BFloat16Format})
	}, conformance.Vectors(set))
	if r.Cases != 1 || len(r.Skipped) != 1 || !r.Skipped[0].NotApplicable || !strings.Contains(r.Skipped[0].Reason, "too wide") {
		t.Errorf("got %+v", r)
	}
}

// Where a case prescribes the format of the arithmetic, that one counts: a result of float32 arithmetic is wrong, whoever declares it.
func TestPrescribedAccumulation(t *testing.T) {
	for _, tt := range []struct {
		accumulate op.Format
		failed     int
	}{{"", 0}, {op.Float64Format, 1}} {
		c := reluCase("prescribed", []float32{1}, []float64{1 + 0x1p-20})
		c.Steps[0].Dst[0].Acc[0], c.Accumulate = 16, tt.accumulate
		if r := mustCheck(t, of(correct), conformance.Vectors(vectorSet("relu", c))); r.Failed != tt.failed {
			t.Errorf("accumulate %q: %d failed, want %d", tt.accumulate, r.Failed, tt.failed)
		}
	}
}

// Once does not find what shows in a replay only, and says so.
func TestOnce(t *testing.T) {
	runs := 0
	otherBits := of(func(a op.ReLUArgs) error {
		runs++
		if err := correct(a); err != nil {
			return err
		}
		a.Y.F32[1] += float32(runs-1) * 0x1p-22
		return nil
	})
	set := vectorSet("relu", reluSet.Files[0].Cases[0])
	set.Manifest.Clauses = append(set.Manifest.Clauses, "BUF-4", "BUF-5", "BUF-7")
	r := mustCheck(t, otherBits, conformance.Vectors(set), conformance.Once())
	if r.Failed != 0 || runs != 1 || !slices.Equal(r.Clauses.Missing, []string{"ACT-2", "BUF-4", "BUF-5"}) {
		t.Errorf("%d runs: %d failed, not covered: %v", runs, r.Failed, r.Clauses.Missing)
	}
	if r := mustCheck(t, otherBits, conformance.Vectors(set)); r.Failed != 1 || r.Failures[0].Clauses[0] != "BUF-4" {
		t.Errorf("with replays: %v", r.Failures)
	}
}

// Only cases of the ops and the profile that are asked for are judged, and progress counts them.
func TestSelection(t *testing.T) {
	set := vectorSet("relu", reluSet.Files[0].Cases...)
	for _, other := range []string{"gelu", "greedy", "attention"} {
		set.Files = append(set.Files, &vector.File{Format: 1, Op: other, Cases: []*vector.Case{{ID: other + "/1"}}})
	}
	for _, opts := range [][]conformance.Option{
		{conformance.Ops("relu")}, {conformance.Ops("re*"), conformance.Profile("forward")}, {conformance.Cases("relu/plain", "relu/special")},
	} {
		var counts []int
		r := mustCheck(t, of(correct), append(opts, conformance.Vectors(set), conformance.Progress(func(done, total int) { counts = append(counts, done, total) }))...)
		if r.Cases != 2 || r.Failed != 0 || len(r.Skipped) != 0 || r.Seconds <= 0 {
			t.Errorf("got %+v", r)
		}
		if !slices.Equal(counts, []int{1, 2, 2, 2}) {
			t.Errorf("progress: %v", counts)
		}
	}
	for _, opts := range [][]conformance.Option{
		{conformance.Ops("relu"), conformance.Profile("text")}, {conformance.Ops("relu"), conformance.Cases("gelu/1")}, {conformance.Profile("forward")},
		{conformance.Ops("relu", "softmax")},
	} {
		if r, err := conformance.Check(of(correct), append(opts, conformance.Vectors(set))...); !errors.Is(err, conformance.ErrNothingJudged) {
			t.Errorf("got %+v, %v", r, err)
		}
	}
}
