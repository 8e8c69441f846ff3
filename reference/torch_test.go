package reference

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTorch compares the reference with float64 outputs of PyTorch, read from $ASSAY_THIRDPARTY/vectors/torch/*.json.
//
// Both sides evaluate the same formulas in float64 in different orders, so they differ by rounding only: the bound is
// tolerance * 2^-53 * (|want| + the largest |want| of the tensor). The worst cases measured are 12 of these units (AdamW with
// a rate of 0.1: PyTorch forms 1 - beta2^t, which cancels) and 4.2 (a model of two layers); a wrong constant, such as eps = 1e-6 for 1e-5, is off by millions.
func TestTorch(t *testing.T) {
	const tolerance = 16

	dir := os.Getenv("ASSAY_THIRDPARTY")
	if dir == "" {
		if os.Getenv("ASSAY_REQUIRE_THIRDPARTY") == "1" {
			t.Fatal("ASSAY_REQUIRE_THIRDPARTY=1 and ASSAY_THIRDPARTY is not set: set it to the directory that holds vectors/torch")
		}
		t.Skip("not run: ASSAY_THIRDPARTY is not set; it names the directory that holds vectors/torch/*.json")
	}
	files, err := filepath.Glob(filepath.Join(dir, "vectors", "torch", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	ran, graded := map[string]int{}, map[string]int{}
	for _, file := range files {
		if filepath.Base(file) == "manifest.json" {
			continue
		}
		c := readTorchCase(t, file)
		if torchOps[c.Op] == nil {
			t.Errorf("%s: op %s is not an operation of this package", filepath.Base(file), c.Op)
			continue
		}
		ran[c.Op]++
		t.Run(c.Name, func(t *testing.T) {
			worst := 0.0
			for name, got := range torchOps[c.Op](c) {
				worst = max(worst, c.compare(t, name, got, tolerance))
			}
			t.Logf("worst difference: %.2g units", worst)
			if len(c.Grads) == 0 {
				return
			}
			grads, worst := torchGrads[c.Op](c), 0.0
			for _, want := range c.Grads {
				worst = max(worst, c.compare(t, want.Name, grads[want.Name], torchGradTolerance(c)))
			}
			t.Logf("worst difference of %d gradients: %.2g units", len(c.Grads), worst)
			graded[c.Op]++
		})
	}
	for op := range torchGrads {
		if graded[op] == 0 {
			t.Errorf("no gradient of op %s was read from %d files under %s", op, len(files), dir)
		}
	}
	for op := range torchOps {
		if ran[op] == 0 {
			t.Errorf("no case of op %s was read from %d files under %s", op, len(files), dir)
		}
	}
}

// compare fails the test where an output or gradient is off by more than tolerance units, and returns the largest difference.
func (c torchCase) compare(t *testing.T, name string, got []float64, tolerance float64) (worst float64) {
	t.Helper()
	want := c.find(name).floats()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", name, len(got), len(want))
	}
	scale := torchCancels(c)
	for _, w := range want {
		if !math.IsInf(w, 0) {
			scale = max(scale, math.Abs(w))
		}
	}
	for i, w := range want {
		if sameKind := got[i] == w; sameKind {
			continue
		}
		ratio := math.Abs(got[i]-w) / (0x1p-53 * (math.Abs(w) + scale))
		if !(ratio <= tolerance) {
			t.Errorf("%s[%d] = %v, PyTorch has %v: %.3g units, %v allowed", name, i, got[i], w, ratio, tolerance)
		}
		worst = max(worst, ratio)
	}
	return worst
}

// torchCancels returns the magnitude that PyTorch cancels on the way to an output, where that is more than the output.
// It forms LayerNorm as x/sigma - mu/sigma. With d = 1 these are equal, and 316 |x| each; the answer is beta, exactly.
func torchCancels(c torchCase) float64 {
	if c.Name != "layer_norm_d1" {
		return 0
	}
	x, eps := c.vector("x"), c.Attributes["eps"].(float64)
	return maximum(rowOf(math.Abs)(x)) / math.Sqrt(eps)
}

// torchOps evaluates each operation with the reference: output name -> data.
var torchOps = map[string]func(c torchCase) map[string][]float64{
	"softmax":     func(c torchCase) map[string][]float64 { return torchRows(c, Softmax) },
	"log_softmax": func(c torchCase) map[string][]float64 { return torchRows(c, LogSoftmax) },
	"relu":        func(c torchCase) map[string][]float64 { return torchRows(c, rowOf(ReLU)) },
	"gelu": func(c torchCase) map[string][]float64 {
		if c.Attributes["approximate"] == "tanh" {
			return torchRows(c, rowOf(GELUTanh))
		}
		return torchRows(c, rowOf(GELU))
	},
	"layer_norm": func(c torchCase) map[string][]float64 {
		x := c.matrix("x")
		gamma, beta := filled(x.Cols, 1), filled(x.Cols, 0)
		if c.find("weight") != nil {
			gamma, beta = c.vector("weight"), c.vector("bias")
		}
		return map[string][]float64{"y": LayerNormRows(x, gamma, beta, c.Attributes["eps"].(float64)).Data}
	},
	"linear": func(c torchCase) map[string][]float64 {
		return map[string][]float64{"y": Linear(c.matrix("x"), c.weight("weight"), c.vector("bias")).Data}
	},
	"matmul": func(c torchCase) map[string][]float64 {
		a, b := c.find("a").matrices(), c.find("b").matrices()
		if c.Name == "matmul_broadcast" { // [2,1,3,4] x [3,4,2]
			return map[string][]float64{"y": join(
				MatMul(a[0], b[0]), MatMul(a[0], b[1]), MatMul(a[0], b[2]),
				MatMul(a[1], b[0]), MatMul(a[1], b[1]), MatMul(a[1], b[2]))}
		}
		var products []Matrix
		for i := range a {
			products = append(products, MatMul(a[i], b[i]))
		}
		return map[string][]float64{"y": join(products...)}
	},
	"embedding": func(c torchCase) map[string][]float64 {
		return map[string][]float64{"y": must(Embedding(c.find("ids").ints(), c.matrix("weight"))).Data}
	},
	"ffn": func(c torchCase) map[string][]float64 {
		w := FFNWeights{W1: c.weight("w1"), B1: c.vector("b1"), W2: c.weight("w2"), B2: c.vector("b2")}
		return map[string][]float64{"y": Exact.FFN(c.matrix("x"), w, c.activation()).Data}
	},
	"sdpa":          torchAttention,
	"mha":           torchMultiHead,
	"decoder_layer": torchBlock,
	"tiny_lm":       torchGPT,
	"cross_entropy": torchCrossEntropy,

	"adam":             torchAdam,
	"adamw":            torchAdam,
	"sgd":              torchSGD,
	"clip_grad_norm":   torchClip,
	"cosine_annealing": torchCosine,
	"warmup_cosine":    torchWarmupCosine,
	"init_bounds":      torchInit,
}

func torchRows(c torchCase, f func([]float64) []float64) map[string][]float64 {
	x := c.matrix("x")
	var y []float64
	for i := range x.Rows {
		y = append(y, f(x.Row(i))...)
	}
	return map[string][]float64{"y": y}
}

func torchAttention(c torchCase) map[string][]float64 {
	q, k, v := c.find("q").matrices(), c.find("k").matrices(), c.find("v").matrices()
	scale, masks := c.attention()
	var y []Matrix
	for i := range q {
		y = append(y, Attention(q[i], k[i], v[i], scale, masks[i]))
	}
	// The mask is also said by Causal, whose alignment is the bottom right.
	if strings.Contains(c.Name, "bottomright") {
		for i := range q {
			if !slices.Equal(y[i].Data, Attention(q[i], k[i], v[i], scale, Mask{Causal: true}).Data) {
				panic("a causal mask is not PyTorch's bottom-right mask")
			}
		}
	}
	return map[string][]float64{"y": join(y...)}
}

// attention returns the scale and the mask of each head of each batch item.
func (c torchCase) attention() (scale float64, masks []Mask) {
	q, k := c.find("q").matrices(), c.find("k").matrices()
	seqQ, seqK := q[0].Rows, k[0].Rows
	scale = c.Attributes["scale"].(float64)
	if scale != Scale(q[0].Cols) {
		panic("the scale of " + c.Name + " is not the default")
	}
	masks = make([]Mask, len(q))
	if given := c.find("attn_mask"); given != nil {
		per := seqQ * seqK
		for i := range masks {
			data := given.floats()
			data = data[(i*per)%len(data):][:per]
			if c.Name == "sdpa_floatmask" {
				masks[i].Bias = data
				continue
			}
			masks[i].Allow = make([]bool, per)
			for n, x := range data {
				masks[i].Allow[n] = x != 0
			}
		}
	}
	if c.Attributes["is_causal"].(bool) { // PyTorch aligns top-left: only the first seqQ keys can be seen
		for i := range masks {
			masks[i].Allow = make([]bool, seqQ*seqK)
			for row := range seqQ {
				for j := range min(row+1, seqK) {
					masks[i].Allow[row*seqK+j] = true
				}
			}
		}
	}
	return scale, masks
}

func torchMultiHead(c torchCase) map[string][]float64 {
	w, heads := c.mha(""), c.integer("num_heads")
	kv := c.find("key_value")
	var y []Matrix
	for b, x := range c.find("query").matrices() {
		if kv == nil {
			cfg := MHAConfig{Heads: heads, Causal: c.Attributes["mask"] == "causal"}
			y = append(y, Exact.MultiHead(x, w, cfg, nil))
			continue
		}
		// Cross-attention is outside SPEC.md; its parts are not.
		q := SplitHeads(Linear(x, w.Wq, w.Bq), heads)
		k := SplitHeads(Linear(kv.matrices()[b], w.Wk, w.Bk), heads)
		v := SplitHeads(Linear(kv.matrices()[b], w.Wv, w.Bv), heads)
		o := GroupedAttention(q, k, v, Scale(q[0].Cols), func(int) Mask { return Mask{} })
		y = append(y, Linear(MergeHeads(o), w.Wo, w.Bo))
	}
	return map[string][]float64{"y": join(y...)}
}

func torchBlock(c torchCase) map[string][]float64 {
	var y []Matrix
	for _, x := range c.find("x").matrices() {
		y = append(y, Exact.Block(x, c.block(""), c.blockConfig()))
	}
	return map[string][]float64{"y": join(y...)}
}

func (c torchCase) blockConfig() BlockConfig {
	return BlockConfig{
		Norm: c.norm(), Activation: c.activation(), Eps: c.Attributes["layer_norm_eps"].(float64),
		MHA: MHAConfig{Heads: c.integer("num_heads"), Causal: c.Attributes["causal"].(bool)},
	}
}

func torchGPT(c torchCase) map[string][]float64 {
	w, cfg := c.gpt()
	ids, targets := c.find("ids").ints(), c.find("targets").ints()
	ignore, n := c.integer("ignore_index"), cfg.Ctx
	var logits []Matrix
	var losses []float64
	for at := 0; at < len(ids); at += n {
		logits = append(logits, must(Exact.GPT(ids[at:at+n], w, cfg)))
		losses = append(losses, must(Exact.GPTLoss(ids[at:at+n], targets[at:at+n], ignore, w, cfg))...)
	}
	return map[string][]float64{
		"logits": join(logits...),
		"loss":   Reduce(losses, targets, ignore, Reduction(c.Attributes["reduction"].(string))),
	}
}

// gpt returns the model of a case. Its sequences are as long as its context.
func (c torchCase) gpt() (GPTWeights, Config) {
	d, heads := c.integer("d_model"), c.integer("num_heads")
	cfg := Config{
		Vocab: c.integer("vocab"), Ctx: c.integer("seq"), DModel: d, Layers: c.integer("num_layers"), Heads: heads, HeadDim: d / heads,
		FFN: c.integer("d_ff"), Norm: c.norm(), Activation: c.activation(), Eps: 1e-5,
		Positions: Positions(c.Attributes["positions"].(string)), Tied: c.Attributes["tied_head"].(bool),
	}
	w := GPTWeights{Wte: c.matrix("wte")}
	for l := range cfg.Layers {
		w.Blocks = append(w.Blocks, c.block(fmt.Sprintf("layers.%d.", l)))
	}
	if cfg.Positions == PositionsLearned {
		w.Wpe = c.matrix("wpe")
	}
	if cfg.Norm == PreNorm {
		w.LNfGamma, w.LNfBeta = c.vector("ln_f.weight"), c.vector("ln_f.bias")
	}
	if !cfg.Tied {
		w.Wout = c.weight("head.weight")
	}
	return w, cfg
}

func torchCrossEntropy(c torchCase) map[string][]float64 {
	if m, ok := c.mixture(); ok {
		return map[string][]float64{"loss": m.loss()}
	}
	targets, ignore := c.find("target").ints(), c.integer("ignore_index")
	losses := must(CrossEntropyRows(c.logits(), targets, ignore))
	return map[string][]float64{"loss": Reduce(losses, targets, ignore, Reduction(c.Attributes["reduction"].(string)))}
}

// logits returns one row for each target.
func (c torchCase) logits() (logits Matrix) {
	in := c.find("logits")
	if len(in.Shape) == 2 {
		return in.matrix()
	}
	for _, m := range in.matrices() { // [N, V, L]: the class dimension comes second
		logits = Matrix{logits.Rows + m.Cols, m.Rows, append(logits.Data, m.T().Data...)}
	}
	return logits
}
