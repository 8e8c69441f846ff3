package mutant

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestSumsOfIntegersAreExact(t *testing.T) {
	sums := map[string]func(x, y []float32) float32{
		"forward": forward, "reversed": reversed, "pairwise": pairwise, "blocked": blocked, "fused": fused, "float64": wide, "11 bits": narrow(11),
	}
	for name, dot := range sums {
		t.Run(name, func(t *testing.T) {
			for n := range 40 {
				x, y := make([]float32, n), make([]float32, n)
				want := float32(0)
				for i := range x {
					x[i], y[i] = float32(i%5-2), float32(i%7-3)
					want += x[i] * y[i]
				}
				if got := dot(x, y); got != want {
					t.Errorf("%d terms: got %v, want %v", n, got, want)
				}
			}
		})
	}
}

// The strategies must round differently, or they are one variant under several names.
func TestSumsDiffer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float32, 1000), make([]float32, 1000)
	for i := range x {
		x[i], y[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	seen := map[float32]string{}
	for name, dot := range map[string]func(x, y []float32) float32{
		"forward": forward, "reversed": reversed, "pairwise": pairwise, "blocked": blocked, "fused": fused, "float64": wide,
	} {
		got := dot(x, y)
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s both give %v", name, other, got)
		}
		seen[got] = name
	}
}

func TestSignificantIsBFloat16(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 10000 {
		x := math.Float32frombits(r.Uint32())
		got, want := significant(x, 8), float32(op.BFloat16Format.Round(float64(x)))
		if got != want && (got == got || want == want) {
			t.Fatalf("%v: got %v, want %v", x, got, want)
		}
	}
	for _, tt := range []struct{ x, want float32 }{ // 11 bits: ties to even around 2048
		{2048, 2048}, {2049, 2048}, {2050, 2050}, {2051, 2052}, {-2051, -2052}, {inf, inf}, {math.MaxFloat32, inf}, {0, 0},
	} {
		if got := significant(tt.x, 11); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.x, got, tt.want)
		}
	}
}

func TestFloat64IsUnsupported(t *testing.T) {
	k, err := correct().Open(op.Spec{Op: "relu"})
	if err != nil {
		t.Fatal(err)
	}
	x, y := op.New(op.F64, 3), op.New(op.F64, 3)
	if err := k.Run([]op.Tensor{y}, []op.Tensor{x}); !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("Run: got %v", err)
	}
	if _, err := correct().Open(op.Spec{Op: "linear", Const: []op.Tensor{op.New(op.F64, 2, 2), {}}}); !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("Open: got %v", err)
	}
}

func TestCacheRefusesOtherShapes(t *testing.T) {
	k, err := correct().Open(op.Spec{Op: "attention.cached", Attrs: []byte(`{"capacity":4}`)})
	if err != nil {
		t.Fatal(err)
	}
	step := func(batch, heads, headDim int, pos int64) error {
		q := op.New(op.F32, batch, heads, 1, headDim)
		return k.Run([]op.Tensor{op.New(op.F32, batch, heads, 1, headDim)}, []op.Tensor{q, q, q, op.Int64([]int64{pos}), {}})
	}
	if err := step(2, 2, 3, 0); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ batch, heads, headDim int }{{1, 2, 3}, {2, 1, 3}, {2, 2, 4}} {
		if err := step(tt.batch, tt.heads, tt.headDim, 1); !errors.Is(err, op.ErrShape) {
			t.Errorf("batch %d, %d heads, head dim %d: got %v", tt.batch, tt.heads, tt.headDim, err)
		}
	}
	if err := step(2, 2, 3, 1); err != nil {
		t.Errorf("the step after: %v", err)
	}
}
