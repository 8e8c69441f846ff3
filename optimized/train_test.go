package optimized_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

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

// A run of Adam that goes on in a kernel of its own, from what the first one returned, is the same run, bit for bit.
func TestAdamResumes(t *testing.T) {
	r := newRand(t)
	const attrs = `{"beta2":0.99,"weight_decay":0.1%s}`
	src := []op.Tensor{normal(r, 1, 1000), op.Float32([]float32{0.01})}
	begin := spec("adam", fmt.Sprintf(attrs, ""), normal(r, 1, 1000), absent, absent)
	whole := open(t, optimized.New(), begin)
	var before, want []op.Tensor
	for step := range 6 {
		if want = results(t, op.F32, whole, begin, src...); step == 2 {
			before = want
		}
	}
	resumed := spec("adam", fmt.Sprintf(attrs, `,"step":3`), before...)
	k := open(t, optimized.New(), resumed)
	var got []op.Tensor
	for range 3 {
		got = results(t, op.F32, k, resumed, src...)
	}
	for i := range got {
		same(t, got[i], want[i])
	}
}

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
