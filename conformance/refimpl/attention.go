package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

var _ = offer("attention", func(f functions) op.Implementation { return op.Attention(f.attention) })
var _ = offer("attention.grad", func(f functions) op.Implementation { return op.AttentionGrad(f.attentionGrad) })
var _ = offer("attention.scores", func(f functions) op.Implementation { return op.AttentionScores(f.attentionScores) })

func (f functions) attention(a op.AttentionArgs) error {
	d := a.Dims()
	q, k, v := matrices(a.Q), matrices(a.K), matrices(a.V)
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window, Softcap: a.Softcap})
	var out []reference.Matrix
	for b := range d.Batch {
		h, g := b*d.Heads, b*d.KVHeads
		out = append(out, f.GroupedAttention(q[h:h+d.Heads], k[g:g+d.KVHeads], v[g:g+d.KVHeads], a.EffectiveScale(),
			func(head int) reference.Mask { return maskOf(b, head) })...)
	}
	store(a.Out.F64, out...)
	return nil
}

func (f functions) attentionGrad(a op.AttentionGradArgs) error {
	d := a.Dims()
	q, k, v, do := matrices(a.Q), matrices(a.K), matrices(a.V), matrices(a.DOut)
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window, Softcap: a.Softcap})
	var dq, dk, dv []reference.Matrix
	for b := range d.Batch {
		h, g := b*d.Heads, b*d.KVHeads
		dqb, dkb, dvb := f.GroupedAttentionGrad(q[h:h+d.Heads], k[g:g+d.KVHeads], v[g:g+d.KVHeads], do[h:h+d.Heads], a.EffectiveScale(),
			func(head int) reference.Mask { return maskOf(b, head) })
		dq, dk, dv = append(dq, dqb...), append(dk, dkb...), append(dv, dvb...)
	}
	store(a.DQ.F64, dq...)
	store(a.DK.F64, dk...)
	store(a.DV.F64, dv...)
	return nil
}

func (f functions) attentionScores(a op.AttentionScoresArgs) error {
	q, k := matrices(a.Q), matrices(a.K)
	heads, kvHeads := a.Q.Shape[1], a.K.Shape[1]
	maskOf := masks(a.Mask, reference.Mask{Causal: a.Causal, Window: a.Window, Softcap: a.Softcap})
	for n, s := range matrices(a.S) {
		b, h := n/heads, n%heads
		keys := k[b*kvHeads+h/(heads/kvHeads)]
		store(s.Data, f.AttentionScores(q[n], keys, a.EffectiveScale(), maskOf(b, h), reference.Stage(a.Stage)))
	}
	return nil
}

// masks returns the mask of each batch row and head of an attention whose optional mask tensor is t, [B|1, H|1, Tq, Tk]: with that
// tensor, the parts that all have in common.
func masks(t op.Tensor, common reference.Mask) func(batch, head int) reference.Mask {
	return func(batch, head int) reference.Mask {
		m := common
		if !t.Present() {
			return m
		}
		plane := t.Shape[2] * t.Shape[3]
		start := (min(batch, t.Shape[0]-1)*t.Shape[1] + min(head, t.Shape[1]-1)) * plane
		if t.DType == op.Bool {
			m.Allow = t.Bool[start : start+plane]
		} else {
			m.Bias = t.F64[start : start+plane]
		}
		return m
	}
}
