package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What the action is tried on: a module whose one benchmark is bound by the latency of an addition, which no layout hides.
const (
	sumModule = "module example.com/sum\n\ngo 1.26\n"
	sumSource = `// Package sum adds numbers.
package sum

// Sum returns the sum of x.
func Sum(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}
`
	sumTest = `package sum

import "testing"

var x = make([]float64, 4096)

func TestSum(t *testing.T) {
	if got := Sum([]float64{1, 2}); got != 3 {
		t.Errorf("got %v, want 3", got)
	}
}

func BenchmarkSum(b *testing.B) {
	for b.Loop() {
		Sum(x)
	}
}
`
)

// The conformance tests of that module, which stand behind a tag and need a go.mod of their own, with this repository in it.
const (
	conformanceTest = `//go:build conformance

package sum

import (
	"syscall"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
)

func relu(a op.ReLUArgs) error {
	for i, x := range a.X.F32 {
		a.Y.F32[i] = x
		if x < 0 {
			a.Y.F32[i] = 0
		}
	}
	return nil
}

func TestReLU(t *testing.T) {
	conformance.Run(t, func() op.Implementation { return op.ReLU(relu) })
}

func TestExits(t *testing.T) {
	conformance.Run(t, func() op.Implementation {
		return op.ReLU(func(a op.ReLUArgs) error {
			if len(a.X.Shape) > 1 {
				syscall.Exit(0)
			}
			return relu(a)
		})
	})
}
`
	conformanceFlags = "-modfile=conformance.mod -tags=conformance "
)

// rehearseAction runs the action on pull requests to a module made for it: one that takes twice the time, and one that adds a comment.
func (s *stage) rehearseAction(ctx context.Context) error {
	origin := repository(filepath.Join(s.temp, "sum"))
	if err := origin.initialize(ctx); err != nil {
		return err
	}
	files := map[string]string{}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(string(s.clone), name))
		if err != nil {
			return err
		}
		files[name] = string(data)
	}
	// It needs what this repository needs.
	withAssay := strings.Replace(files["go.mod"], "module github.com/assaykit/assay\n",
		"module example.com/sum\n\nrequire github.com/assaykit/assay v0.0.0\n\nreplace github.com/assaykit/assay => "+string(s.clone)+"\n", 1)
	if err := origin.commit(ctx, "go.mod", sumModule, "sum.go", sumSource, "sum_test.go", sumTest, "conformance_test.go", conformanceTest,
		"conformance.mod", withAssay, "conformance.sum", files["go.sum"]); err != nil {
		return err
	}
	twice := strings.Replace(sumSource, "\tfor _, v := range x {\n\t\ts += v\n\t}", "\tfor range 2 {\n\t\ts = 0\n\t\tfor _, v := range x {\n\t\t\ts += v\n\t\t}\n\t}", 1)
	requests := map[string]string{
		"slow":    twice,
		"comment": strings.Replace(sumSource, "// Sum returns", "// Sum is quick.\n//\n// Sum returns", 1),
	}
	for name, source := range requests {
		if err := origin.all(ctx, "checkout --quiet -b "+name+" main~0"); err != nil {
			return err
		}
		if err := origin.commit(ctx, "sum.go", source); err != nil {
			return err
		}
	}
	// The base branch has gone on since; GitHub offers what the merge would give.
	if err := origin.all(ctx, "checkout --quiet main"); err != nil {
		return err
	}
	if err := origin.commit(ctx, "README.md", "Sums.\n"); err != nil {
		return err
	}
	for name := range requests {
		if err := origin.all(ctx, "checkout --quiet --detach main", "merge --quiet --no-ff "+name, "update-ref refs/pull/"+name+"/merge HEAD", "checkout --quiet main"); err != nil {
			return err
		}
	}
	// A limit for which the least number of quads is enough nearly anywhere; what is planted is beyond it.
	quick := map[string]string{"conformance": conformanceFlags + "-run=TestReLU ./...", "flags": "--resolution 90%", "budget": "2m"}
	with := func(more ...string) map[string]string {
		inputs := map[string]string{}
		for k, v := range quick {
			inputs[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			inputs[more[i]] = more[i+1]
		}
		return inputs
	}
	scenes := []struct {
		request string
		scene
	}{
		{"slow", scene{name: "a pull request that doubles the time, where the gate is required", inputs: with("required", "true"), exit: 1,
			prints: []string{"ok  \texample.com/sum", "PASS TestReLU (float32, accumulating float32): 8 of 8 cases judged, 0 failed; 1 of ",
				"::error file=sum_test.go,line=13,", "REGRESSION Sum", "| regression |"},
			keeps: []string{"base.txt", "head.txt", "report.json", "report.md"}}},
		{"comment", scene{name: "a pull request that adds a comment", inputs: with("required", "true"), exit: 0,
			prints: []string{"same code: example.com/sum: 1 benchmark (Sum)"}, not: []string{"::error", "measuring"}, keeps: []string{"report.json", "report.md"}}},
		{"slow", scene{name: "a pattern that selects no benchmark, where the gate is advisory", inputs: with("bench", "^BenchmarkSun$"), exit: 2,
			prints: []string{"no benchmark matches", "judged nothing"}}},
		{"slow", scene{name: "conformance that ends in a kernel, with status 0", inputs: with("conformance", conformanceFlags+"-run=TestExits ./..."), exit: 2,
			prints: []string{"ok  \texample.com/sum", "did not come to its end: the process ended in case relu/"}, not: []string{"base main"}}},
		{"slow", scene{name: "tests that pass, and are none of conformance", inputs: with("conformance", "./..."), exit: 2,
			prints: []string{"ok  \texample.com/sum", "no conformance.Run began"}, not: []string{"base main"}}},
		{"slow", scene{name: "conformance that fails", inputs: with("conformance", "-run=TestSum ./... ./none"), exit: 1, not: []string{"base main"}}},
	}
	var failed error
	for i, c := range scenes {
		workspace, err := origin.checkout(ctx, "refs/pull/"+c.request+"/merge", filepath.Join(s.temp, fmt.Sprintf("sum-%d", i)))
		if err != nil {
			return err
		}
		c.base = "main"
		if err := s.play(ctx, workspace, c.scene); err != nil {
			if !errors.Is(err, errOutcome) {
				return err
			}
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
