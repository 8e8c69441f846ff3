package conformance

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

func reportOf(add func(r *Report)) *Report {
	r := newReport(&config{vectors: &vector.Set{Manifest: vector.Manifest{Clauses: []string{"ACT-1"}}}}, f32Formats, nil)
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
			if r := newReport(&c, f32Formats, nil); r.narrowed != want {
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

// What is skipped is counted by op and reason, with its share, and the verdict says how much was judged.
func TestReportCountsSkips(t *testing.T) {
	even, odd := op.Unsupported("relu", "even"), op.Unsupported("relu", "odd")
	var cases []opCase
	for i, name := range []string{"relu", "relu", "relu", "relu", "relu", "gelu"} {
		cases = append(cases, boundCase(name, fmt.Sprintf("%s/%d", name, i)))
	}
	r := newReport(&config{vectors: &vector.Set{}}, f32Formats, cases)
	for i, err := range []error{even, odd, even, fmt.Errorf("%w: too small", errNotApplicable), nil, fmt.Errorf("%w: gelu", errNotListed)} {
		r.add(cases[i], 0, err)
	}
	want := []Skip{
		{Op: "relu", Reason: "even", Cases: 2, Of: 5}, {Op: "relu", Reason: "odd", Cases: 1, Of: 5},
		{Op: "relu", Reason: "not applicable: too small", Cases: 1, Of: 5, NotApplicable: true},
		{Op: "gelu", Reason: "the implementation does not list it: gelu", Cases: 1, Of: 1, NotListed: true},
	}
	require.Equal(t, want, r.Skipped)
	require.Equal(t, 4, r.Unsupported())
	require.Equal(t, Coverage{Total: 2, Covered: 1, Missing: []string{"gelu"}}, r.Ops)
	require.Equal(t, `INCOMPLETE  (float32, accumulating float32): 1 of 5 cases judged, 0 failed; 1 of 2 ops, 0 of 0 clauses; 0.0 s
UNSUPPORTED relu: 2 of 5 cases: even
UNSUPPORTED relu: 1 of 5 cases: odd
NOT JUDGED relu: 1 of 5 cases: not applicable: too small`, r.summary())
}
