package oracle_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
	"github.com/assaykit/assay/reference"
)

// cases returns the stored cases of an op.
func cases(t *testing.T, name string) []*vector.Case {
	set, err := golden.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Files {
		if f.Op == name {
			return f.Cases
		}
	}
	t.Fatalf("%s has no cases", name)
	return nil
}

// use returns the use of an op that a case is.
func use(name string, c *vector.Case) oracle.Use {
	u := oracle.Use{Spec: op.Spec{Op: name, Attrs: c.Attrs, Const: vector.Tensors(c.Const)}}
	for _, s := range c.Steps {
		u.Steps = append(u.Steps, oracle.Step{Src: vector.Tensors(s.Src), Fails: s.Fails()})
	}
	return u
}

// model returns how the sums of a case grow.
func model(c *vector.Case) oracle.Model {
	if slices.Contains(c.Flags, "biased-sum") {
		return oracle.Biased
	}
	return oracle.Random
}

// What is propagated is what is measured, within a factor of 2 on the root mean square of a row, both ways.
func TestPropagatedGaugesAreThoseMeasured(t *testing.T) {
	for _, row := range op.Table() {
		if !row.Composite {
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			rows, least, most := 0, math.Inf(1), 0.0
			for _, c := range cases(t, row.Name) {
				if c.Compare != vector.Bound || strings.HasSuffix(c.ID, "/opticks") { // opticks' gauges are those of a smaller model
					continue
				}
				_, gauges, err := model(c).Evaluate(use(row.Name, c), oracle.Probes, oracle.Acc, oracle.In)
				if errors.Is(err, oracle.ErrUnsteady) && strings.Contains(c.ID, "ties") {
					continue // equal in every correct order of operations, but not under errors
				}
				if err != nil {
					t.Fatalf("%s: %v", c.ID, err)
				}
				for _, s := range c.Steps {
					for _, e := range s.Dst {
						g := gauges[0]
						gauges = gauges[1:]
						// Of a gradient that vanishes Adam makes a step in the direction of what rounding left of it: there is no first order.
						if e.Integers() || !e.Present() || e.Name == "new_bk" {
							continue
						}
						for _, pair := range [][2][]float64{{g.Acc, e.Acc}, {g.In, e.In}} {
							for at, want := range rowsOf(&e, pair[1], nil) {
								got := rowsOf(&e, pair[0], e.Index)[at]
								if got == 0 && want == 0 {
									continue
								}
								ratio := got / want
								rows, least, most = rows+1, min(least, ratio), max(most, ratio)
								if !(ratio >= 0.5 && ratio <= 2) {
									t.Errorf("%s: %s, row %d: %.3g is propagated, %.3g measured", c.ID, e.Name, at, got, want)
								}
							}
						}
					}
				}
			}
			if rows == 0 {
				t.Error("no row was compared")
			}
			t.Logf("%d rows: %.2f to %.2f times what is measured", rows, least, most)
		})
	}
}

// rowsOf returns the root mean squares of the gauges of the stored elements, row by row; of the elements at index where it is not nil.
func rowsOf(e *vector.Expect, gauges []float64, index []int64) []float64 {
	cols := max(len(e.Want), 1)
	if n := len(e.Shape); n > 0 && !e.Sampled {
		cols = e.Shape[n-1]
	}
	var rms []float64
	for lo := 0; lo < len(e.Want); lo += cols {
		sum := 0.0
		for i := lo; i < min(lo+cols, len(e.Want)); i++ {
			at := i
			if index != nil {
				at = int(index[i])
			}
			sum += gauges[at] * gauges[at]
		}
		rms = append(rms, math.Sqrt(sum/float64(cols)))
	}
	return rms
}

// An op whose row forgets that it is a composite is refused, and gets no NaN in the place of results.
func TestDeriveRefusesComposites(t *testing.T) {
	for _, row := range op.Table() {
		refused := 0
		for _, c := range cases(t, row.Name) {
			u := use(row.Name, c)
			_, _, err := oracle.Random.Derive(func(f reference.Primitives, each func(op.Tensor) op.Tensor) ([]op.Tensor, error) {
				steps, err := u.Trace(refimpl.With(f), each)
				return slices.Concat(steps...), err
			})
			if errors.Is(err, oracle.ErrComposite) {
				refused++
			}
			if refused > 0 || strings.HasSuffix(c.ID, "/opticks") {
				break
			}
		}
		layers := row.Family == "mha" || row.Family == "ffn" || row.Family == "swiglu" || row.Family == "block" || row.Family == "model"
		if (refused > 0) != layers && (layers || !row.Composite) {
			t.Errorf("%s: %d cases refused; it is built from functions: %v", row.Name, refused, layers)
		}
	}
}

// A computation whose tokens move with rounding is refused, and so is one that stops early.
func TestUnsteadyIsRefused(t *testing.T) {
	logits := op.Float64([]float64{1, 1, 0, 0, 0, 0, 0, 0, 0}, 3, 3)
	u := oracle.Once(op.Spec{Op: "beam_search", Attrs: []byte(`{"beams":1,"max_length":1}`)},
		[]op.Tensor{logits, op.Int64(make([]int64, 9), 3, 3), op.Int64([]int64{0}, 1)})
	if _, _, err := oracle.Random.Evaluate(u, oracle.Probes, oracle.Acc); !errors.Is(err, oracle.ErrUnsteady) {
		t.Errorf("two equal logits: got %v, want ErrUnsteady", err)
	}
}
