package optimized_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
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

func TestBadInput(t *testing.T) {
	f32, f64 := func(shape ...int) op.Tensor { return op.New(op.F32, shape...) }, func(shape ...int) op.Tensor { return op.New(op.F64, shape...) }
	r := newRand(t)
	m := modelSize{vocab: 5, ctx: 4, layers: 1, d: 4, hd: 4, gd: 4, f: 4}
	gpt, loss := spec("gpt", `{"heads":2}`, gptConst(r, m, true, true, false)...), spec("gpt.loss", `{"heads":2}`, gptConst(r, m, true, true, false)...)
	tests := []struct {
		s    op.Spec
		src  []op.Tensor
		dst  op.Tensor
		is   error
		says string
	}{
		{spec("softmax", ""), []op.Tensor{f64(3)}, f64(3), op.ErrDType, "softmax: invalid dtype: source tensor 0 is F64: convert it to F32"},
		{spec("sinusoidal_positions", `{"d_model":2}`), []op.Tensor{ids(r, 5, 1)}, f64(1, 2), op.ErrDType, "destination tensor 0 is F64"},
		{spec("linear", "", f64(2, 2), absent), nil, f32(1), op.ErrDType, "linear: invalid dtype: constant tensor 0 is F64"},
		{spec("embedding", "", f32(3, 2)), []op.Tensor{op.Int64([]int64{0, 1, 2, 3}, 2, 2)}, f32(2, 2, 2), op.ErrIndex, "embedding: index out of range: ids[1 1] = 3, want 0 to 2"},
		{spec("embedding", "", f32(3, 2)), []op.Tensor{op.Int64([]int64{-1}, 1)}, f32(1, 2), op.ErrIndex, "ids[0] = -1"},
		{spec("learned_positions", "", f32(3, 2)), []op.Tensor{op.Int64([]int64{3}, 1)}, f32(1, 2), op.ErrPosition, "learned_positions: position out of range: pos[0] = 3, want 0 to 2"},
		{spec("sinusoidal_positions", `{"d_model":2}`), []op.Tensor{op.Int64([]int64{-1}, 1)}, f32(1, 2), op.ErrPosition, "sinusoidal_positions: position out of range: pos[0] = -1"},
		{spec("cross_entropy", ""), []op.Tensor{f32(2, 3), op.Int64([]int64{-100, 3}, 2)}, f32(), op.ErrIndex, "cross_entropy: index out of range: targets[1] = 3, want 0 to 2"},
		{gpt, []op.Tensor{op.Int64([]int64{5}, 1, 1)}, f32(1, 1, 5), op.ErrIndex, "gpt: index out of range: ids[0 0] = 5"},
		{gpt, []op.Tensor{ids(r, 5, 1, 5)}, f32(1, 5, 5), op.ErrPosition, "gpt: position out of range: ids reach position 4, want at most 3"},
		{loss, []op.Tensor{ids(r, 5, 1, 2), op.Int64([]int64{0, 5}, 1, 2)}, f32(), op.ErrIndex, "gpt.loss: index out of range: targets[0 1] = 5"},
		{spec("conv2d", ""), nil, absent, op.ErrUnsupported, "conv2d"},
	}
	for _, tt := range tests {
		k, err := optimized.New().Open(tt.s)
		if err == nil {
			err = k.Run([]op.Tensor{tt.dst}, tt.src)
		}
		if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want an error that wraps %q and says %q", tt.s.Op, err, tt.is, tt.says)
		}
	}
}

func TestOffersEveryOp(t *testing.T) {
	for _, name := range op.Names() {
		if !op.Offers(optimized.New(), name) {
			t.Errorf("op %s is not offered: register it in the file of its family", name)
		}
	}
}

func TestRegisteredNames(t *testing.T) {
	for name, adapter := range optimized.Registered() {
		if !op.Offers(adapter, name) {
			t.Errorf("%s is registered with the adapter of another op", name)
		}
	}
}
