package gonumimpl_test

import (
	"errors"
	"testing"

	"github.com/assaykit/assay/benchmarks/gonumimpl"
	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
)

func TestConformance(t *testing.T) { conformance.Run(t, gonumimpl.New) }

func TestRefusesF64(t *testing.T) {
	for _, name := range []string{"softmax", "linear"} {
		spec := op.Spec{Op: name}
		if name == "linear" {
			spec.Const = []op.Tensor{op.New(op.F64, 2, 2), {}}
		}
		x := []op.Tensor{op.New(op.F64, 1, 2)}
		k, err := gonumimpl.New().Open(spec)
		if err == nil {
			err = k.Run([]op.Tensor{op.New(op.F64, 1, 2)}, x)
		}
		if !errors.Is(err, op.ErrUnsupported) {
			t.Errorf("%s on F64: got error %v, want one that wraps ErrUnsupported", name, err)
		}
	}
}
