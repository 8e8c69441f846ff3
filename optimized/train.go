package optimized

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// Trainer trains a model: AdamW on the mean loss of batches that may be cut into micro-batches (SPEC.md TRAIN). It is not for several
// goroutines at once; it uses as many as it was given workers.
type Trainer struct {
	*lossGrad
	attrs op.GPTTrainAttrs
	eval  gptLoss
	adam  adam
	norms norms

	w, grads, m, v op.GPTWeights
	decays         []bool // by parameter, in table order
	steps          int
	weights        []float64 // upstream gradients of a micro-batch's rows
}

// StepResult is what a step saw: Loss and Norm are those of the parameters before it, and Norm is before clipping.
type StepResult struct{ Loss, Norm, Rate float64 }

// NewTrainer returns a trainer that starts from the attributes and weights of a spec of the op gpt.train. It copies the weights.
func NewTrainer(spec op.Spec, opts ...Option) (*Trainer, error) {
	if err := refuseF64(spec.Op, "constant", spec.Const); err != nil {
		return nil, err
	}
	var t *Trainer
	_, err := op.GPTTrain(func(a op.GPTTrainArgs) (op.Runner[op.GPTTrainArgs], error) {
		t = newTrainer(newGradEngine(newConfig(opts)), a)
		return gptTrain{t}, nil
	}).Open(spec)
	return t, err
}

func newTrainer(e *engine, a op.GPTTrainArgs) *Trainer {
	t := &Trainer{attrs: a.GPTTrainAttrs, w: a.GPTWeights, grads: a.GPTWeights, m: a.GPTWeights, v: a.GPTWeights}
	for i, p := range fields(&t.w) {
		if !p.Present() {
			t.decays = append(t.decays, false)
			continue
		}
		*p = op.Float32(slices.Clone(p.F32), slices.Clone(p.Shape)...)
		for _, other := range []*op.GPTWeights{&t.grads, &t.m, &t.v} {
			*fields(other)[i] = op.New(op.F32, p.Shape...)
		}
		t.decays = append(t.decays, !slices.Contains(a.NoDecay, group(i)))
	}
	t.lossGrad = newLossGrad(newModel(e, t.w, a.GPTAttrs), a.IgnoreIndex)
	t.eval = gptLoss{model: t.model, loss: crossEntropy{team: t.team, ignore: t.loss.ignore}, caches: t.caches}
	t.adam = adam{beta1: a.Beta1, beta2: a.Beta2, eps: a.AdamEps, decoupled: a.Decoupled}
	return t
}

// fields returns the parameters in table order.
func fields(w *op.GPTWeights) []*op.Tensor {
	return []*op.Tensor{
		&w.Wte, &w.Wpe, &w.LN1Gamma, &w.LN1Beta, &w.Wq, &w.Bq, &w.Wk, &w.Bk, &w.Wv, &w.Bv, &w.Wo, &w.Bo,
		&w.LN2Gamma, &w.LN2Beta, &w.W1, &w.B1, &w.W2, &w.B2, &w.LNfGamma, &w.LNfBeta, &w.Wout,
	}
}

// group returns which of the groups that no_decay names a parameter belongs to: embeddings, norms, biases, or another.
func group(i int) string {
	var w op.GPTWeights
	f := fields(&w)
	is := func(ts ...*op.Tensor) bool { return slices.Contains(ts, f[i]) }
	switch {
	case is(&w.Wte, &w.Wpe):
		return "embeddings"
	case is(&w.LN1Gamma, &w.LN1Beta, &w.LN2Gamma, &w.LN2Beta, &w.LNfGamma, &w.LNfBeta):
		return "norms"
	case is(&w.Bq, &w.Bk, &w.Bv, &w.Bo, &w.B1, &w.B2):
		return "biases"
	}
	return "matrices"
}

// Step takes one step on the micro-batches ids and targets, both I64 [M B T]. Once ctx is done it gives the step up. After an error the state is
// what it was.
func (t *Trainer) Step(ctx context.Context, ids, targets op.Tensor) (StepResult, error) {
	if ids.DType != op.I64 || targets.DType != op.I64 || len(ids.Shape) != 3 || !slices.Equal(ids.Shape, targets.Shape) {
		return StepResult{}, fmt.Errorf("gpt.train: %w: ids are %v %v and targets %v %v, want both I64 [M B T]",
			op.ErrShape, ids.DType, ids.Shape, targets.DType, targets.Shape)
	}
	batches, counted := ids.Shape[0], t.loss.counted(targets.I64)
	for i := range batches {
		if err := t.check("gpt.train", part(ids, i), part(targets, i)); err != nil {
			return StepResult{}, err
		}
	}
	zero(t.grads.Tensors()...)
	t.team.stop = ctx.Done()
	defer func() { t.team.stop = nil }()
	sum := 0.0
	for i := range batches {
		in, out := part(ids, i), part(targets, i)
		t.weights = t.weights[:0]
		for range out.I64 {
			t.weights = append(t.weights, 1/float64(max(1, counted)))
		}
		t.add(t.grads, in, out, t.weights)
		for _, loss := range t.loss.losses {
			sum += loss
		}
	}
	if ctx.Err() != nil {
		return StepResult{}, context.Cause(ctx)
	}
	t.team.stop = nil // an update is whole
	return t.update(sum / float64(max(1, counted)))
}

// part returns micro-batch i of a tensor [M B T].
func part(x op.Tensor, i int) op.Tensor {
	n := x.Shape[1] * x.Shape[2]
	return op.Int64(x.I64[i*n:(i+1)*n], x.Shape[1:]...)
}

// update takes the step that the gradients ask for.
func (t *Trainer) update(loss float64) (StepResult, error) {
	squares := 0.0
	for _, g := range t.grads.Tensors() {
		squares = t.norms.addSquares(t.team, squares, g.F32)
	}
	r := StepResult{Loss: loss, Norm: math.Sqrt(squares), Rate: rate(t.attrs.ScheduleAttrs, t.steps)}
	var err error
	if t.adam.factor, err = clipFactor("gpt.train", r.Norm, t.attrs.MaxNorm, 1e-6); err != nil {
		return StepResult{}, err
	}
	t.steps++
	t.adam.rate = r.Rate
	t.adam.at(t.steps)
	m, v, grads := t.m.Tensors(), t.v.Tensors(), t.grads.Tensors()
	for i, p := range t.w.Tensors() {
		t.adam.decay = 0
		if t.decays[i] {
			t.adam.decay = t.attrs.WeightDecay
		}
		t.adam.step(t.team, p.F32, m[i].F32, v[i].F32, grads[i].F32)
	}
	t.load(t.w)
	return r, nil
}

// Loss returns the mean loss of ids against targets, both I64 [B T], or an error once ctx is done.
func (t *Trainer) Loss(ctx context.Context, ids, targets op.Tensor) (float64, error) {
	t.team.stop = ctx.Done()
	defer func() { t.team.stop = nil }()
	loss := op.New(op.F32)
	err := t.eval.Run(op.GPTLossArgs{Loss: loss, GPTLossInputs: op.GPTLossInputs{
		GPTLossAttrs: op.GPTLossAttrs{CrossEntropyAttrs: op.CrossEntropyAttrs{Reduction: "mean"}}, IDs: ids, Targets: targets,
	}})
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return float64(loss.F32[0]), err
}

// State returns the number of steps taken, the parameters and their moments: not copies, and not to be changed. A kernel that is opened
// with the parameters is good until the next step.
func (t *Trainer) State() (steps int, w, m, v op.GPTWeights) { return t.steps, t.w, t.m, t.v }

// Restore makes the state what State once returned. The steps that follow are the same bits as those that followed then.
func (t *Trainer) Restore(steps int, w, m, v op.GPTWeights) error {
	if steps < 0 {
		return fmt.Errorf("gpt.train: %w: %d steps taken, want at least 0", op.ErrPosition, steps)
	}
	names := []string{"", "the first moment of ", "the second moment of "}
	mine, given := []*op.GPTWeights{&t.w, &t.m, &t.v}, []op.GPTWeights{w, m, v}
	for k := range mine {
		for i, to := range fields(mine[k]) {
			from := fields(&given[k])[i]
			if from.DType != to.DType || !slices.Equal(from.Shape, to.Shape) || from.Len() != to.Len() {
				return fmt.Errorf("gpt.train: %w: %sparameter %d is %v %v, want %v %v", op.ErrShape, names[k], i, from.DType, from.Shape, to.DType, to.Shape)
			}
		}
	}
	for k := range mine {
		for i, to := range fields(mine[k]) {
			copy(to.F32, fields(&given[k])[i].F32)
		}
	}
	t.steps = steps
	t.load(t.w)
	return nil
}

var _ = register("gpt.train", withGradients(newGPTTrain))

// gptTrain is the op gpt.train.
type gptTrain struct{ *Trainer }

func newGPTTrain(e *engine, a op.GPTTrainArgs) gptTrain { return gptTrain{newTrainer(e, a)} }

func (k gptTrain) Run(a op.GPTTrainArgs) error {
	r, err := k.Step(context.Background(), a.IDs, a.Targets)
	if err != nil {
		return err
	}
	a.Loss.F32[0], a.Norm.F32[0], a.LR.F32[0] = float32(r.Loss), float32(r.Norm), float32(r.Rate)
	w := k.w.Tensors()
	for i, to := range a.NewGPTWeights.Tensors() {
		copy(to.F32, w[i].F32)
	}
	return nil
}
