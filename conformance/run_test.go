package conformance_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

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
		{"correct", false, []string{"--- PASS: TestRunScenario/relu/plain", "2 cases, 0 failed, 0 unsupported; 2 of 3 clauses covered"}},
		{"broken", true, []string{"--- FAIL: TestRunScenario/relu/plain", "relu/plain [ACT-1] step 0: y[0]: got -1, want 0", "--- FAIL: TestRunScenario/relu/special"}},
		{"another op", true, []string{"--- SKIP: TestRunScenario/relu", "nothing was judged"}},
		{"everything unsupported", true, []string{"--- SKIP: TestRunScenario/relu/plain", "not today", "nothing was judged"}},
		{"an incomplete profile", true, []string{"--- FAIL: TestRunScenario/gelu", "--- PASS: TestRunScenario/relu"}},
		{"an incomplete implementation", false, []string{"--- SKIP: TestRunScenario/gelu", "--- PASS: TestRunScenario/relu"}},
		{"an op and a case unsupported", false, []string{"--- SKIP: TestRunScenario/gelu", "--- SKIP: TestRunScenario/relu/special", "1 cases, 0 failed, 3 unsupported"}},
		{"another format", false, []string{"--- SKIP: TestRunScenario/relu/large", "1 cases, 0 failed, 0 unsupported"}},
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
