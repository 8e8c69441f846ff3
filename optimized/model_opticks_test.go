package optimized_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
	"github.com/assaykit/assay/optimized"
)

// The suite holds prefill and cached decode to the same vectors at sampled logits. Here all 50,257 logits of one are held to the other,
// at every position of Newton's text, decoding from the first token on.
func TestOpticksCachedDecodeEqualsPrefill(t *testing.T) {
	c := goldenCase(t, "gpt/opticks")
	consts := make([]op.Tensor, len(c.Const))
	for i := range c.Const {
		if c.Const[i].DType != 0 {
			consts[i] = c.Const[i].Tensor()
		}
	}
	ids := c.Steps[0].Src[0].Tensor()
	want := &c.Steps[0].Dst[0]
	seqLen, vocab := want.Shape[1], want.Shape[2]

	prefill := op.New(op.F32, 1, seqLen, vocab)
	k := open(t, optimized.New(), op.Spec{Op: "gpt", Attrs: c.Attrs, Const: consts})
	if err := k.Run([]op.Tensor{prefill}, []op.Tensor{ids}); err != nil {
		t.Fatal(err)
	}
	decoded := op.New(op.F32, 1, seqLen, vocab)
	k = open(t, optimized.New(), op.Spec{Op: "gpt.cached", Attrs: withCapacity(t, c.Attrs, seqLen), Const: consts})
	for pos := range seqLen {
		row := op.Float32(decoded.F32[pos*vocab:(pos+1)*vocab], 1, 1, vocab)
		if err := k.Run([]op.Tensor{row}, []op.Tensor{op.Int64(ids.I64[pos:pos+1], 1, 1), scalar(pos), absent}); err != nil {
			t.Fatal(err)
		}
	}

	bounds := rowBounds(want, seqLen, vocab)
	worst := 0.0
	for i, p := range prefill.F32 {
		diff := math.Abs(float64(p) - float64(decoded.F32[i]))
		if ratio := diff / bounds[i/vocab]; !(ratio <= 1) {
			t.Fatalf("position %d, logit %d: prefill %v, cached decode %v, bound %v", i/vocab, i%vocab, p, decoded.F32[i], bounds[i/vocab])
		} else if ratio > worst {
			worst = ratio
		}
	}
	t.Logf("%d logits at each of %d positions: cached decode is within %.2f of the bound of prefill", vocab, seqLen, worst)
}

// rowBounds returns, for each position, the bound of the sampled logit that is held most tightly.
func rowBounds(e *vector.Expect, seqLen, vocab int) []float64 {
	bounds := make([]float64, seqLen)
	for i := range bounds {
		bounds[i] = math.Inf(1)
	}
	for i, at := range e.Index {
		row := int(at) / vocab
		bounds[row] = min(bounds[row], 2*0x1p-24*(e.Acc[i]+math.Abs(e.Want[i])))
	}
	return bounds
}

func goldenCase(t *testing.T, id string) *vector.Case {
	t.Helper()
	set, err := golden.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Files {
		for _, c := range f.Cases {
			if c.ID == id {
				return c
			}
		}
	}
	t.Fatalf("no case %s", id)
	return nil
}

func withCapacity(t *testing.T, attrs json.RawMessage, capacity int) json.RawMessage {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(attrs, &m); err != nil {
		t.Fatal(err)
	}
	m["capacity"] = capacity
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
