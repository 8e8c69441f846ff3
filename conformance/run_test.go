package conformance_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
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
