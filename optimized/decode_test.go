package optimized_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

// coarse returns logits of few values, so that many are equal, and some -Inf.
func coarse(r *rand.Rand, rows, vocab int) op.Tensor {
	x := op.New(op.F32, rows, vocab)
	for i := range x.F32 {
		if x.F32[i] = float32(r.IntN(9)) / 2; r.IntN(5) == 0 {
			x.F32[i] = float32(math.Inf(-1))
		}
		if i%vocab == 0 {
			x.F32[i] = 1
		}
	}
	return x
}

func TestChoosingAgainstTheReference(t *testing.T) {
	r := newRand(t)
	draws := func(n int) op.Tensor {
		d := op.New(op.I64, n)
		for i := range d.I64 {
			d.I64[i] = int64(r.Uint32())
		}
		return d
	}
	for range 200 {
		vocab := 1 + r.IntN(1+r.IntN(300))
		ties, distinct := coarse(r, 3, vocab), normal(r, 2, 3, vocab)
		agrees(t, spec("greedy", "{}"), ties)
		for _, a := range []op.SamplingAttrs{
			{Temperature: 1, TopK: r.IntN(vocab + 3), TopP: 1},
			{Temperature: 0.5 + r.Float64(), TopK: r.IntN(vocab + 3), TopP: r.Float64()},
			{Temperature: 1, TopP: r.Float64()},
			{Temperature: 0, TopP: 0.5},
		} {
			attrs, _ := json.Marshal(a)
			agrees(t, spec("distribution", string(attrs)), distinct)
			agrees(t, spec("sample", string(attrs)), distinct, draws(3))
			if a.TopP == 1 {
				agrees(t, spec("distribution", string(attrs)), ties)
				agrees(t, spec("sample", string(attrs)), ties, draws(3))
			}
		}
	}
}

// Choosing does not allocate, and neither does generating.
func TestChoosingDoesNotAllocate(t *testing.T) {
	r := newRand(t)
	logits, draws := normal(r, 2, 4, 500), ids(r, 1<<32, 4)
	for _, workers := range []int{1, 3} {
		for _, tt := range []struct {
			s   op.Spec
			src []op.Tensor
		}{
			{spec("greedy", "{}"), []op.Tensor{logits}},
			{spec("sample", `{"temperature":0.8,"top_k":40,"top_p":0.9}`), []op.Tensor{logits, draws}},
			{spec("sample", `{"top_p":0.9}`), []op.Tensor{logits, draws}},
			{spec("distribution", "{}"), []op.Tensor{logits}},
		} {
			k := open(t, optimized.New(optimized.Workers(workers)), tt.s)
			dst, err := op.Shapes(tt.s, tt.src, op.F32)
			if err != nil {
				t.Fatal(err)
			}
			step := func() {
				if err := k.Run(dst, tt.src); err != nil {
					t.Fatal(err)
				}
			}
			step()
			if n := testing.AllocsPerRun(20, step); n != 0 {
				t.Errorf("%s %s, %d workers: Run allocates %v times", tt.s.Op, tt.s.Attrs, workers, n)
			}
		}
	}
	w, a, _ := testModel(t)
	a.Strategy, a.MaxNew = "sample", 140
	g, err := optimized.NewGenerator(w, a)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Begin([]int64{1}); err != nil {
		t.Fatal(err)
	}
	next := func() {
		if _, err := g.Next(1 << 31); err != nil {
			t.Fatal(err)
		}
	}
	for range 60 {
		next()
	}
	if n := testing.AllocsPerRun(70, next); n != 0 {
		t.Errorf("Next allocates %v times", n)
	}
}
