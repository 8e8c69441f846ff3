// Package mykernel is what README.md's test of a kernel author judges: attention in plain Go, right and slow.
package mykernel

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// Attention computes out [B,H,Tq,Dv] from q [B,H,Tq,D], k [B,G,Tk,D] and v [B,G,Tk,Dv].
func Attention(out, q, k, v []float32, mask op.Tensor, d op.AttentionDims, scale float64, causal bool, window int, softcap float64) {
	for row := range d.Batch * d.Heads * d.SeqQ {
		batch, head, i := row/d.SeqQ/d.Heads, row/d.SeqQ%d.Heads, row%d.SeqQ
		keys := (batch*d.KVHeads + head*d.KVHeads/d.Heads) * d.SeqK // row of the first key that this head reads
		scores, highest := make([]float64, d.SeqK), math.Inf(-1)
		for j := range scores {
			s := scale * dot(q[row*d.HeadDim:][:d.HeadDim], k[(keys+j)*d.HeadDim:])
			if softcap > 0 {
				s = softcap * math.Tanh(s/softcap)
			}
			bias := maskAt(mask, batch, head, i, j)
			if distance := i + d.SeqK - d.SeqQ - j; causal && distance < 0 || window > 0 && (distance >= window || -distance >= window) {
				bias = math.Inf(-1)
			}
			if math.IsInf(bias, -1) {
				scores[j] = hidden
				continue
			}
			scores[j] = s + bias
			highest = max(highest, scores[j])
		}
		total, sums := 0.0, make([]float64, d.ValueDim)
		for j, s := range scores {
			if s == hidden {
				continue
			}
			p := math.Exp(s - highest)
			total += p
			for c := range sums {
				sums[c] += p * float64(v[(keys+j)*d.ValueDim+c])
			}
		}
		for c, sum := range sums {
			if out[row*d.ValueDim+c] = float32(sum / total); total == 0 { // no key is visible
				out[row*d.ValueDim+c] = 0
			}
		}
	}
}

// hidden is the score of a key that takes no part. No sum of float32 products is as low.
const hidden = -math.MaxFloat64

func dot(x, y []float32) (sum float64) {
	for i := range x {
		sum += float64(x[i]) * float64(y[i])
	}
	return sum
}

// maskAt returns what the mask adds to a score: 0 where there is none, -Inf where it hides the key.
func maskAt(mask op.Tensor, batch, head, i, j int) float64 {
	if !mask.Present() {
		return 0
	}
	s := mask.Shape
	at := ((min(batch, s[0]-1)*s[1]+min(head, s[1]-1))*s[2]+i)*s[3] + j
	switch {
	case mask.DType != op.Bool:
		return mask.At(at)
	case mask.Bool[at]:
		return 0
	}
	return math.Inf(-1)
}
