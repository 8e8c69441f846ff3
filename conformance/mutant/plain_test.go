package mutant

import (
	"errors"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestFloat64IsUnsupported(t *testing.T) {
	k, err := correct().Open(op.Spec{Op: "relu"})
	if err != nil {
		t.Fatal(err)
	}
	x, y := op.New(op.F64, 3), op.New(op.F64, 3)
	if err := k.Run([]op.Tensor{y}, []op.Tensor{x}); !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("Run: got %v", err)
	}
	if _, err := correct().Open(op.Spec{Op: "linear", Const: []op.Tensor{op.New(op.F64, 2, 2), {}}}); !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("Open: got %v", err)
	}
}
