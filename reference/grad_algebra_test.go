package reference

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Gradients are linear in the upstream gradient.
func TestGradientsAreLinear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		for _, d := range differentiables(s) {
			n := len(d.eval())
			u, v := s.vector(n), s.vector(n)
			both := slices.Clone(v)
			axpy(both, 0.5, u)
			gu, gv, got := d.grad(u), d.grad(v), d.grad(both)
			size := maximum(rowOf(math.Abs)(slices.Concat(slices.Concat(gu...), slices.Concat(gv...)))) // one of them, dbk, is 0 but for rounding
			for i, want := range gv {
				want = slices.Clone(want)
				axpy(want, 0.5, gu[i])
				for k := range want {
					if err := math.Abs(got[i][k] - want[k]); !(err <= 1e-10*size) {
						t.Fatalf("%s: gradient %d[%d] of a sum is %v, the sum of gradients %v", d.name, i, k, got[i][k], want[k])
					}
				}
			}
		}
	})
}

func sumOf(x []float64) (sum, size float64) {
	for _, v := range x {
		sum, size = sum+v, size+math.Abs(v)
	}
	return sum, size
}

// vanishes fails unless the sum of x is 0 but for rounding.
func vanishes(t failer, what string, x []float64, units float64) {
	t.Helper()
	if sum, size := sumOf(x); !(math.Abs(sum) <= units*0x1p-53*size) {
		t.Fatalf("%s: the sum is %v, of elements whose absolute values sum to %v", what, sum, size)
	}
}

func TestRowGradientsAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		n := 2 + s.IntN(20)
		x, dy := s.vector(n), s.vector(n)
		axpy(dy, 1, filled(n, 0.1)) // so that nothing is all but 0

		// A shift of the logits changes nothing, so their gradients sum to 0.
		size := 1 + maximum(rowOf(math.Abs)(dy))
		for name, dx := range map[string][]float64{"Softmax": SoftmaxGrad(x, dy), "LogSoftmax": LogSoftmaxGrad(x, dy),
			"CrossEntropy": CrossEntropyGrad(x, n/2, 1.7)} {
			if sum, _ := sumOf(dx); !(math.Abs(sum) <= 0x1p-53*64*float64(n)*size) {
				t.Fatalf("%s: the gradient sums to %v", name, sum)
			}
		}
		// LogSoftmax of a target is the loss with its sign turned.
		oneHot := make([]float64, n)
		oneHot[n/2] = -1.7
		within(t, LogSoftmaxGrad(x, oneHot), CrossEntropyGrad(x, n/2, 1.7), 64)

		// Without eps a shift and a scaling of a row change nothing: its gradient is orthogonal to ones and to the row.
		if n > 3 {
			gamma := s.vector(n)
			dx, _, _ := LayerNormGrad(x, gamma, 0, dy)
			xhat := LayerNorm(x, filled(n, 1), filled(n, 0), 0)
			products := make([]float64, n)
			for i := range dx {
				products[i] = dx[i] * xhat[i]
			}
			vanishes(t, "LayerNormGrad", dx, 1e5)
			vanishes(t, "LayerNormGrad times xhat", products, 1e5)
		}

		// EmbeddingGrad is the product with one-hot rows.
		ids, m := s.ids(n, 5), s.matrix(n, 3)
		hot := NewMatrix(n, 5)
		for i, id := range ids {
			hot.Data[i*5+id] = 1
		}
		sameBits(t, must(EmbeddingGrad(ids, 5, m)).Data, MatMul(hot.T(), m).Data)
	})
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

// A bias of the keys has no effect, and so no gradient.
func TestKeyBiasHasNoGradient(t *testing.T) {
	s := newSource(22)
	x, w := s.matrix(5, 6), s.mha(6, 2, 2, 3)
	_, dw := Exact.MultiHeadGrad(x, w, MHAConfig{Heads: 2, Causal: true}, nil, s.matrix(5, 6))
	_, size := sumOf(dw.Wk.Data)
	for i, g := range dw.Bk {
		if !(math.Abs(g) <= 0x1p-53*size) {
			t.Errorf("dbk[%d] = %v, beside dwk whose absolute values sum to %v", i, g, size)
		}
	}
}

func TestGPTLossGradAlgebra(t *testing.T) {
	const ignore = -100
	for _, name := range tinyNames {
		cfg := must(ConfigByName(name))
		s := newSource(23)
		w := s.gpt(cfg)
		parts := [][2][]int{{{3, 1, 4}, {1, ignore, 5}}, {{1, 5, 9, 2}, {5, 9, 2, 6}}, {{6, 5}, {ignore, ignore}}}
		var targets []int
		for _, p := range parts {
			targets = append(targets, p[1]...)
		}

		// The gradient of the mean over a batch is the sum over its parts, each by sum, with 1 over the number of targets that count.
		dlosses := ReduceGrad([]float64{2.5}, targets, ignore, ReduceMean)
		whole, accumulated := zeroLike(w), zeroLike(w)
		for _, p := range parts {
			n := len(p[0])
			addTo(whole, must(Exact.GPTLossGrad(p[0], p[1], ignore, dlosses[:n], w, cfg)))
			bySum := ReduceGrad([]float64{2.5 / 6}, p[1], ignore, ReduceSum)
			addTo(accumulated, must(Exact.GPTLossGrad(p[0], p[1], ignore, bySum, w, cfg)))
			dlosses = dlosses[n:]
		}
		for i := range whole {
			sameBits(t, accumulated[i], whole[i])
		}

		// Tied, the gradient is the sum of both uses; untied, tokens that do not occur have none.
		tied, untied := w, w
		tiedCfg, untiedCfg := cfg, cfg
		tiedCfg.Tied, untiedCfg.Tied = true, false
		tied.Wout, untied.Wout = Matrix{}, w.Wte.T()
		ids, up := []int{3, 1, 4, 1}, s.vector(4)
		one := must(Exact.GPTLossGrad(ids, []int{1, 4, 1, 5}, ignore, up, tied, tiedCfg))
		two := must(Exact.GPTLossGrad(ids, []int{1, 4, 1, 5}, ignore, up, untied, untiedCfg))
		sameBits(t, one.Wte.Data, Add(two.Wte, two.Wout.T()).Data)
		for v := range cfg.Vocab {
			if used := slices.Contains(ids, v); (maximum(rowOf(math.Abs)(two.Wte.Row(v))) != 0) != used {
				t.Errorf("%s: token %d occurs: %v, its gradient is %v", name, v, used, two.Wte.Row(v))
			}
		}
		if cfg.Positions == PositionsLearned {
			for p := range cfg.Ctx {
				if used := p < len(ids); (maximum(rowOf(math.Abs)(one.Wpe.Row(p))) != 0) != used {
					t.Errorf("%s: position %d occurs: %v, its gradient is %v", name, p, used, one.Wpe.Row(p))
				}
			}
		}
	}
}

func zeroLike(w GPTWeights) [][]float64 {
	var zeros [][]float64
	for _, p := range w.Parameters() {
		zeros = append(zeros, make([]float64, len(p)))
	}
	return zeros
}

func addTo(sum [][]float64, dw GPTWeights) {
	for i, g := range dw.Parameters() {
		axpy(sum[i], 1, g)
	}
}

func TestSpecialsOfGradients(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	one := func(f func(x, dy float64) float64) func(x, dy float64) []float64 {
		return func(x, dy float64) []float64 { return []float64{f(x, dy)} }
	}
	for _, tt := range []struct {
		name      string
		got, want []float64
	}{
		{"relu at 0", one(ReLUGrad)(0, 3), []float64{0}},
		{"relu at -0", one(ReLUGrad)(math.Copysign(0, -1), 3), []float64{0}},
		{"relu below 0, NaN upstream", one(ReLUGrad)(-1, nan), []float64{0}},
		{"relu above 0, Inf upstream", one(ReLUGrad)(1, inf), []float64{inf}},
		{"relu at NaN", one(ReLUGrad)(nan, 3), []float64{nan}},
		{"gelu at -Inf", one(GELUGrad)(-inf, 3), []float64{0}},
		{"gelu at +Inf", one(GELUGrad)(inf, 3), []float64{3}},
		{"gelu at NaN", one(GELUGrad)(nan, 3), []float64{nan}},
		{"gelu at 0", one(GELUGrad)(0, 3), []float64{1.5}},
		{"gelu at the largest number", one(GELUGrad)(math.MaxFloat64, 3), []float64{3}},
		{"gelu at its negative", one(GELUGrad)(-math.MaxFloat64, 3), []float64{0}},
		{"tanh form at -Inf", one(GELUTanhGrad)(-inf, 3), []float64{0}},
		{"tanh form at +Inf", one(GELUTanhGrad)(inf, 3), []float64{3}},
		{"tanh form at NaN", one(GELUTanhGrad)(nan, 3), []float64{nan}},
		{"tanh form at 0", one(GELUTanhGrad)(0, 3), []float64{1.5}},
		{"tanh form at the largest number", one(GELUTanhGrad)(math.MaxFloat64, 3), []float64{3}},
		{"tanh form at its negative", one(GELUTanhGrad)(-math.MaxFloat64, 3), []float64{0}},
		{"softmax of one element", SoftmaxGrad([]float64{7}, []float64{3}), []float64{0}},
		{"softmax with a NaN", SoftmaxGrad([]float64{7, nan}, []float64{3, 1}), []float64{nan, nan}},
		{"softmax with -Inf", SoftmaxGrad([]float64{7, -inf}, []float64{3, 1}), []float64{0, 0}},
		{"softmax of equal elements", SoftmaxGrad([]float64{7, 7}, []float64{3, 1}), []float64{.5, -.5}},
		{"log-softmax of equal elements", LogSoftmaxGrad([]float64{7, 7}, []float64{3, 1}), []float64{1, -1}},
		{"log-softmax with underflow", LogSoftmaxGrad([]float64{0, -1000}, []float64{3, 1}), []float64{-1, 1}},
		{"cross-entropy of equal logits", CrossEntropyGrad([]float64{7, 7}, 1, 3), []float64{1.5, -1.5}},
		{"cross-entropy, confident", CrossEntropyGrad([]float64{0, -700}, 0, 1), []float64{-math.Exp(-700), math.Exp(-700)}},
		{"cross-entropy with a target of -Inf", CrossEntropyGrad([]float64{0, -inf}, 1, 2), []float64{2, -2}},
		{"cross-entropy with +Inf", CrossEntropyGrad([]float64{0, inf}, 1, 2), []float64{nan, nan}},
		{"mean of nothing", ReduceGrad([]float64{3}, []int{-1, -1}, -1, ReduceMean), []float64{0, 0}},
		{"none, NaN upstream of an ignored target", ReduceGrad([]float64{3, nan}, []int{2, -1}, -1, ReduceNone), []float64{3, 0}},
		{"mean", ReduceGrad([]float64{3}, []int{0, -1, 4}, -1, ReduceMean), []float64{1.5, 0, 1.5}},
		{"sum", ReduceGrad([]float64{3}, []int{0, -1, 4}, -1, ReduceSum), []float64{3, 0, 3}},
		{"soft cap at Inf", []float64{Mask{Softcap: 2}.CapGrad(inf, 3)}, []float64{0}},
		{"soft cap at 0", []float64{Mask{Softcap: 2}.CapGrad(0, 3)}, []float64{3}},
		{"no soft cap", []float64{Mask{}.CapGrad(inf, 3)}, []float64{3}},
	} {
		t.Run(tt.name, func(t *testing.T) { within(t, tt.got, tt.want, 4) })
	}
	for _, id := range []int{-1, 3, 4} {
		if _, err := EmbeddingGrad([]int{1, id}, 3, NewMatrix(2, 2)); !errors.Is(err, ErrIndex) {
			t.Errorf("EmbeddingGrad of id %d in a table of 3: error %v, want one that wraps ErrIndex", id, err)
		}
	}
	dx, dgamma, dbeta := LayerNormGrad([]float64{5, 5}, []float64{2, 2}, 0.25, []float64{3, 1})
	sameBits(t, slices.Concat(dx, dgamma, dbeta), []float64{4, -4, 0, 0, 3, 1})
	m, dgamma, dbeta := LayerNormRowsGrad(Matrix{2, 2, []float64{1, nan, 5, 5}}, []float64{2, 2}, 0.25, Matrix{2, 2, []float64{1, 1, 3, 1}})
	sameBits(t, slices.Concat(m.Data, dgamma, dbeta), []float64{nan, nan, 4, -4, nan, nan, 4, 2})
}
