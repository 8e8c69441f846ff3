package reference

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestScale(t *testing.T) {
	within(t, []float64{Scale(1), Scale(16), Scale(64), Scale(3)}, []float64{1, .25, .125, 0.57735026918962576}, 1)
}

func TestAttention(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	col := func(x ...float64) Matrix { return Matrix{len(x), 1, x} }
	tests := []struct {
		name    string
		q, k, v Matrix
		mask    Mask
		want    []float64
		units   float64
	}{
		{"equal scores: the mean of the values", col(0), col(5, 6, 7, 8), col(1, 2, 3, 6), Mask{}, []float64{3}, 0},
		{"one key: its value", col(3), col(4), col(0.1), Mask{}, []float64{0.1}, 0},
		{"weights 1/4 and 3/4", col(1), col(0, math.Log(3)), col(4, 8), Mask{}, []float64{7}, 4},
		{"bias is added to the score", col(1), col(0, 0), col(4, 8), Mask{Bias: []float64{0, math.Log(3)}}, []float64{7}, 4},
		{"causal: means of prefixes", col(0, 0, 0, 0), col(9, 9, 9, 9), col(4, 8, 12, 16), Mask{Causal: true}, []float64{4, 6, 8, 10}, 4},
		{"soft cap: scores c tanh(s/c)", col(1), col(0, 1000), col(4, 8), Mask{Softcap: math.Log(3)}, []float64{7}, 4},
		{"soft cap: before the bias", col(1), col(1000, 1000), col(4, 8), Mask{Softcap: 5, Bias: []float64{0, math.Log(3)}}, []float64{7}, 4},
		{"soft cap: -Inf in a bias hides", col(1), col(1, 1), col(4, 8), Mask{Softcap: 5, Bias: []float64{0, -inf}}, []float64{4}, 0},
		{"soft cap: +Inf scores the cap", col(1), col(inf, 1e9), col(4, 8), Mask{Softcap: 5}, []float64{6}, 0},
		{"soft cap: NaN stays", col(1), col(nan, 1), col(4, 8), Mask{Softcap: 5}, []float64{nan}, 0},
		{"one key far ahead", col(1), col(0, 1000), col(4, 8), Mask{}, []float64{8}, 0},

		{"no key visible: 0, beside a row that sees one", col(1, 1), col(1, 1), col(4, 8), Mask{Allow: []bool{false, false, true, false}}, []float64{0, 4}, 0},
		{"no key visible by bias", col(1), col(1, 1), col(4, 8), Mask{Bias: []float64{-inf, -inf}}, []float64{0}, 0},
		{"no key visible, NaN everywhere", col(nan), col(nan, nan), col(nan, inf), Mask{Allow: []bool{false, false}}, []float64{0}, 0},
		{"hidden NaN in v", col(1), col(1, 1), col(4, nan), Mask{Allow: []bool{true, false}}, []float64{4}, 0},
		{"hidden Inf in v", col(1), col(1, 1), col(4, inf), Mask{Bias: []float64{0, -inf}}, []float64{4}, 0},
		{"hidden NaN in k", col(1), col(nan, 1), col(4, 8), Mask{Window: 1}, []float64{8}, 0},
		{"hidden +Inf score", col(1), col(1, inf), col(4, 8), Mask{Allow: []bool{true, false}}, []float64{4}, 0},
		{"NaN in a mask entry hidden by another part", col(1), col(1, 1), col(4, 8), Mask{Allow: []bool{true, false}, Bias: []float64{0, nan}}, []float64{4}, 0},

		{"visible NaN in v", col(1), col(1, 1), col(4, nan), Mask{}, []float64{nan}, 0},
		{"visible Inf in v with weight 0", col(1), col(0, -1e5), col(4, inf), Mask{}, []float64{nan}, 0},
		{"visible Inf in v with weight 1/2", col(0), col(0, 0), col(4, inf), Mask{}, []float64{inf}, 0},
		{"visible score NaN", col(1), col(1, nan), col(4, 8), Mask{}, []float64{nan}, 0},
		{"visible score +Inf", col(1), col(1, inf), col(4, 8), Mask{}, []float64{nan}, 0},
		{"visible score -Inf among others: weight 0", col(1), col(1, -inf), col(4, 8), Mask{}, []float64{4}, 0},
		{"visible scores all -Inf", col(1), col(-inf, -inf), col(4, 8), Mask{}, []float64{nan}, 0},
		{"bias NaN", col(1), col(1, 1), col(4, 8), Mask{Bias: []float64{0, nan}}, []float64{nan}, 0},
		{"bias +Inf", col(1), col(1, 1), col(4, 8), Mask{Bias: []float64{0, inf}}, []float64{nan}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { within(t, Attention(tt.q, tt.k, tt.v, 1, tt.mask).Data, tt.want, tt.units) })
	}
}

func TestAttentionScores(t *testing.T) {
	inf := math.Inf(1)
	q, k := rowsOf([]float64{1}, []float64{-2}), rowsOf([]float64{0}, []float64{3}, []float64{inf})
	half := 2 * math.Tanh(0.75) // the soft cap 2 of the score 3/2
	tests := []struct {
		stage Stage
		mask  Mask
		want  []float64
	}{
		{StageScores, Mask{Causal: true, Softcap: 2, Bias: filled(6, -inf)}, []float64{0, 1.5, inf, 0, -3, -inf}},
		{StageCapped, Mask{Causal: true, Softcap: 2, Bias: filled(6, -inf)}, []float64{0, half, 2, 0, -2 * math.Tanh(1.5), -2}},
		{StageMasked, Mask{Causal: true, Softcap: 2, Bias: []float64{1, 10, 5, -inf, 0, 7}}, []float64{1, 10 + half, -inf, -inf, -2 * math.Tanh(1.5), 5}},
		{StageWeights, Mask{Causal: true, Bias: []float64{0, -1.5, 5, -inf, -inf, -inf}}, []float64{.5, .5, 0, 0, 0, 0}},
	}
	for _, tt := range tests {
		within(t, AttentionScores(q, k, .5, tt.mask, tt.stage).Data, tt.want, 2)
	}
}

// attentionCase is one head with a random mask of every kind.
type attentionCase struct {
	q, k, v Matrix
	scale   float64
	mask    Mask
}

func (s source) attention() attentionCase {
	seqQ, headDim := 1+s.IntN(6), 1+s.IntN(5)
	seqK := seqQ + s.IntN(4)
	c := attentionCase{s.matrix(seqQ, headDim), s.matrix(seqK, headDim), s.matrix(seqK, 1+s.IntN(5)), Scale(headDim), Mask{
		Causal: s.IntN(2) == 0, Window: s.IntN(4), Softcap: float64(s.IntN(3)),
	}}
	if s.IntN(2) == 0 {
		c.mask.Allow = make([]bool, seqQ*seqK)
		for i := range c.mask.Allow {
			c.mask.Allow[i] = s.IntN(3) > 0
		}
	}
	if s.IntN(2) == 0 {
		c.mask.Bias = s.vector(seqQ * seqK)
		c.mask.Bias[s.IntN(seqQ*seqK)] = math.Inf(-1)
	}
	return c
}

func (c attentionCase) eval() Matrix { return Attention(c.q, c.k, c.v, c.scale, c.mask) }

// visible writes the whole mask as its pictures.
func (c attentionCase) visible() []bool {
	var all []bool
	for i := range c.q.Rows {
		for j := range c.k.Rows {
			all = append(all, c.mask.Visible(i, j, c.q.Rows, c.k.Rows))
		}
	}
	return all
}

func TestAttentionAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		c := s.attention()
		o, visible := c.eval(), c.visible()
		seqK := c.k.Rows

		// Every mask can be written as Allow, and exclusion by -Inf is exclusion by false, bit for bit.
		same := c
		same.mask = Mask{Allow: visible, Bias: c.mask.Bias, Softcap: c.mask.Softcap}
		sameBits(t, same.eval().Data, o.Data)
		same.mask = Mask{Bias: make([]float64, len(visible)), Softcap: c.mask.Softcap}
		for n, see := range visible {
			if c.mask.Bias != nil {
				same.mask.Bias[n] = c.mask.Bias[n]
			}
			if !see {
				same.mask.Bias[n] = math.Inf(-1)
			}
		}
		sameBits(t, same.eval().Data, o.Data)

		// The weights are those that attention takes its means with.
		weights := AttentionScores(c.q, c.k, c.scale, c.mask, StageWeights)
		within(t, MatMul(weights, c.v).Data, o.Data, 8)

		// What a hidden key holds is never seen, and a query that sees nothing gives 0.
		for j := range seqK {
			poisoned := c
			poisoned.k, poisoned.v = rowRange(c.k, 0, seqK), rowRange(c.v, 0, seqK)
			copy(poisoned.k.Row(j), filled(c.k.Cols, math.NaN()))
			copy(poisoned.v.Row(j), filled(c.v.Cols, math.Inf(1)))
			for i := range c.q.Rows {
				if !visible[i*seqK+j] {
					sameBits(t, poisoned.eval().Row(i), o.Row(i))
				} else if got := poisoned.eval().Row(i)[0]; !math.IsNaN(got) {
					t.Fatalf("query %d sees a NaN key %d and gives %v", i, j, got)
				}
			}
		}
		for i := range c.q.Rows {
			sees := false
			for j := range seqK {
				sees = sees || visible[i*seqK+j]
			}
			if !sees {
				sameBits(t, o.Row(i), make([]float64, c.v.Cols))
			}
		}
	})
}

func TestAttentionSymmetries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		c := s.attention()
		o, visible := c.eval(), c.visible()
		seqK := c.k.Rows
		c.mask = Mask{Allow: visible, Bias: c.mask.Bias, Softcap: c.mask.Softcap}

		// Keys and values permuted together change nothing but the order of sums. Scores are below 30, and each carries
		// that many units into the weights.
		perm := s.Perm(seqK)
		moved := attentionCase{c.q, NewMatrix(seqK, c.k.Cols), NewMatrix(seqK, c.v.Cols), c.scale, Mask{Allow: make([]bool, len(visible)), Softcap: c.mask.Softcap}}
		if c.mask.Bias != nil {
			moved.mask.Bias = make([]float64, len(visible))
		}
		for to, from := range perm {
			copy(moved.k.Row(to), c.k.Row(from))
			copy(moved.v.Row(to), c.v.Row(from))
			for i := range c.q.Rows {
				moved.mask.Allow[i*seqK+to] = visible[i*seqK+from]
				if c.mask.Bias != nil {
					moved.mask.Bias[i*seqK+to] = c.mask.Bias[i*seqK+from]
				}
			}
		}
		within(t, append(moved.eval().Data, 8), append(o.Data, 8), 64)

		// Doubling the scale and halving the queries is exact.
		halved := c
		halved.q, halved.scale = ScaleBy(c.q, .5), 2*c.scale
		sameBits(t, halved.eval().Data, o.Data)

		// Outputs are averages: where every value is the same, so is the output, unless nothing is visible.
		flat := c
		flat.v = Matrix{seqK, 1, filled(seqK, 3)}
		for i, x := range flat.eval().Data {
			if x != 0 {
				within(t, []float64{x}, []float64{3}, 32)
			} else {
				sameBits(t, o.Row(i), make([]float64, c.v.Cols))
			}
		}
	})
}

// Causal attention of a prefix does not see what follows it.
func TestAttentionPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		seqLen, headDim := 2+s.IntN(8), 1+s.IntN(5)
		q, k, v := s.matrix(seqLen, headDim), s.matrix(seqLen, headDim), s.matrix(seqLen, headDim)
		mask := Mask{Causal: true, Window: s.IntN(4)}
		n := 1 + s.IntN(seqLen-1)
		prefix := Attention(rowRange(q, 0, n), rowRange(k, 0, n), rowRange(v, 0, n), 1, mask)
		sameBits(t, rowRange(Attention(q, k, v, 1, mask), 0, n).Data, prefix.Data)
	})
}

// Grouped heads are heads whose keys and values are repeated.
func TestGroupedAttention(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		kvHeads, group := 1+s.IntN(3), 1+s.IntN(3)
		q, k, v := s.heads(kvHeads*group, 3, 4), s.heads(kvHeads, 5, 4), s.heads(kvHeads, 5, 2)
		masks := func(head int) Mask { return Mask{Window: head} }
		var repeatedK, repeatedV []Matrix
		for g := range kvHeads {
			for range group {
				repeatedK, repeatedV = append(repeatedK, k[g]), append(repeatedV, v[g])
			}
		}
		got := GroupedAttention(q, k, v, .5, masks)
		sameBits(t, join(got...), join(GroupedAttention(q, repeatedK, repeatedV, .5, masks)...))
		for h := range q {
			sameBits(t, got[h].Data, Attention(q[h], k[h/group], v[h/group], .5, Mask{Window: h}).Data)
		}
	})
}

func (c attentionCase) grad(dy []float64) (dq, dk, dv Matrix) {
	return AttentionGrad(c.q, c.k, c.v, Matrix{c.q.Rows, c.v.Cols, dy}, c.scale, c.mask)
}

var _ = derivative(func(s source) []differentiable {
	all := []differentiable{groupedOf(s)}
	for range 6 {
		all = append(all, attentionOf(s))
	}
	return all
})

func attentionOf(s source) differentiable {
	c := s.attention()
	return differentiable{"Attention", [][]float64{c.q.Data, c.k.Data, c.v.Data}, func() []float64 { return c.eval().Data },
		func(dy []float64) [][]float64 {
			dq, dk, dv := c.grad(dy)
			return [][]float64{dq.Data, dk.Data, dv.Data}
		}}
}

func groupedOf(s source) differentiable {
	q, k, v := s.heads(4, 3, 2), s.heads(2, 5, 2), s.heads(2, 5, 3)
	masks := func(head int) Mask { return Mask{Causal: head != 1, Softcap: float64(head)} }
	var inputs [][]float64
	for _, m := range slices.Concat(q, k, v) {
		inputs = append(inputs, m.Data)
	}
	return differentiable{"GroupedAttention", inputs, func() []float64 { return join(GroupedAttention(q, k, v, 0.7, masks)...) },
		func(dy []float64) [][]float64 {
			var do []Matrix
			for h := range q {
				do = append(do, Matrix{3, 3, dy[9*h : 9*h+9]})
			}
			dq, dk, dv := GroupedAttentionGrad(q, k, v, do, 0.7, masks)
			var grads [][]float64
			for _, m := range slices.Concat(dq, dk, dv) {
				grads = append(grads, m.Data)
			}
			return grads
		}}
}

func TestAttentionGradAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		c := s.attention()
		dy := s.vector(c.q.Rows * c.v.Cols)
		dq, dk, dv := c.grad(dy)
		visible, seqK := c.visible(), c.k.Rows

		// Poison wherever nothing is seen: gradients there are 0, and nothing else changes.
		poisoned, up := c, slices.Clone(dy)
		poisoned.q, poisoned.k, poisoned.v = rowRange(c.q, 0, c.q.Rows), rowRange(c.k, 0, seqK), rowRange(c.v, 0, seqK)
		zero := func(row []float64) {
			if size := maximum(rowOf(math.Abs)(row)); size != 0 {
				t.Fatalf("a gradient where nothing is seen is %v", row)
			}
		}
		for j := range seqK {
			if !slices.ContainsFunc(span(c.q.Rows), func(i int) bool { return visible[i*seqK+j] }) {
				zero(dk.Row(j))
				zero(dv.Row(j))
				copy(poisoned.k.Row(j), filled(c.k.Cols, math.NaN()))
				copy(poisoned.v.Row(j), filled(c.v.Cols, math.Inf(1)))
			}
		}
		for i := range c.q.Rows {
			if !slices.Contains(visible[i*seqK:(i+1)*seqK], true) {
				zero(dq.Row(i))
				copy(poisoned.q.Row(i), filled(c.q.Cols, math.NaN()))
				copy(up[i*c.v.Cols:(i+1)*c.v.Cols], filled(c.v.Cols, math.NaN()))
			}
		}
		pq, pk, pv := poisoned.grad(up)
		sameBits(t, pq.Data, dq.Data)
		sameBits(t, pk.Data, dk.Data)
		sameBits(t, pv.Data, dv.Data)

		// Permuting keys with their values and mask permutes their gradients, and no other changes.
		perm := s.Perm(seqK)
		moved := attentionCase{c.q, NewMatrix(seqK, c.k.Cols), NewMatrix(seqK, c.v.Cols), c.scale,
			Mask{Allow: make([]bool, len(visible)), Softcap: c.mask.Softcap}}
		if c.mask.Bias != nil {
			moved.mask.Bias = make([]float64, len(visible))
		}
		for j, from := range perm {
			copy(moved.k.Row(j), c.k.Row(from))
			copy(moved.v.Row(j), c.v.Row(from))
			for i := range c.q.Rows {
				moved.mask.Allow[i*seqK+j] = visible[i*seqK+from]
				if c.mask.Bias != nil {
					moved.mask.Bias[i*seqK+j] = c.mask.Bias[i*seqK+from]
				}
			}
		}
		mq, mk, mv := moved.grad(dy)
		size := 1 + maximum(rowOf(math.Abs)(join(dq, dk, dv)))
		near := func(got, want []float64) {
			for i, w := range want {
				if !(math.Abs(got[i]-w) <= 1e-12*size) {
					t.Fatalf("after a permutation of the keys a gradient is %v, before %v", got[i], w)
				}
			}
		}
		near(mq.Data, dq.Data)
		for j, from := range perm {
			near(mk.Row(j), dk.Row(from))
			near(mv.Row(j), dv.Row(from))
		}
	})
}

func span(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// Heads that share keys: the gradient of shared keys is the sum of those of copies, one for each head.
func TestGroupedGradIsSumOfCopies(t *testing.T) {
	s := newSource(21)
	q, k, v, do := s.heads(6, 4, 3), s.heads(2, 5, 3), s.heads(2, 5, 2), s.heads(6, 4, 2)
	masks := func(head int) Mask { return Mask{Causal: head%2 == 0} }
	var copiesK, copiesV []Matrix
	for h := range q {
		copiesK, copiesV = append(copiesK, k[h/3]), append(copiesV, v[h/3])
	}
	dq, dk, dv := GroupedAttentionGrad(q, k, v, do, 0.5, masks)
	cq, ck, cv := GroupedAttentionGrad(q, copiesK, copiesV, do, 0.5, masks)
	sameBits(t, join(dq...), join(cq...))
	for g := range k {
		sameBits(t, dk[g].Data, Add(Add(ck[3*g], ck[3*g+1]), ck[3*g+2]).Data)
		sameBits(t, dv[g].Data, Add(Add(cv[3*g], cv[3*g+1]), cv[3*g+2]).Data)
	}
}
