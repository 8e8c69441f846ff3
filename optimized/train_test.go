package optimized_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

var tinyModel = modelSize{vocab: 40, ctx: 20, layers: 2, d: 12, hd: 16, gd: 8, f: 30}

// trainSpec is a model that trains with decay, clipping and a warmup. adam_eps is large beside what rounding makes of a gradient of 0.
func trainSpec(r *rand.Rand, more string) op.Spec {
	return spec("gpt.train", `{"heads":4,"kv_heads":2,"ignore_index":7,"lr":0.01,"warmup":2,"warmup_offset":1,"adam_eps":1e-3,`+
		`"weight_decay":0.1,"decoupled":true,"max_norm":0.5`+more+`}`, gptConst(r, tinyModel, true, true, false)...)
}

func newTrainer(t testing.TB, s op.Spec, opts ...optimized.Option) *optimized.Trainer {
	t.Helper()
	k, err := optimized.NewTrainer(s, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func step(t testing.TB, k *optimized.Trainer, in, out op.Tensor) optimized.StepResult {
	t.Helper()
	r, err := k.Step(t.Context(), in, out)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func batches(r *rand.Rand, shape ...int) (in, out op.Tensor) {
	in, out = ids(r, tinyModel.vocab, shape...), ids(r, tinyModel.vocab, shape...)
	out.I64[1] = 7
	return in, out
}

// Three steps are those that gpt.loss.grad, clip_norm and adam make together in float64.
func TestTrainerIsGradientClippingAndAdam(t *testing.T) {
	r := newRand(t)
	s := trainSpec(r, "")
	k := newTrainer(t, s)
	in, out := batches(r, 2, 3, 10)
	weights := convert(s.Const, op.F64)
	adams := make([]op.Kernel, len(weights))
	names := []string{}
	args, _ := op.Arguments("gpt")
	for i, w := range weights {
		names = append(names, args[i].Name)
		decay := 0.1
		if n := args[i].Name; n[0] == 'b' || n[len(n)-1] == 'a' {
			decay = 0
		}
		if w.Present() {
			adams[i] = open(t, refimpl.New(), spec("adam", fmt.Sprintf(`{"eps":1e-3,"decoupled":true,"weight_decay":%v}`, decay), w, absent, absent))
		}
	}
	for n := range 3 {
		got := step(t, k, in, out)
		// All sequences in one batch: how it is cut does not matter.
		flat := func(x op.Tensor) op.Tensor { return op.Int64(x.I64, 6, 10) }
		attrs := `{"heads":4,"kv_heads":2,"ignore_index":7}`
		loss := results(t, op.F64, open(t, refimpl.New(), spec("gpt.loss", attrs, weights...)), spec("gpt.loss", attrs, weights...), flat(in), flat(out))
		gs := spec("gpt.loss.grad", attrs, weights...)
		grads := results(t, op.F64, open(t, refimpl.New(), gs), gs, flat(in), flat(out), op.Float64([]float64{1}))
		squares := 0.0
		for _, g := range grads {
			for _, x := range g.F64 {
				squares += x * x
			}
		}
		norm, rate := math.Sqrt(squares), 0.01*min(1, float64(n+1)/2)
		for _, c := range []struct{ got, want float64 }{{got.Loss, loss[0].F64[0]}, {got.Norm, norm}, {got.Rate, rate}} {
			if math.Abs(c.got-c.want) > 100*u*c.want {
				t.Fatalf("step %d: got %+v, want loss %v, norm %v, rate %v", n, got, loss[0].F64[0], norm, rate)
			}
		}
		_, w, _, _ := k.State()
		for i, g := range grads {
			if !g.Present() {
				continue
			}
			for j := range g.F64 {
				g.F64[j] *= min(1, 0.5/(norm+1e-6))
			}
			dst := []op.Tensor{op.New(op.F64, g.Shape...), op.New(op.F64, g.Shape...), op.New(op.F64, g.Shape...)}
			if err := adams[i].Run(dst, []op.Tensor{g, op.Float64([]float64{rate})}); err != nil {
				t.Fatal(err)
			}
			weights[i] = dst[0]
			for j := range w.Tensors()[i].F32 {
				if g, w := float64(w.Tensors()[i].F32[j]), dst[0].F64[j]; math.Abs(g-w) > 1e-6 {
					t.Fatalf("step %d: element %d of %s is %v, want %v", n, j, names[i], g, w)
				}
			}
		}
	}
}

func TestTrainerResumesExactly(t *testing.T) {
	r := newRand(t)
	s := trainSpec(r, "")
	a := newTrainer(t, s)
	in, out := batches(r, 1, 3, 10)
	step(t, a, in, out)
	steps, w, m, v := a.State()
	saved := [3]op.GPTWeights{clone(w), clone(m), clone(v)}
	want := []optimized.StepResult{step(t, a, in, out), step(t, a, in, out)}

	b := newTrainer(t, s, optimized.Workers(3))
	if err := b.Restore(steps, saved[0], saved[1], saved[2]); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got := step(t, b, in, out); got != want[i] {
			t.Errorf("step %d after restoring: %+v, want %+v", i, got, want[i])
		}
	}
	_, wa, ma, va := a.State()
	_, wb, mb, vb := b.State()
	for k, pair := range [][2]op.GPTWeights{{wa, wb}, {ma, mb}, {va, vb}} {
		for i, x := range pair[0].Tensors() {
			if !slices.Equal(x.F32, pair[1].Tensors()[i].F32) {
				t.Errorf("part %d of the state: parameter %d differs after restoring", k, i)
			}
		}
	}
	if err := b.Restore(1, op.GPTWeights{}, saved[1], saved[2]); !errors.Is(err, op.ErrShape) {
		t.Errorf("restoring nothing: got %v, want an error that wraps %q", err, op.ErrShape)
	}
}

func clone(w op.GPTWeights) op.GPTWeights {
	for _, t := range optimized.Fields(&w) {
		t.F32 = slices.Clone(t.F32)
	}
	return w
}

// After an error the next step is what it would have been without.
func TestTrainerErrorsChangeNothing(t *testing.T) {
	r := newRand(t)
	s := trainSpec(r, "")
	a, b := newTrainer(t, s), newTrainer(t, s)
	in, out := batches(r, 2, 3, 10)
	bad := op.Int64(slices.Clone(in.I64), in.Shape...)
	bad.I64[len(bad.I64)-1] = int64(tinyModel.vocab)
	for _, tt := range []struct {
		in, out op.Tensor
		is      error
	}{
		{bad, out, op.ErrIndex}, {in, bad, op.ErrIndex}, {ids(r, 5, 1, 1, 21), ids(r, 5, 1, 1, 21), op.ErrPosition}, {in, absent, op.ErrShape},
	} {
		if _, err := a.Step(t.Context(), tt.in, tt.out); !errors.Is(err, tt.is) {
			t.Errorf("got %v, want an error that wraps %q", err, tt.is)
		}
	}
	if got, want := step(t, a, in, out), step(t, b, in, out); got != want {
		t.Errorf("after errors: %+v, want %+v", got, want)
	}
	s.Const[0].F32[0] = float32(math.Inf(1))
	if _, err := newTrainer(t, s).Step(t.Context(), in, out); !errors.Is(err, op.ErrNumber) {
		t.Errorf("an infinite weight: got %v, want an error that wraps %q", err, op.ErrNumber)
	}
	if _, err := optimized.NewTrainer(spec("gpt.train", `{"heads":0}`)); !errors.Is(err, op.ErrAttrs) {
		t.Errorf("no heads: got %v, want an error that wraps %q", err, op.ErrAttrs)
	}
}

// A step that is given up, wherever it was, leaves the state as it was, and so does a loss.
func TestTrainerGivesUp(t *testing.T) {
	r := newRand(t)
	s := trainSpec(r, "")
	a, b := newTrainer(t, s), newTrainer(t, s)
	in, out := batches(r, 4, 3, 10)
	part := func(x op.Tensor) op.Tensor { return op.Int64(x.I64[:30], 3, 10) }
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Step(done, in, out)
	require.ErrorIs(t, err, context.Canceled)
	_, err = a.Loss(done, part(in), part(out))
	require.ErrorIs(t, err, context.Canceled)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		got, err := a.Step(ctx, in, out)
		cancel()
		if err == nil {
			require.Equal(t, step(t, b, in, out), got)
		}
		require.Equal(t, step(t, b, in, out), step(t, a, in, out))
	}
	x, err := a.Loss(t.Context(), part(in), part(out))
	require.NoError(t, err)
	y, err := b.Loss(t.Context(), part(in), part(out))
	require.NoError(t, err)
	require.Equal(t, y, x)
}

// A model learns a text by heart, and Loss sees what Step saw.
func TestTrainerLearns(t *testing.T) {
	r := newRand(t)
	k := newTrainer(t, trainSpec(r, ""))
	text := ids(r, tinyModel.vocab, 21).I64
	in, out := op.Int64(text[:20], 1, 1, 20), op.Int64(text[1:], 1, 1, 20)
	loss := math.Inf(1)
	for range 150 {
		before, err := k.Loss(t.Context(), op.Int64(text[:20], 1, 20), op.Int64(text[1:], 1, 20))
		if err != nil {
			t.Fatal(err)
		}
		if loss = step(t, k, in, out).Loss; math.Abs(before-loss) > 4*u*loss {
			t.Fatalf("Loss gives %v, Step %v", before, loss)
		}
	}
	if loss > 0.1 {
		t.Errorf("loss %v after 150 steps on one text, want less than 0.1", loss)
	}
}

// Nothing is allocated once buffers have grown.
func TestTrainerDoesNotAllocate(t *testing.T) {
	r := newRand(t)
	k := newTrainer(t, trainSpec(r, ""), optimized.Workers(1))
	in, out := batches(r, 2, 3, 10)
	step(t, k, in, out)
	step(t, k, in, out)
	if n := testing.AllocsPerRun(5, func() { step(t, k, in, out) }); n > 0 {
		t.Errorf("a step allocates %v times", n)
	}
}

// BenchmarkTrain takes steps on one batch.
func BenchmarkTrain(b *testing.B) {
	r := newRand(b)
	m := modelSize{vocab: 2048, ctx: 128, layers: 2, d: 256, hd: 256, gd: 256, f: 1024}
	const sequences, length = 4, 128
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			k := newTrainer(b, spec("gpt.train", `{"heads":4,"activation":"gelu_tanh","lr":1e-3,"max_norm":1}`, gptConst(r, m, true, true, false)...), optimized.Workers(workers))
			in, out := ids(r, m.vocab, 1, sequences, length), ids(r, m.vocab, 1, sequences, length)
			b.ReportAllocs()
			for b.Loop() {
				step(b, k, in, out)
			}
			b.ReportMetric(sequences*length*float64(b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}
