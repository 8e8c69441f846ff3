package mutant

import (
	"errors"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestCacheRefusesOtherShapes(t *testing.T) {
	k, err := correct().Open(op.Spec{Op: "attention.cached", Attrs: []byte(`{"capacity":4}`)})
	if err != nil {
		t.Fatal(err)
	}
	step := func(batch, heads, headDim int, pos int64) error {
		q := op.New(op.F32, batch, heads, 1, headDim)
		return k.Run([]op.Tensor{op.New(op.F32, batch, heads, 1, headDim)}, []op.Tensor{q, q, q, op.Int64([]int64{pos}), {}})
	}
	if err := step(2, 2, 3, 0); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ batch, heads, headDim int }{{1, 2, 3}, {2, 1, 3}, {2, 2, 4}} {
		if err := step(tt.batch, tt.heads, tt.headDim, 1); !errors.Is(err, op.ErrShape) {
			t.Errorf("batch %d, %d heads, head dim %d: got %v", tt.batch, tt.heads, tt.headDim, err)
		}
	}
	if err := step(2, 2, 3, 1); err != nil {
		t.Errorf("the step after: %v", err)
	}
}
