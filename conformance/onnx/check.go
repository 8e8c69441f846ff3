package onnx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
)

// Report says how an implementation did.
type Report struct {
	Cases       int           `json:"cases"` // that were judged
	Passed      int           `json:"passed"`
	Failed      []string      `json:"failed"`
	Unsupported []Unsupported `json:"unsupported"`

	Failures []Failure `json:"-"`
	Worst    []Worst   `json:"-"` // by operator, in the order of their names
}

// Unsupported is a case that was not judged.
type Unsupported struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Failure is a case that failed, and why.
type Failure struct{ Name, Detail string }

// Worst is the largest error of an operator's cases, as a part of what is allowed.
type Worst struct {
	Op    string
	Cases int
	Ratio float64
	Name  string // of the case
}

// Check judges an implementation by the cases. progress, where it is not nil, is called after each case. A case whose parts contradict
// each other is an error that wraps ErrCorrupt.
func Check(ctx context.Context, open func() op.Implementation, cases []Case, progress func(done, total int)) (*Report, error) {
	r := &Report{Failed: []string{}, Unsupported: []Unsupported{}}
	worst := map[string]*Worst{}
	for i := range cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c := &cases[i]
		ratio, err := c.Judge(open)
		switch {
		case errors.Is(err, errUnsupported):
			r.Unsupported = append(r.Unsupported, Unsupported{c.Name, reason(err)})
		case errors.Is(err, ErrCorrupt):
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		default:
			r.Cases++
			w := worst[c.Op]
			if w == nil {
				w = &Worst{Op: c.Op, Name: c.Name}
				worst[c.Op] = w
			}
			if w.Cases++; ratio > w.Ratio {
				w.Ratio, w.Name = ratio, c.Name
			}
			if err != nil {
				r.Failed = append(r.Failed, c.Name)
				r.Failures = append(r.Failures, Failure{c.Name, err.Error()})
			}
		}
		if progress != nil {
			progress(i+1, len(cases))
		}
	}
	r.Passed = r.Cases - len(r.Failed)
	for _, w := range worst {
		r.Worst = append(r.Worst, *w)
	}
	slices.SortFunc(r.Worst, func(a, b Worst) int { return strings.Compare(a.Op, b.Op) })
	return r, nil
}

// Judge runs a case and returns its largest error as a part of the bound. An error says what is wrong; where the case cannot be judged,
// it says why.
func (c *Case) Judge(open func() op.Implementation) (ratio float64, err error) {
	if c.Reason != "" {
		return 0, fmt.Errorf("%w: %s", errUnsupported, c.Reason)
	}
	for _, set := range c.sets {
		impl := open()
		got, err := c.evaluate(newSession(impl), inputs(set))
		if err != nil {
			return ratio, err
		}
		bounds, err := c.bounds(set, op.FormatsOf(impl))
		if err != nil {
			return ratio, err
		}
		for i, want := range set.outputs {
			if !want.Present() {
				continue
			}
			worst, err := compare(want, got[i], bounds[i])
			if ratio = max(ratio, worst); err != nil {
				return ratio, fmt.Errorf("output %d (%s) %w", i, want.name, err)
			}
		}
	}
	return ratio, nil
}

func inputs(set dataSet) []op.Tensor {
	in := make([]op.Tensor, len(set.inputs))
	for i, t := range set.inputs {
		in[i] = t.Tensor
	}
	return in
}

// evaluate runs the translation and returns the node's outputs.
func (c *Case) evaluate(s *session, in []op.Tensor) (out []op.Tensor, err error) {
	defer recovered(&err)
	for i, t := range in {
		support(!empty(t) || t.DType == op.I64 && len(t.Shape) == 1 || c.Op == "ReduceLogSumExp", "input %d has no elements", i)
	}
	out = operators[c.Op](&call{s, c.node, c.version, in})
	for i := range c.node.outputs {
		for i >= len(out) {
			out = append(out, op.Tensor{})
		}
	}
	return out, nil
}

// compare holds an output to what is wanted. bound gives, element by element, how far it may be off.
func compare(want tensor, got op.Tensor, bound func(i int) float64) (worst float64, err error) {
	switch {
	case !got.Present():
		return 0, fmt.Errorf("%w: this output is not made", errUnsupported)
	case !slices.Equal(want.Shape, got.Shape):
		return 0, fmt.Errorf("has shape %v, want %v", got.Shape, want.Shape)
	case want.DType != got.DType:
		return 0, fmt.Errorf("is %v, want %v", got.DType, want.DType)
	}
	for i := range want.Len() {
		g, w := got.At(i), want.At(i)
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		allowed, ratio := 0.0, math.Inf(1)
		if want.DType == op.F64 {
			allowed = bound(i)
			limit := elements[want.kind].format.Max()
			switch {
			case math.IsNaN(g) || math.IsNaN(w):
			case math.IsInf(w, 0) || math.IsInf(g, 0):
				if g*w > 0 && min(math.Abs(g), math.Abs(w))+allowed >= limit { // one of the two overflows
					ratio = 0
				}
			case allowed > 0:
				ratio = math.Abs(g-w) / allowed
			}
		}
		if worst = max(worst, ratio); ratio > 1 {
			return worst, fmt.Errorf("at %d: got %.9g, want %.9g, bound %.3g, ratio %.3g", i, g, w, allowed, ratio)
		}
	}
	return worst, nil
}
