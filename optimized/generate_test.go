package optimized_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

// Prompts and new tokens cross the pages of the cache.
func TestGenerateAgainstTheReference(t *testing.T) {
	t.Parallel()
	m := modelSize{vocab: 23, ctx: 90, layers: 2, d: 16, hd: 16, gd: 8, f: 24}
	for i := range 12 {
		r := newRand(t)
		r.Uint64N(uint64(i + 1))
		c := gptConst(r, m, true, true, true)
		attrs := fmt.Sprintf(`{"heads":4,"kv_heads":2,"windows":[0,40],"max_new":%d`, 6+i%3)
		prompt := ids(r, m.vocab, 2, []int{1, 30, 60, 63}[i%4])
		switch i % 3 {
		case 0:
			agrees(t, spec("gpt.generate", attrs+`,"end":[3,5]}`, c...), prompt, absent)
		case 1:
			draws := op.New(op.I64, 2, 6+i%3)
			for j := range draws.I64 {
				draws.I64[j] = int64(r.Uint32())
			}
			agrees(t, spec("gpt.generate", attrs+`,"strategy":"sample","temperature":1.3,"top_k":9,"top_p":0.9,"end":[3,5]}`, c...), prompt, draws)
		case 2:
			agrees(t, spec("gpt.generate", attrs+`,"strategy":"beam",`+beamAttrs(r, m.vocab)[1:]+"}", c...), prompt, absent)
		}
	}
}

// A kernel is a function: what it generated before changes nothing. Nor does the number of workers.
func TestGenerateKeepsNothing(t *testing.T) {
	m := modelSize{vocab: 23, ctx: 200, layers: 2, d: 64, hd: 64, gd: 64, f: 256}
	r := newRand(t)
	s := spec("gpt.generate", `{"heads":4,"strategy":"beam","form":"hf","beams":4,"max_new":9,"length_penalty":1,"end":[3]}`, gptConst(r, m, true, true, true)...)
	long, short := ids(r, m.vocab, 3, 150), ids(r, m.vocab, 1, 3)
	k := open(t, optimized.New(optimized.Workers(3)), s)
	for range 2 {
		for _, prompt := range []op.Tensor{long, short} {
			want := allResults(t, optimized.New(optimized.Workers(1)), s, op.F32, prompt, absent)
			got, err := op.Shapes(s, []op.Tensor{prompt, absent}, op.F32)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Run(got, []op.Tensor{prompt, absent}); err != nil {
				t.Fatal(err)
			}
			same(t, got[2], want[2])
			if !slices.Equal(got[0].I64, want[0].I64) {
				t.Fatalf("got %v, want %v", got[0].I64, want[0].I64)
			}
		}
	}
}

func testModel(t testing.TB) (w op.GPTWeights, a op.GPTGenerateAttrs, consts []op.Tensor) {
	m := modelSize{vocab: 40, ctx: 150, layers: 1, d: 128, hd: 128, gd: 128, f: 512}
	consts = gptConst(newRand(t), m, true, true, true)
	for i, p := range optimized.Fields(&w) {
		*p = consts[i]
	}
	return w, op.GPTGenerateAttrs{
		GPTAttrs:      op.GPTAttrs{Heads: 8, Norm: "pre", Activation: "gelu", Eps: 1e-5, Positions: "learned"},
		SamplingAttrs: op.SamplingAttrs{Temperature: 1, TopP: 1},
		BeamAttrs:     op.BeamAttrs{Form: "textbook", Beams: 1, Penalty: "length", EarlyStopping: "false"},
		Strategy:      "greedy", MaxNew: 8,
	}, consts
}

// A generator gives the tokens and scores of the op gpt.generate.
func TestGenerator(t *testing.T) {
	w, a, consts := testModel(t)
	draws := []int64{5, 1 << 31, 1<<32 - 1, 77 << 24, 123456789, 0, 3 << 30, 1 << 20}
	for _, strategy := range []string{"greedy", "sample"} {
		a.Strategy, a.End = strategy, nil
		g, err := optimized.NewGenerator(w, a)
		if err != nil {
			t.Fatal(err)
		}
		for _, prompt := range [][]int64{{1, 2, 3}, {7}} { // a second Begin forgets the first
			src := []op.Tensor{op.Int64(prompt, 1, len(prompt)), {}}
			if strategy == "sample" {
				src[1] = op.Int64(draws, 1, 8)
			}
			attrs, _ := json.Marshal(a)
			want := allResults(t, optimized.New(), spec("gpt.generate", string(attrs), consts...), op.F32, src...)
			if err := g.Begin(prompt); err != nil {
				t.Fatal(err)
			}
			score := 0.0
			for n, id := range want[0].I64 {
				token, err := g.Next(uint32(draws[n]))
				if err != nil || token.ID != id {
					t.Fatalf("%s: token %d is %+v, %v: want %d", strategy, n, token, err, id)
				}
				score += token.Log
			}
			if float32(score) != want[2].F32[0] {
				t.Errorf("%s: logarithms sum to %v, the score is %v", strategy, score, want[2].F32[0])
			}
			if _, err := g.Next(0); !errors.Is(err, op.ErrCapacity) {
				t.Errorf("after max_new tokens: got %v, want ErrCapacity", err)
			}
		}
		a.End = []int{int(draws[0])}
	}
}

func TestGeneratorErrors(t *testing.T) {
	w, a, _ := testModel(t)
	g, err := optimized.NewGenerator(w, a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Next(0); !errors.Is(err, op.ErrShape) {
		t.Errorf("Next before Begin: got %v", err)
	}
	for _, tt := range []struct {
		prompt []int64
		is     error
	}{{nil, op.ErrShape}, {[]int64{40}, op.ErrIndex}, {[]int64{-1}, op.ErrIndex}, {make([]int64, 144), op.ErrPosition}, {make([]int64, 143), nil}} {
		if err := g.Begin(tt.prompt); !errors.Is(err, tt.is) {
			t.Errorf("a prompt of %d: got %v, want %v", len(tt.prompt), err, tt.is)
		}
	}
	for name, edit := range map[string]func(*op.GPTGenerateAttrs, *op.GPTWeights){
		"beams":            func(a *op.GPTGenerateAttrs, _ *op.GPTWeights) { a.Strategy = "beam" },
		"no such strategy": func(a *op.GPTGenerateAttrs, _ *op.GPTWeights) { a.Strategy = "best" },
		"no tokens":        func(a *op.GPTGenerateAttrs, _ *op.GPTWeights) { a.MaxNew = 0 },
		"missing weights":  func(_ *op.GPTGenerateAttrs, w *op.GPTWeights) { w.Wq = op.Tensor{} },
	} {
		a, w := a, w
		edit(&a, &w)
		if _, err := optimized.NewGenerator(w, a); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
