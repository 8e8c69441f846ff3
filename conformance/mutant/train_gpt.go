package mutant

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// trainerParts are the decisions in which training steps go wrong.
type trainerParts struct {
	targetWeight func(micro, micros, inMicro, inBatch int) float32 // of a target's gradient, and of its loss
	gradNorm     func(grads [][]float32) float32
	clipAll      func(grads [][]float32, norm, maxNorm float32)
	stepRate     func(run int) int64 // the step of the schedule
	adamT        func(run int) int
	spared       func(group string, noDecay []string) bool
	shared       func(states []*adam) []*adam // the moments that each parameter uses
	skip         func(counted int) bool
	failedStep   func(r *trainer)
}

func (p *plain) setTrainer() {
	p.trainerParts = trainerParts{
		targetWeight: func(_, _, _, inBatch int) float32 { return 1 / float32(max(1, inBatch)) },
		gradNorm:     func(grads [][]float32) float32 { return p.norm(slices.Concat(grads...)) },
		clipAll:      p.clipJointly,
		stepRate:     func(run int) int64 { return int64(run) }, adamT: func(run int) int { return run + 1 },
		spared: slicesContains, shared: func(states []*adam) []*adam { return states },
		skip: func(int) bool { return false }, failedStep: func(*trainer) {},
	}
}

func slicesContains(group string, noDecay []string) bool { return slices.Contains(noDecay, group) }

// groupOf names the groups of parameters in table order, for weight decay.
var groupOf = []string{"embeddings", "embeddings", "norms", "norms", "weights", "biases", "weights", "biases", "weights", "biases", "weights", "biases",
	"norms", "norms", "weights", "biases", "weights", "biases", "norms", "norms", "weights"}

// trainer is the state of a model in training.
type trainer struct {
	p      *plain
	states []*adam // one a parameter, in table order; nil where it is absent
	runs   int
}

func (p *plain) openGPTTrain(a op.GPTTrainArgs) (op.Runner[op.GPTTrainArgs], error) {
	r := &trainer{p: p}
	for _, t := range a.GPTWeights.Tensors() {
		var s *adam
		if t.Present() {
			s = newAdam(t.F32, nil, nil)
		}
		r.states = append(r.states, s)
	}
	return r, nil
}

// Run is one step: forward, loss, backward, accumulation, norm and clipping, rate, Adam.
func (r *trainer) Run(a op.GPTTrainArgs) error {
	p := r.p
	weights := a.GPTWeights
	for i, t := range weightTensors(&weights) {
		if r.states[i] != nil {
			t.F32 = r.states[i].param
		}
	}
	loss, grads, counted, err := p.batchGrad(p.model(a.GPTAttrs, weights), a)
	var norm float32
	if err == nil {
		if norm = p.gradNorm(grads); !p.acceptNorm(norm) {
			err = fmt.Errorf("%w: the norm of the gradient is %v", op.ErrNumber, norm)
		}
	}
	var rate float32
	if err == nil {
		rate, err = p.rateOf(p.stepRate(r.runs), a.ScheduleAttrs)
	}
	if err != nil {
		p.failedStep(r)
		return fmt.Errorf("gpt.train: %w", err)
	}
	a.Loss.F32[0], a.Norm.F32[0], a.LR.F32[0] = p.store(loss), p.store(norm), rate
	if !p.skip(counted) {
		if a.MaxNorm > 0 {
			p.clipAll(grads, norm, float32(a.MaxNorm))
		}
		p.update(r, grads, rate, a.GPTTrainAttrs)
	}
	news := a.NewGPTWeights.Tensors()
	for i, s := range r.states {
		if s != nil {
			copy(news[i].F32, s.param)
		}
	}
	return nil
}

// update takes Adam's step with each parameter.
func (p *plain) update(r *trainer, grads [][]float32, rate float32, a op.GPTTrainAttrs) {
	states := p.shared(r.states)
	for i, s := range states {
		if s == nil {
			continue
		}
		attrs := op.AdamAttrs{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.AdamEps, WeightDecay: a.WeightDecay, Decoupled: a.Decoupled}
		if p.spared(groupOf[i], a.NoDecay) {
			attrs.WeightDecay = 0
		}
		p.adamStep(s, grads[i], rate, attrs, p.adamT(r.runs))
	}
	r.runs++
}

// batchGrad returns the loss and the gradients of a batch, the sums of those of its micro-batches, and how many targets count.
func (p *plain) batchGrad(m model, a op.GPTTrainArgs) (loss float32, grads [][]float32, counted int, err error) {
	micros, batch := a.IDs.Shape[0], a.IDs.Shape[1]
	size := a.IDs.Len() / micros
	counts := make([]int, micros)
	for i, target := range a.Targets.I64 {
		if !p.ignored(target, a.IgnoreIndex) {
			counts[i/size]++
			counted++
		}
	}
	sum := op.CrossEntropyAttrs{IgnoreIndex: a.IgnoreIndex, Reduction: "sum"}
	for n := range micros {
		ids, targets := a.IDs.I64[n*size:(n+1)*size], p.gradTargets(a.Targets.I64[n*size:(n+1)*size])
		weight := p.targetWeight(n, micros, counts[n], counted)
		var part [1]float32
		logits, err := p.logits(m, ids, batch)
		if err == nil {
			err = p.crossEntropy(part[:], logits, targets, sum)
		}
		if err != nil {
			return 0, nil, 0, err
		}
		g, err := p.modelGrad(m, ids, targets, batch, []float32{weight}, sum)
		if err != nil {
			return 0, nil, 0, err
		}
		loss += part[0] * weight
		if grads == nil {
			grads = g.all()
			continue
		}
		for i, x := range g.all() {
			for j := range x {
				grads[i][j] = p.store(grads[i][j] + x[j])
			}
		}
	}
	return loss, grads, counted, nil
}

// logits returns those of whole sequences.
func (p *plain) logits(m model, ids []int64, batch int) (matrix, error) {
	items := make([]item, batch)
	for b := range items {
		items[b] = make(item, len(m.blocks))
	}
	return p.forward(m, ids, items, 0, identity(batch))
}

// clipJointly multiplies all gradients by one factor.
func (p *plain) clipJointly(grads [][]float32, norm, maxNorm float32) {
	factor := p.clipFactor(norm, maxNorm, 1e-6)
	for _, g := range grads {
		for i := range g {
			g[i] = p.store(g[i] * factor)
		}
	}
}

// weightTensors returns the parameters in table order, to be changed.
func weightTensors(w *op.GPTWeights) []*op.Tensor {
	return []*op.Tensor{&w.Wte, &w.Wpe, &w.LN1Gamma, &w.LN1Beta, &w.Wq, &w.Bq, &w.Wk, &w.Bk, &w.Wv, &w.Bv, &w.Wo, &w.Bo,
		&w.LN2Gamma, &w.LN2Beta, &w.W1, &w.B1, &w.W2, &w.B2, &w.LNfGamma, &w.LNfBeta, &w.Wout}
}
