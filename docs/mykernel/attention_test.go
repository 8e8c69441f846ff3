package mykernel

import (
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
)

func TestAttention(t *testing.T) {
	conformance.Run(t, func() op.Implementation {
		return op.Attention(func(a op.AttentionArgs) error {
			Attention(a.Out.F32, a.Q.F32, a.K.F32, a.V.F32, a.Mask, a.Dims(), a.EffectiveScale(), a.Causal, a.Window, a.Softcap)
			return nil
		})
	})
}
