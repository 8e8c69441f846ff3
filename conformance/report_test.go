package conformance

import (
	"errors"
	"fmt"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

func reportOf(add func(r *Report)) *Report {
	r := newReport(&config{vectors: &vector.Set{Manifest: vector.Manifest{Clauses: []string{"ACT-1"}}}}, f32Formats)
	add(r)
	return r
}

func boundCase(name, id string, flags ...string) opCase {
	e := vector.Expect{Name: "y", Shape: []int{1}, Want: []float64{1}}
	return opCase{name, &vector.Case{ID: id, Clauses: []string{"ACT-1"}, Flags: flags, Compare: vector.Bound, Steps: []vector.Step{{Dst: []vector.Expect{e}}}}}
}

// The report's worst ratio of an op is the largest of its cases that passed, in whatever order they come.
func TestReportKeepsTheWorst(t *testing.T) {
	for _, order := range [][]float64{{0.1, 0.7, 0.3}, {0.7, 0.3, 0.1}, {0.1, 0.3, 0.7}} {
		r := reportOf(func(r *Report) {
			for _, ratio := range order {
				r.add(boundCase("relu", fmt.Sprintf("relu/%v", ratio), endToEnd), ratio, nil)
				r.add(boundCase("gelu", fmt.Sprintf("gelu/%v", ratio)), ratio/2, nil)
			}
			r.add(boundCase("relu", "relu/wrong"), 0.9, &Failure{Case: "relu/wrong"})
		})
		if len(r.Worst) != 2 || r.Worst[0].Op != "relu" || r.Worst[0].Case != "relu/0.7" || r.Worst[0].Ratio != 0.7 || r.Worst[1].Ratio != 0.35 {
			t.Errorf("%v: worst is %+v", order, r.Worst)
		}
		if r.Worst[0].cases != 4 || r.Worst[1].cases != 3 {
			t.Errorf("%d cases of relu, %d of gelu, want 4 and 3", r.Worst[0].cases, r.Worst[1].cases)
		}
		if len(r.EndToEnd) != 3 || float64(r.EndToEnd[0].Ratio) != order[0] || r.EndToEnd[0].Op != "relu" {
			t.Errorf("end to end: %+v", r.EndToEnd)
		}
	}
}

// A report says by itself whether it was narrowed to some ops or cases.
func TestReportKnowsThatItIsNarrowed(t *testing.T) {
	for want, c := range map[bool][]config{false: {{}}, true: {{patterns: []string{"relu"}}, {ids: []string{"relu/1"}}, {patterns: []string{"relu"}, ids: []string{"relu/1"}}}} {
		for _, c := range c {
			c.vectors = &vector.Set{}
			if r := newReport(&c, f32Formats); r.narrowed != want {
				t.Errorf("ops %q, cases %q: narrowed %v, want %v", c.patterns, c.ids, r.narrowed, want)
			}
		}
	}
}

// Whatever error a case ends with, it has not passed.
func TestReportCountsEveryError(t *testing.T) {
	r := reportOf(func(r *Report) {
		r.add(boundCase("relu", "relu/right"), 0.5, nil)
		r.add(boundCase("relu", "relu/wrong"), 0, &Failure{Case: "relu/wrong", Detail: "wrong"})
		r.add(boundCase("relu", "relu/other"), 0, errors.New("an error of no known kind"))
	})
	if r.Cases != 3 || r.Passed != 1 || r.Failed != 2 || len(r.Failures) != 2 || r.Failures[1].Case != "relu/other" || r.Err() == nil {
		t.Errorf("got %+v", r)
	}
}

// What is skipped is counted by op and reason.
func TestReportCountsSkips(t *testing.T) {
	even, odd := op.Unsupported("relu", "even"), op.Unsupported("relu", "odd")
	r := reportOf(func(r *Report) {
		for _, s := range []struct {
			op  string
			err error
		}{{"relu", even}, {"relu", odd}, {"gelu", even}, {"relu", even}, {"relu", fmt.Errorf("%w: too small", errNotApplicable)}} {
			r.add(boundCase(s.op, s.op+"/case"), 0, s.err)
		}
	})
	want := []Skip{{"relu", even.Error(), 2, false}, {"relu", odd.Error(), 1, false}, {"gelu", even.Error(), 1, false}, {"relu", "not applicable: too small", 1, true}}
	if fmt.Sprint(r.Skipped) != fmt.Sprint(want) || r.Unsupported() != 4 || r.Cases != 0 {
		t.Errorf("got %v, %d unsupported of %d; want %v", r.Skipped, r.Unsupported(), r.Cases, want)
	}
}
