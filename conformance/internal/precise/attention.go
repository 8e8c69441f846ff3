package precise

import (
	"slices"
)

type attentionAttrs struct {
	Scale   *float64 `json:"scale"`
	Causal  bool     `json:"causal"`
	Window  int      `json:"window"`
	Softcap float64  `json:"softcap"`
}

// scorer is what becomes of a product of a query and a key before the mask: scaled, then capped where there is a cap: ATT-9.
type scorer struct{ scale, cap number }

func (a attentionAttrs) scorer(headDim int) scorer {
	s := scorer{scale: quo(one, sqrt(ofInt(headDim))), cap: of(a.Softcap)}
	if a.Scale != nil {
		s.scale = of(*a.Scale)
	}
	return s
}

func (s scorer) scaled(q, k []number) number { return mul(s.scale, dot(q, k)) }

func (s scorer) capped(q, k []number) number {
	if s.cap.isZero() {
		return s.scaled(q, k)
	}
	return mul(s.cap, tanh(quo(s.scaled(q, k), s.cap)))
}

func (s scorer) masked(q, k []number, see sight, j int) number {
	score := s.capped(q, k)
	if see.bias != nil {
		score = add(score, see.bias(j))
	}
	return score
}

// weights are the p_ij of ATT-1 for one query, times the total that they are to be divided by, and the keys that have them, those in sight.
func (s scorer) weights(q []number, keys [][]number, see sight) (seen []int, es []number, total number) {
	var scores []number
	for j, k := range keys {
		if see.sees(j) {
			seen, scores = append(seen, j), append(scores, s.masked(q, k, see, j))
		}
	}
	_, es = exponentials(scores)
	return seen, es, sum(es...)
}

// attend is ATT-1 for one query: zeros where it sees nothing.
func attend(q []number, keys, values [][]number, s scorer, see sight) []number {
	seen, es, total := s.weights(q, keys, see)
	out := slices.Repeat([]number{zero}, len(values[0]))
	if len(seen) == 0 {
		return out
	}
	for c := range out {
		column := make([]number, len(seen))
		for i, j := range seen {
			column[i] = values[j][c]
		}
		out[c] = quo(dot(es, column), total)
	}
	return out
}

// queries is one query after the other, of all heads and batch items: f gets the index of its row, what it sees, and where the keys and values
// of its KV head begin.
func queries(a attentionAttrs, in arrays, width int, f func(at, first int, see sight) []number) Result {
	q, k := in["q"], in["k"]
	heads, groups, length, seq := q.dim(1), k.dim(1), q.dim(2), k.dim(2)
	return byRow(width, func(at int) []number {
		batch, h, i := at/(heads*length), at/length%heads, at%length
		see := sight{position: i + seq - length, causal: a.Causal, window: a.Window}
		return f(at, (batch*groups+h/(heads/groups))*seq, masked(see, in["mask"], batch, h, i))
	})
}

var _ = register("attention", func() attentionAttrs { return attentionAttrs{} }, attention)

func attention(a attentionAttrs, in arrays) Step {
	q, v, keys, values, seq := in["q"], in["v"], in["k"].rows(), in["v"].rows(), in["k"].dim(2)
	s := a.scorer(q.dim(3))
	return gives("out", queries(a, in, v.dim(3), func(at, first int, see sight) []number {
		return attend(q.row(at), keys[first:first+seq], values[first:first+seq], s, see)
	}))
}

type attentionScoresAttrs struct {
	attentionAttrs
	Stage string `json:"stage"`
}

var _ = register("attention.scores", func() attentionScoresAttrs { return attentionScoresAttrs{Stage: "weights"} }, attentionScores)

// attentionScores: ATT-10, ATT-11.
func attentionScores(a attentionScoresAttrs, in arrays) Step {
	q, keys, seq := in["q"], in["k"].rows(), in["k"].dim(2)
	s := a.scorer(q.dim(3))
	return gives("s", queries(a.attentionAttrs, in, seq, func(at, first int, see sight) []number {
		row, q := make([]number, seq), q.row(at)
		for j, k := range keys[first : first+seq] {
			switch {
			case a.Stage == "scores":
				row[j] = s.scaled(q, k)
			case a.Stage == "capped":
				row[j] = s.capped(q, k)
			case a.Stage == "weights":
				row[j] = zero
			case see.sees(j):
				row[j] = s.masked(q, k, see, j)
			default:
				row[j] = neg(infinity)
			}
		}
		if a.Stage == "weights" {
			seen, es, total := s.weights(q, keys[first:first+seq], see)
			for i, j := range seen {
				row[j] = quo(es[i], total)
			}
		}
		return row
	}))
}
