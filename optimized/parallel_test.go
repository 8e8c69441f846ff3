package optimized_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

// Results are the same bits for any number of workers.
func TestWorkersDoNotShow(t *testing.T) {
	r := newRand(t)
	m := modelSize{vocab: 300, ctx: 200, layers: 1, d: 48, hd: 48, gd: 24, f: 100}
	x := normal(r, 1, 2, 4, 200, 16)
	calls := []struct {
		s   op.Spec
		src []op.Tensor
	}{
		{spec("matmul", ""), []op.Tensor{normal(r, 1, 201, 300), normal(r, 1, 300, 197)}},
		{spec("matmul", ""), []op.Tensor{normal(r, 1, 1, 700), normal(r, 1, 700, 997)}},
		{spec("softmax", ""), []op.Tensor{normal(r, 5, 70, 1001)}},
		{spec("attention", `{"causal":true}`), []op.Tensor{x, x, x, absent}},
		{spec("gpt", `{"heads":4,"kv_heads":2}`, gptConst(r, m, true, true, false)...), []op.Tensor{ids(r, m.vocab, 2, 200)}},
		{spec("gpt.loss", `{"heads":4,"kv_heads":2}`, gptConst(r, m, true, true, false)...), []op.Tensor{ids(r, m.vocab, 2, 200), ids(r, m.vocab, 2, 200)}},
	}
	dx, block := normal(r, 1, 2, 70, 48), blockConst(r, nil, 48, 48, 24, 100)
	calls = append(calls, []struct {
		s   op.Spec
		src []op.Tensor
	}{
		{spec("matmul.grad", ""), []op.Tensor{normal(r, 1, 201, 300), normal(r, 1, 300, 197), normal(r, 1, 201, 197)}},
		{spec("softmax.grad", ""), []op.Tensor{normal(r, 5, 70, 1001), normal(r, 1, 70, 1001)}},
		{spec("attention.grad", `{"causal":true}`), []op.Tensor{x, x, x, absent, x}},
		{spec("embedding.grad", "", normal(r, 1, 9, 300)), []op.Tensor{ids(r, 9, 500), normal(r, 1, 500, 300)}},
		{spec("block.grad", `{"heads":4,"kv_heads":2,"causal":true}`, block...), []op.Tensor{dx, dx}},
		{spec("gpt.loss.grad", `{"heads":4,"kv_heads":2}`, gptConst(r, m, true, true, false)...), []op.Tensor{ids(r, m.vocab, 2, 200), ids(r, m.vocab, 2, 200), normal(r, 1)}},
	}...)
	for _, c := range calls {
		want := results(t, op.F32, open(t, optimized.New(optimized.Workers(1)), c.s), c.s, c.src...)
		for _, workers := range []int{2, 3, 7} {
			t.Run(fmt.Sprintf("%s/workers=%d", c.s.Op, workers), func(t *testing.T) {
				for i, got := range results(t, op.F32, open(t, optimized.New(optimized.Workers(workers)), c.s), c.s, c.src...) {
					same(t, got, want[i])
				}
			})
		}
	}
}

// Goroutines end with the call that started them.
func TestNoGoroutineOutlivesACall(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRand(t)
	s := spec("matmul", "")
	k := open(t, optimized.New(optimized.Workers(8)), s)
	for range 20 {
		run(t, k, s, normal(r, 1, 100, 100), normal(r, 1, 100, 100))
	}
	for range 1 << 20 { // the last steps of a goroutine come after the call
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func BenchmarkRows(b *testing.B) {
	r := newRand(b)
	const rows, n = 64, 3072
	x := normal(r, 2, rows, n)
	for _, s := range []op.Spec{
		spec("softmax", ""), spec("gelu", ""), spec("gelu", `{"approximate":"tanh"}`), spec("layernorm", "", normal(r, 1, n), normal(r, 1, n)),
	} {
		b.Run(s.Op+string(s.Attrs), func(b *testing.B) {
			bench(b, 1, 0, s, x)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(rows*n), "ns/element")
		})
	}
}

// trainCalls are calls of the ops of training on tensors so large that their work is shared out.
func trainCalls(t *testing.T) []struct {
	s   op.Spec
	src []op.Tensor
} {
	r := newRand(t)
	const n = 90001
	x, rate := normal(r, 1, n), op.Float32([]float32{0.125})
	draws := op.New(op.I64, 300, 301, 2)
	for i := range draws.I64 {
		draws.I64[i] = int64(r.Uint32())
	}
	return []struct {
		s   op.Spec
		src []op.Tensor
	}{
		{spec("init", `{"scheme":"kaiming_normal"}`), []op.Tensor{draws}},
		{spec("adam", `{"weight_decay":0.1,"decoupled":true}`, normal(r, 1, n), absent, absent), []op.Tensor{x, rate}},
		{spec("sgd", `{"momentum":0.9,"weight_decay":0.1}`, normal(r, 1, n), absent), []op.Tensor{x, rate}},
		{spec("clip_norm", `{"max_norm":1}`), []op.Tensor{x}},
		{spec("clip_value", `{"limit":0.5}`), []op.Tensor{x}},
	}
}

func TestWorkersDoNotShowInTraining(t *testing.T) {
	for _, c := range trainCalls(t) {
		one := open(t, optimized.New(optimized.Workers(1)), c.s)
		many := open(t, optimized.New(optimized.Workers(7)), c.s)
		for step := range 3 {
			want := results(t, op.F32, one, c.s, c.src...)
			for i, got := range results(t, op.F32, many, c.s, c.src...) {
				t.Run(fmt.Sprintf("%s/step=%d/dst=%d", c.s.Op, step, i), func(t *testing.T) { same(t, got, want[i]) })
			}
		}
	}
}

func TestTrainingDoesNotAllocate(t *testing.T) {
	for _, c := range trainCalls(t) {
		k := open(t, optimized.New(), c.s)
		dst, err := op.Shapes(c.s, c.src, op.F32)
		if err != nil {
			t.Fatal(err)
		}
		step := func() {
			if err := k.Run(dst, c.src); err != nil {
				t.Fatal(err)
			}
		}
		step() // scratch memory
		if n := testing.AllocsPerRun(10, step); n != 0 {
			t.Errorf("%s: %v allocations a step", c.s.Op, n)
		}
	}
}
