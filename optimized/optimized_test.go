package optimized_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

func TestTrainingErrors(t *testing.T) {
	for _, tt := range []struct {
		s    op.Spec
		src  op.Tensor
		is   error
		says string
	}{
		{spec("init", `{"scheme":"xavier_uniform"}`), op.Int64([]int64{1, -1}, 1, 2), op.ErrIndex, "init: index out of range: draw 1 is -1"},
		{spec("learning_rate", ""), op.Int64([]int64{0, -2}, 2), op.ErrPosition, "learning_rate: position out of range: t[1] is -2"},
		{spec("clip_norm", `{"max_norm":1}`), op.Float32([]float32{1, float32(math.NaN())}, 2), op.ErrNumber, "clip_norm: invalid number: the norm of the gradient is NaN"},
	} {
		k := open(t, optimized.New(), tt.s)
		dst, err := op.Shapes(tt.s, []op.Tensor{tt.src}, op.F32)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Run(dst, []op.Tensor{tt.src}); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want an error that wraps %q and says %q", tt.s.Op, err, tt.is, tt.says)
		}
	}
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
