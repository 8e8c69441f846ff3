package selftest

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assaykit/assay/gate"
)

// TestNewRate holds Clopper and Pearson's interval by its definition: at a bound, the outcome or one beyond it has a probability of 2.5 %.
func TestNewRate(t *testing.T) {
	tail := func(p float64, n, from, to int) (sum float64) {
		for k := from; k <= to; k++ {
			lg := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
			sum += math.Exp(lg(n) - lg(k) - lg(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
		}
		return sum
	}
	for _, test := range [][2]int{{0, 20}, {1, 20}, {19, 20}, {20, 20}, {7, 50}} {
		count, n := test[0], test[1]
		r := NewRate(count, n)
		if count == 0 && r.Lo != 0 || count > 0 && math.Abs(tail(r.Lo, n, count, n)-0.025) > 1e-9 {
			t.Errorf("%v: lower bound %v", test, r.Lo)
		}
		if count == n && r.Hi != 1 || count < n && math.Abs(tail(r.Hi, n, 0, count)-0.025) > 1e-9 {
			t.Errorf("%v: upper bound %v", test, r.Hi)
		}
	}
}

// TestAims holds that figures that contradict an aim are named, and others are not.
func TestAims(t *testing.T) {
	found := func(size float64, count, of int) Found { return Found{size, NewRate(count, of), NewRate(count, of)} }
	for _, test := range []struct {
		name   string
		result Result
		want   string
	}{
		{"all well", Result{Limit: 0.05, Alarms: NewRate(0, 20), Found: []Found{found(0.03, 2, 20), found(0.05, 20, 20), found(0.1, 20, 20), found(0.2, 20, 20)}}, ""},
		{"one of twenty contradicts nothing", Result{Limit: 0.05, Alarms: NewRate(1, 20), Found: []Found{found(0.05, 19, 20)}}, ""},
		{"alarms", Result{Limit: 0.05, Alarms: NewRate(3, 20)}, "false alarms in 3 of 20"},
		{"missed", Result{Limit: 0.05, Alarms: NewRate(0, 20), Found: []Found{found(0.05, 14, 20), found(0.1, 16, 20)}}, "slowdowns of 5 % found in 14 of 20"},
		{"smaller than the limit", Result{Limit: 0.2, Alarms: NewRate(0, 20), Found: []Found{found(0.05, 0, 20), found(0.1, 0, 20), found(0.2, 19, 20)}}, ""},
		{"nothing within", Result{Limit: 0.05, Alarms: NewRate(0, 20), Found: []Found{{0.05, NewRate(0, 20), NewRate(0, 0)}}}, ""},
	} {
		if got := strings.Join(test.result.Aims(), "; "); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestPlanted holds that each size is planted in one kernel a run, and in each kernel in some run.
func TestPlanted(t *testing.T) {
	seen := map[[2]float64]bool{}
	for k := range len(kernels) {
		sum := 0.0
		for i, s := range planted(k) {
			sum += s
			seen[[2]float64{float64(i), s}] = true
		}
		if math.Abs(sum-0.38) > 1e-12 {
			t.Errorf("run %d plants %v", k, planted(k))
		}
	}
	if len(seen) != len(kernels)*(len(Slowdowns)+1) {
		t.Errorf("%d of %d combinations", len(seen), len(kernels)*(len(Slowdowns)+1))
	}
}

// TestWrite holds what the head of a planted run has changed, that it builds, and that an A/A run's head has changed nothing of it.
func TestWrite(t *testing.T) {
	for _, slow := range [][]float64{nil, planted(1)} {
		dir := t.TempDir()
		if err := Write(t.Context(), dir, slow, 3); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "diff", "HEAD~1", "--", "kernels.go")
		cmd.Dir = dir
		diff, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(diff, []byte("\n+\t")); n != map[bool]int{true: 0, false: 4}[slow == nil] {
			t.Errorf("%d lines changed:\n%s", n, diff)
		}
		for _, s := range []string{"= 103", "= 105", "= 110", "= 120"} {
			if (slow != nil) != bytes.Contains(diff, []byte(s)) {
				t.Errorf("%q in the difference, want %v:\n%s", s, slow != nil, diff)
			}
		}
		build := exec.Command("go", "vet", ".")
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "unrelated.go")); err != nil {
			t.Error(err)
		}
	}
}

// TestResult holds the text, and that infinite resolutions have a place in JSON.
func TestResult(t *testing.T) {
	tt := &tally{Options: Options{Limit: 0.05}, runs: 2, clean: 8, rows: 1, alarms: 1, seconds: 80,
		finds:  map[string][]float64{"Sort": {0.03, 0.04}, "Stream": {math.Inf(1), math.Inf(1)}},
		layout: map[string]int{"Sort": 1},
		found:  map[float64]*detections{0.03: {}, 0.05: {}, 0.1: {}, 0.2: {}},
	}
	if tt.result(0).Shown() {
		t.Error("nothing is within the limit, and something is shown")
	}
	for _, row := range [][2]bool{{true, true}, {true, false}, {false, true}, {false, false}, {true, true}} {
		tt.found[0.05].add(row[0], row[1])
	}
	r := tt.result(0)
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 of 2", "found of   5 %       3 of 5", "5 %: 2 of 3", "Sort     finds 4.0 %, layout-sensitive in 1 of 2", "40 s a run"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if !r.Shown() {
		t.Error("rows are within the limit, and nothing is shown")
	}
	data, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(data), `"Stream":"+Inf"`) {
		t.Errorf("%s, %v", data, err)
	}
	if r.Finds["Sort"] != gate.Figure(0.04) {
		t.Errorf("median %v", r.Finds["Sort"])
	}
}
