package reference

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
)

// differentiable is a function of inputs that it reads at each call, with its gradient: the products of dy and its Jacobians with respect to
// each input, in their order. An input may be nil, and so then is its gradient.
type differentiable struct {
	name   string
	inputs [][]float64
	eval   func() []float64
	grad   func(dy []float64) [][]float64
}

// differentiables are all functions of this package that have a gradient, at random inputs.
func differentiables(s source) []differentiable {
	all := []differentiable{matMulOf(s), linearOf(s, true), linearOf(s, false), layerNormOf(s), embeddingOf(s), crossEntropyOf(s), groupedOf(s)}
	rows := []struct {
		name string
		f    func(x []float64) []float64
		grad func(x, dy []float64) []float64
	}{
		{"Softmax", Softmax, SoftmaxGrad},
		{"LogSoftmax", LogSoftmax, LogSoftmaxGrad},
		{"CrossEntropy", func(x []float64) []float64 { return []float64{CrossEntropy(x, 2)} },
			func(x, dy []float64) []float64 { return CrossEntropyGrad(x, 2, dy[0]) }},
	}
	for _, r := range rows {
		x := s.vector(7)
		all = append(all, differentiable{r.name, [][]float64{x}, func() []float64 { return r.f(x) },
			func(dy []float64) [][]float64 { return [][]float64{r.grad(x, dy)} }})
	}
	for _, act := range []Activation{ActReLU, ActGELU, ActGELUTanh} {
		x := s.matrix(3, 5)
		for i, v := range x.Data {
			x.Data[i] = 2*v + math.Copysign(0.1, v) // the kink of ReLU is at 0
		}
		all = append(all, differentiable{"Apply " + string(act), [][]float64{x.Data}, func() []float64 { return act.Apply(x).Data },
			func(dy []float64) [][]float64 { return [][]float64{act.ApplyGrad(x, Matrix{3, 5, dy}).Data} }})
		all = append(all, ffnOf(s, act))
	}
	for range 6 {
		all = append(all, attentionOf(s))
	}
	for _, bias := range []bool{true, false} {
		all = append(all, multiHeadOf(s, bias))
	}
	for _, norm := range []Norm{PreNorm, PostNorm} {
		all = append(all, blockOf(s, norm))
	}
	for _, r := range []Reduction{ReduceNone, ReduceSum, ReduceMean} {
		all = append(all, lossOf(s, r))
	}
	for _, name := range tinyNames {
		all = append(all, gptLossOf(s, name))
	}
	return all
}

func matMulOf(s source) differentiable {
	a, b := s.matrix(3, 4), s.matrix(4, 2)
	return differentiable{"MatMul", [][]float64{a.Data, b.Data}, func() []float64 { return MatMul(a, b).Data },
		func(dy []float64) [][]float64 {
			da, db := MatMulGrad(a, b, Matrix{3, 2, dy})
			return [][]float64{da.Data, db.Data}
		}}
}

func linearOf(s source, bias bool) differentiable {
	x, w, b := s.matrix(3, 4), s.matrix(4, 2), s.vector(2)
	name := "Linear"
	if !bias {
		name, b = "Linear without bias", nil
	}
	return differentiable{name, [][]float64{x.Data, w.Data, b}, func() []float64 { return Linear(x, w, b).Data },
		func(dy []float64) [][]float64 {
			dx, dw, db := LinearGrad(x, w, b, Matrix{3, 2, dy})
			return [][]float64{dx.Data, dw.Data, db}
		}}
}

func layerNormOf(s source) differentiable {
	x, gamma, beta := s.matrix(4, 6), s.vector(6), s.vector(6)
	const eps = 0.1 // so large that a gradient which forgets it is wrong
	return differentiable{"LayerNormRows", [][]float64{x.Data, gamma, beta}, func() []float64 { return LayerNormRows(x, gamma, beta, eps).Data },
		func(dy []float64) [][]float64 {
			dx, dgamma, dbeta := LayerNormRowsGrad(x, gamma, eps, Matrix{4, 6, dy})
			return [][]float64{dx.Data, dgamma, dbeta}
		}}
}

func embeddingOf(s source) differentiable {
	table, ids := s.matrix(5, 3), []int{4, 1, 4, 0}
	return differentiable{"Embedding", [][]float64{table.Data}, func() []float64 { return must(Embedding(ids, table)).Data },
		func(dy []float64) [][]float64 { return [][]float64{must(EmbeddingGrad(ids, 5, Matrix{4, 3, dy})).Data} }}
}

func crossEntropyOf(s source) differentiable {
	logits, targets := s.matrix(4, 5), []int{3, -1, 0, 3}
	return differentiable{"CrossEntropyRows", [][]float64{logits.Data}, func() []float64 { return must(CrossEntropyRows(logits, targets, -1)) },
		func(dy []float64) [][]float64 {
			return [][]float64{must(CrossEntropyRowsGrad(logits, targets, -1, dy)).Data}
		}}
}

func lossOf(s source, r Reduction) differentiable {
	losses, targets := s.vector(5), []int{3, -1, 0, 3, -1}
	for i, t := range targets {
		if t == -1 {
			losses[i] = 0
		}
	}
	eval := func() []float64 {
		y := slices.Clone(Reduce(losses, targets, -1, r))
		if r == ReduceNone {
			y[1], y[4] = 0, 0 // losses of ignored targets are no inputs: they are 0
		}
		return y
	}
	return differentiable{"Reduce " + string(r), [][]float64{losses}, eval,
		func(dy []float64) [][]float64 { return [][]float64{ReduceGrad(dy, targets, -1, r)} }}
}

func attentionOf(s source) differentiable {
	c := s.attention()
	return differentiable{"Attention", [][]float64{c.q.Data, c.k.Data, c.v.Data}, func() []float64 { return c.eval().Data },
		func(dy []float64) [][]float64 {
			dq, dk, dv := c.grad(dy)
			return [][]float64{dq.Data, dk.Data, dv.Data}
		}}
}

func (c attentionCase) grad(dy []float64) (dq, dk, dv Matrix) {
	return AttentionGrad(c.q, c.k, c.v, Matrix{c.q.Rows, c.v.Cols, dy}, c.scale, c.mask)
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

func multiHeadOf(s source, bias bool) differentiable {
	x, w := s.matrix(4, 6), s.mha(6, 4, 2, 2)
	cfg := MHAConfig{Heads: 4, KVHeads: 2, Scale: 0.4, Window: 3}
	name := "MultiHead"
	if !bias {
		name, w.Bq, w.Bk, w.Bv, w.Bo, cfg.Scale, cfg.Causal = "MultiHead without biases", nil, nil, nil, nil, 0, true
	}
	additive := s.vector(16)
	masks := func(head int) Mask { return Mask{Bias: additive} }
	return differentiable{name, append(w.Parameters(), x.Data), func() []float64 { return Exact.MultiHead(x, w, cfg, masks).Data },
		func(dy []float64) [][]float64 {
			dx, dw := Exact.MultiHeadGrad(x, w, cfg, masks, Matrix{4, 6, dy})
			return append(dw.Parameters(), dx.Data)
		}}
}

func ffnOf(s source, act Activation) differentiable {
	x, w := s.matrix(3, 4), FFNWeights{W1: s.matrix(4, 7), B1: s.vector(7), W2: s.matrix(7, 4), B2: s.vector(4)}
	if act == ActGELU {
		w.B1 = nil
	}
	return differentiable{"FFN " + string(act), append(w.Parameters(), x.Data), func() []float64 { return Exact.FFN(x, w, act).Data },
		func(dy []float64) [][]float64 {
			dx, dw := Exact.FFNGrad(x, w, act, Matrix{3, 4, dy})
			return append(dw.Parameters(), dx.Data)
		}}
}

func blockOf(s source, norm Norm) differentiable {
	x, w := s.matrix(4, 6), s.block(Config{DModel: 6, Heads: 2, KVHeads: 1, HeadDim: 2, FFN: 5})
	cfg := BlockConfig{Norm: norm, MHA: MHAConfig{Heads: 2, KVHeads: 1, Causal: true}, Activation: ActGELUTanh, Eps: 0.1}
	return differentiable{"Block " + string(norm), append(w.Parameters(), x.Data), func() []float64 { return Exact.Block(x, w, cfg).Data },
		func(dy []float64) [][]float64 {
			dx, dw := Exact.BlockGrad(x, w, cfg, Matrix{4, 6, dy})
			return append(dw.Parameters(), dx.Data)
		}}
}

func gptLossOf(s source, name string) differentiable {
	cfg := must(ConfigByName(name))
	w := s.gpt(cfg)
	ids, targets := []int{3, 1, 4, 1, 5}, []int{1, 4, -100, 5, 0}
	return differentiable{"GPTLoss " + name, w.Parameters(), func() []float64 { return must(Exact.GPTLoss(ids, targets, -100, w, cfg)) },
		func(dy []float64) [][]float64 {
			return must(Exact.GPTLossGrad(ids, targets, -100, dy, w, cfg)).Parameters()
		}}
}

// Every gradient is that of central differences.
//
// With L = sum_j dy_j y_j, a difference over 2h has the error h^2/6 |L”'| and the rounding of L, about 2^-53 |L| / h. At h = 1e-4 and with
// inputs of size 1 that is a few 1e-9 of L's and its derivatives' size, of which |L| + max |grad| is a measure.
func TestGradientsAreCentralDifferences(t *testing.T) {
	const h, tolerance = 1e-4, 1e-6
	for _, d := range differentiables(newSource(11)) {
		dy := newSource(12).vector(len(d.eval()))
		loss := func() float64 { return dot(d.eval(), dy) }
		worst := 0.0
		grads := d.grad(dy)
		if len(grads) != len(d.inputs) {
			t.Fatalf("%s: %d gradients of %d inputs", d.name, len(grads), len(d.inputs))
		}
		for n, x := range d.inputs {
			at := slices.Clone(x)
			if len(grads[n]) != len(x) {
				t.Fatalf("%s: gradient %d has %d elements, its input %d", d.name, n, len(grads[n]), len(x))
			}
			if len(x) == 0 {
				continue
			}
			want := fd.Gradient(nil, func(x []float64) float64 {
				copy(d.inputs[n], x)
				return loss()
			}, at, &fd.Settings{Formula: fd.Central, Step: h})
			copy(x, at)
			scale := math.Abs(loss())
			for _, g := range grads[n] {
				scale = max(scale, math.Abs(g))
			}
			for i, w := range want {
				err := math.Abs(grads[n][i]-w) / scale
				worst = max(worst, err)
				if !(err <= tolerance) {
					t.Errorf("%s: gradient %d[%d] is %v, central differences give %v", d.name, n, i, grads[n][i], w)
				}
			}
		}
		t.Logf("%-30s worst %.1e", d.name, worst)
	}
}
