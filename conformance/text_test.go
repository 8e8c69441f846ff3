package conformance_test

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

func TestWriteText(t *testing.T) {
	r := mustCheck(t, of(func(a op.ReLUArgs) error {
		_ = correct(a)
		a.Y.F32[1] += 2
		return nil
	}), conformance.Vectors(vectorSet("relu", reluSet.Files[0].Cases[0])))
	r.Implementation, r.Seconds = "mine", 0.5
	var b bytes.Buffer
	if err := r.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	const want = `FAIL relu/plain [ACT-1] step 0: y[1]: got 4, want 2, bound 2.38e-07, ratio 8.39e+06: outside the bound (1 of 4 elements)
     assay check --impl mine --case relu/plain
NOT COVERED ACT-2
ops   cases  error/bound  worst at  clauses
relu  1      -            -         ACT
FAIL mine (float32, accumulating float32): 1 of 1 cases judged, 1 failed; 1 of 1 ops, 2 of 3 clauses; 0.5 s
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Twenty failures must not scroll the table away, and must not be forgotten either.
func TestWriteTextShortensFailures(t *testing.T) {
	r := mustCheck(t, of(correct), conformance.Vectors(reluSet))
	for range 20 {
		r.Failures = append(r.Failures, &conformance.Failure{Case: "relu/x", Clauses: []string{"ACT-1"}, Detail: "wrong"})
	}
	r.Failed = 20
	for verbose, want := range map[bool]int{false: 5, true: 20} {
		var b bytes.Buffer
		if err := r.WriteText(&b, verbose); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(b.String(), "FAIL relu/x"); got != want {
			t.Errorf("verbose %v: %d failures, want %d", verbose, got, want)
		}
		if more := strings.Contains(b.String(), "and 15 more failed cases"); more == verbose {
			t.Errorf("verbose %v: says that there are more: %v", verbose, more)
		}
	}
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func TestWriteTextReportsAFullDisk(t *testing.T) {
	r := mustCheck(t, of(correct), conformance.Vectors(reluSet))
	var whole bytes.Buffer
	if err := r.WriteText(&whole, false); err != nil {
		t.Fatal(err)
	}
	for room := range whole.Len() {
		if r.WriteText(&fullDisk{room}, false) == nil {
			t.Fatalf("a disk with room for %d of %d bytes took the report", room, whole.Len())
		}
	}
	if err := r.WriteText(&fullDisk{whole.Len()}, false); err != nil {
		t.Error(err)
	}
}

// A row that no bound judges says so: 0.00 would claim a precision that nothing measured.
func TestWriteTextExactRows(t *testing.T) {
	exact, bounded := reluCase("exact", []float32{1}, []float64{1}), reluCase("bounded", []float32{2}, []float64{2})
	exact.Compare = vector.Exact
	for _, tt := range []struct {
		cases []*vector.Case
		want  string
	}{
		{[]*vector.Case{exact}, "relu  1      exact        -         ACT\n"},
		{[]*vector.Case{exact, bounded}, "relu  2      0.00         relu/bounded  ACT\n"},
	} {
		var b bytes.Buffer
		if err := mustCheck(t, of(correct), conformance.Vectors(vectorSet("relu", tt.cases...))).WriteText(&b, false); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), tt.want) {
			t.Errorf("%d cases: got\n%s\nwant the line %s", len(tt.cases), b.String(), tt.want)
		}
	}
}

// onNothing is the report on an implementation that offers every op and computes nothing, on all golden vectors.
var onNothing = sync.OnceValues(func() (*conformance.Report, error) {
	return conformance.Check(func() op.Implementation { return everything{} })
})

// The default table has a row for every op, and is short.
func TestEveryOpIsInOneGroup(t *testing.T) {
	r, err := onNothing()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(b.String(), "ops ")
	rows := strings.Split(strings.TrimSpace(table), "\n")[1:]
	cases := 0
	for _, row := range rows[:len(rows)-1] {
		words := regexp.MustCompile(`  +`).Split(row, -1)
		n, err := strconv.Atoi(words[1])
		if err != nil {
			t.Fatalf("%q: %v", row, err)
		}
		cases += n
	}
	if len(rows) > len(op.Groups)+1 || cases != r.Cases {
		t.Errorf("%d rows with the verdict, %d of %d cases in them:\n%s", len(rows), cases, r.Cases, b.String())
	}
}

// What README.md shows of the main job is what is printed where every golden case passes: the same ops, cases, clauses and verdict. That they
// pass is for the tests of package optimized. Ratios and seconds are the machine's.
func TestReadmeShowsTheMainJob(t *testing.T) {
	set, err := golden.Load()
	if err != nil {
		t.Fatal(err)
	}
	nothing, err := onNothing()
	if err != nil {
		t.Fatal(err)
	}
	if nothing.Cases != set.Cases() || nothing.Cases != set.Manifest.Cases || nothing.Clauses.Covered != len(set.Manifest.Clauses) {
		t.Errorf("%d cases executed, %d in the set, %d in its manifest; %d clauses covered of %d", nothing.Cases, set.Cases(), set.Manifest.Cases,
			nothing.Clauses.Covered, len(set.Manifest.Clauses))
	}
	r := *nothing
	r.Implementation, r.Passed, r.Failed, r.Failures, r.Worst = "optimized", r.Cases, 0, nil, slices.Clone(r.Worst)
	for i := range r.Worst {
		if !r.Worst[i].Exact {
			r.Worst[i].Case, r.Worst[i].Ratio = "some/case", 0.5
		}
	}
	for _, f := range set.Files {
		for _, c := range f.Cases {
			if slices.Contains(c.Flags, "opticks") {
				r.EndToEnd = append(r.EndToEnd, conformance.Worst{Op: f.Op, Case: c.ID, Ratio: 0.5})
			}
		}
	}
	var b bytes.Buffer
	if err := r.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(b.String(), "\n"); lines > len(op.Groups)+3 {
		t.Errorf("the default output has %d lines, want a row a group, a header, the end-to-end case and the verdict", lines)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	machine := regexp.MustCompile(`\d+\.\d+|[\w.]+/[\w.-]+| +`)
	stable := func(s string) string { return machine.ReplaceAllString(s, " ") }
	shown := map[string]bool{}
	for _, line := range strings.Split(string(readme), "\n") {
		shown[stable(line)] = true
	}
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if !shown[stable(line)] {
			t.Errorf("README.md does not show this line: %s", line)
		}
	}
}

// everything offers all ops, and does none of them.
type everything struct{}

func (everything) Open(op.Spec) (op.Kernel, error) { return nil, errors.New("no") }
