package reference

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// failer is what testing.T and rapid.T have in common here.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// sameBits fails unless got and want are the same numbers; NaN equals NaN, -0 equals 0.
func sameBits(t failer, got, want []float64) {
	t.Helper()
	within(t, got, want, 0)
}

// within fails unless each |got - want| <= units * 2^-53 * (largest finite |want|). NaN and infinities must agree in kind.
func within(t failer, got, want []float64, units float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d elements, want %d", len(got), len(want))
	}
	scale := 0.0
	for _, w := range want {
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			scale = max(scale, math.Abs(w))
		}
	}
	for i, w := range want {
		if got[i] == w || (math.IsNaN(got[i]) && math.IsNaN(w)) {
			continue
		}
		if err := math.Abs(got[i] - w); !(err <= units*0x1p-53*scale) {
			t.Fatalf("element %d is %v, want %v: off by %.3g units, %v allowed", i, got[i], w, err/(0x1p-53*scale), units)
		}
	}
}

// join concatenates the data of matrices.
func join(parts ...Matrix) (data []float64) {
	for _, p := range parts {
		data = append(data, p.Data...)
	}
	return data
}

// rowsOf builds a matrix from its rows.
func rowsOf(rows ...[]float64) Matrix {
	m := NewMatrix(len(rows), len(rows[0]))
	for i, r := range rows {
		copy(m.Row(i), r)
	}
	return m
}

// rowRange returns rows lo to hi-1, a copy.
func rowRange(m Matrix, lo, hi int) Matrix {
	return Matrix{hi - lo, m.Cols, append([]float64(nil), m.Data[lo*m.Cols:hi*m.Cols]...)}
}

func filled(n int, x float64) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = x
	}
	return y
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// panics runs f and returns the message that it panicked with.
func panics(f func()) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

// source makes random inputs.
type source struct{ *rand.Rand }

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 0))} }

// drawSource lets rapid choose the seed, so that a failure is reported with it and can be replayed.
func drawSource(t *rapid.T) source { return newSource(rapid.Uint64().Draw(t, "seed")) }

func (s source) vector(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = s.NormFloat64()
	}
	return x
}

func (s source) matrix(rows, cols int) Matrix { return Matrix{rows, cols, s.vector(rows * cols)} }

func (s source) heads(n, rows, cols int) []Matrix {
	m := make([]Matrix, n)
	for i := range m {
		m[i] = s.matrix(rows, cols)
	}
	return m
}

func (s source) ids(n, vocab int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = s.IntN(vocab)
	}
	return ids
}

func (s source) mha(d, heads, kvHeads, headDim int) MHAWeights {
	return MHAWeights{
		Wq: s.matrix(d, heads*headDim), Wk: s.matrix(d, kvHeads*headDim), Wv: s.matrix(d, kvHeads*headDim), Wo: s.matrix(heads*headDim, d),
		Bq: s.vector(heads * headDim), Bk: s.vector(kvHeads * headDim), Bv: s.vector(kvHeads * headDim), Bo: s.vector(d),
	}
}

func (s source) block(cfg Config) BlockWeights {
	d := cfg.DModel
	return BlockWeights{
		LN1Gamma: s.vector(d), LN1Beta: s.vector(d), LN2Gamma: s.vector(d), LN2Beta: s.vector(d),
		Attn: s.mha(d, cfg.Heads, cfg.KVHeads, cfg.HeadDim),
		FFN:  FFNWeights{W1: s.matrix(d, cfg.FFN), B1: s.vector(cfg.FFN), W2: s.matrix(cfg.FFN, d), B2: s.vector(d)},
	}
}

func (s source) gpt(cfg Config) GPTWeights {
	w := GPTWeights{Wte: s.matrix(cfg.Vocab, cfg.DModel)}
	for range cfg.Layers {
		w.Blocks = append(w.Blocks, s.block(cfg))
	}
	if cfg.Positions == PositionsLearned {
		w.Wpe = s.matrix(cfg.Ctx, cfg.DModel)
	}
	if cfg.Norm == PreNorm {
		w.LNfGamma, w.LNfBeta = s.vector(cfg.DModel), s.vector(cfg.DModel)
	}
	if !cfg.Tied {
		w.Wout = s.matrix(cfg.DModel, cfg.Vocab)
	}
	return w
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

func rowOf(f func(float64) float64) func([]float64) []float64 {
	return func(x []float64) []float64 {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = f(v)
		}
		return y
	}
}

// special is a result where an input is special, and what it must be.
type special struct {
	name      string
	got, want []float64
}

func checkSpecials(t *testing.T, of []special) {
	t.Helper()
	for _, tt := range of {
		t.Run(tt.name, func(t *testing.T) { within(t, tt.got, tt.want, 4) })
	}
}
