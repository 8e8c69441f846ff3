package optimized

import "github.com/assaykit/assay/conformance/op"

var _ = register("attention.scores", withEngine(newAttentionScores))

// attentionScores is the op attention.scores. It is there to be looked at, so it is not packed or tiled: rows of scores, page by page.
type attentionScores struct {
	team *team
	args op.AttentionScoresArgs
	mask mask
}

func newAttentionScores(e *engine, _ op.AttentionScoresArgs) *attentionScores {
	return &attentionScores{team: e.team}
}

func (k *attentionScores) Run(a op.AttentionScoresArgs) error {
	seqQ, headDim, seqK := a.Q.Shape[2], a.Q.Shape[3], a.K.Shape[2]
	k.args, k.mask = a, newMask(seqQ, seqK, a.Causal, a.Window, a.Mask)
	k.team.run(a.Q.Len()/headDim, seqK*(2*headDim+costExp), k)
	k.args, k.mask = op.AttentionScoresArgs{}, mask{}
	return nil
}

// do computes rows of scores, those of the queries lo to hi-1 of all heads.
func (k *attentionScores) do(_, lo, hi int) {
	a := &k.args
	heads, group := a.Q.Shape[1], a.Q.Shape[1]/a.K.Shape[1]
	keys := contiguous(a.K)
	for row := lo; row < hi; row++ {
		b, h, i := row/k.mask.seqQ/heads, row/k.mask.seqQ%heads, row%k.mask.seqQ
		q := a.Q.F32[row*keys.row:][:keys.row]
		s := a.S.F32[row*k.mask.seqK:][:k.mask.seqK]
		for j := range s {
			s[j] = float32(dot(q, keys.at(b, h/group, j)))
		}
		k.finish(s, b, h, i)
	}
}

// finish turns the products of a row into what the stage asks for.
func (k *attentionScores) finish(s []float32, b, h, i int) {
	c := scoring{scale: k.args.EffectiveScale()}
	if k.args.Stage != "scores" {
		c.softcap = k.args.Softcap
	}
	if k.args.Stage == "scores" || k.args.Stage == "capped" {
		c.apply(s, nil)
		return
	}
	any := false
	for first := 0; first < len(s); first += pageLen {
		page := s[first:min(first+pageLen, len(s))]
		seen, bias := k.mask.visible(b, h, i, first, len(page))
		c.apply(page, bias)
		hide(page, seen)
		any = any || seen != 0
	}
	if k.args.Stage == "masked" {
		return
	}
	if !any {
		clear(s)
		return
	}
	softmaxRows(s, s, len(s))
	for first := 0; first < len(s); first += pageLen { // a row that is NaN is so where it sees keys
		page := s[first:min(first+pageLen, len(s))]
		seen, _ := k.mask.visible(b, h, i, first, len(page))
		for j := range page {
			if seen>>j&1 == 0 {
				page[j] = 0
			}
		}
	}
}
