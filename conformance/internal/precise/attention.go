package precise

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// sight is what one query may see: MSK.
type sight struct {
	position int // p, where the query stands among the keys
	causal   bool
	window   int
	hidden   func(j int) bool   // by a mask; nil: none
	bias     func(j int) number // of a float mask; nil: none
}

func (s sight) sees(j int) bool {
	ahead := j - s.position // how far ahead of the query the key is
	if s.causal && ahead > 0 {
		return false
	}
	if s.window > 0 && (ahead <= -s.window || ahead >= s.window) {
		return false
	}
	return s.hidden == nil || !s.hidden(j)
}

// scorer is what becomes of a product of a query and a key before the mask: scaled, then capped where there is a cap: ATT-9.
type scorer struct{ scale, cap number }

func (a attributes) scorer(headDim int) scorer {
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

// masked completes what query i of a head sees by the optional mask, [1 or B, 1 or H, Tq, Tk].
func masked(s sight, mask *array, batch, head, i int) sight {
	if mask == nil {
		return s
	}
	b, h := batch%mask.dim(0), head%mask.dim(1)
	start := ((b*mask.dim(1)+h)*mask.dim(2) + i) * mask.dim(3)
	if mask.DType == op.Bool {
		s.hidden = func(j int) bool { return !mask.Bool[start+j] }
		return s
	}
	s.hidden = func(j int) bool { return math.IsInf(mask.At(start+j), -1) }
	s.bias = func(j int) number { return mask.at(start + j) }
	return s
}

// queries is one query after the other, of all heads and batch items: f gets the index of its row, what it sees, and where the keys and values
// of its KV head begin.
func queries(a attributes, in arrays, width int, f func(at, first int, see sight) []number) Result {
	q, k := in["q"], in["k"]
	heads, groups, length, seq := q.dim(1), k.dim(1), q.dim(2), k.dim(2)
	return byRow(width, func(at int) []number {
		batch, h, i := at/(heads*length), at/length%heads, at%length
		see := sight{position: i + seq - length, causal: a.Causal, window: a.Window}
		return f(at, (batch*groups+h/(heads/groups))*seq, masked(see, in["mask"], batch, h, i))
	})
}

func attention(a attributes, in arrays) Step {
	q, v, keys, values, seq := in["q"], in["v"], in["k"].rows(), in["v"].rows(), in["k"].dim(2)
	s := a.scorer(q.dim(3))
	return gives("out", queries(a, in, v.dim(3), func(at, first int, see sight) []number {
		return attend(q.row(at), keys[first:first+seq], values[first:first+seq], s, see)
	}))
}

// attentionScores: ATT-10, ATT-11.
func attentionScores(a attributes, in arrays) Step {
	q, keys, seq := in["q"], in["k"].rows(), in["k"].dim(2)
	s := a.scorer(q.dim(3))
	return gives("s", queries(a, in, seq, func(at, first int, see sight) []number {
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

// entry is what a cache holds of one position of one batch item: a key and a value for each KV head.
type entry struct{ keys, values [][]number }

// attentionCached: KV. The state of each batch item is the list of its entries.
func attentionCached(a attributes, _ arrays) kernel {
	var state [][]entry
	return func(in arrays) Step {
		q, k, v := in["q"], in["k"], in["v"]
		batch, heads, steps, groups := q.dim(0), q.dim(1), q.dim(2), k.dim(1)
		next, faults := continued(state, batch, in, steps, a.Capacity)
		if faults != nil {
			return fails(faults...)
		}
		for b := range next {
			for t := range steps {
				var e entry
				for g := range groups {
					e.keys = append(e.keys, k.row((b*groups+g)*steps+t))
					e.values = append(e.values, v.row((b*groups+g)*steps+t))
				}
				next[b] = append(next[b], e)
			}
		}
		state = next
		held, first := slices.Clone(state), len(state[0])-steps
		score := a.scorer(q.dim(3))
		return gives("out", byRow(v.dim(3), func(at int) []number {
			b, h, i := at/(heads*steps), at/steps%heads, at%steps
			var keys, values [][]number
			for _, e := range held[b] {
				keys, values = append(keys, e.keys[h/(heads/groups)]), append(values, e.values[h/(heads/groups)])
			}
			return attend(q.row(at), keys, values, score, sight{position: first + i, causal: true, window: a.Window})
		}))
	}
}

// continued returns what a step of a cached op starts from, KV-1, KV-3, KV-4: the lists of the items that beam_idx names, cut to their first
// pos entries. Or else the errors that apply: KV-6, KV-7, KV-8.
// The state before the first step is empty lists.
func continued[E any](state [][]E, batch int, in arrays, steps, capacity int) (next [][]E, faults []string) {
	if state == nil {
		state = make([][]E, batch)
	}
	pos := in["pos"].I64[0]
	if pos < 0 || pos > int64(len(state[0])) {
		faults = append(faults, "position")
	}
	if pos+int64(steps) > int64(capacity) {
		faults = append(faults, "capacity")
	}
	for b := range state {
		from := int64(b)
		if in["beam_idx"] != nil {
			from = in["beam_idx"].I64[b]
		}
		if from < 0 || from >= int64(len(state)) {
			faults = append(faults, "index")
		}
		if faults == nil {
			next = append(next, slices.Clone(state[from][:pos]))
		}
	}
	if faults != nil {
		return nil, faults
	}
	return next, nil
}
