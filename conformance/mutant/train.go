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

var _ = parts(func(p *plain) {
	p.trainerParts = trainerParts{
		targetWeight: func(_, _, _, inBatch int) float32 { return 1 / float32(max(1, inBatch)) },
		gradNorm:     func(grads [][]float32) float32 { return p.norm(slices.Concat(grads...)) },
		clipAll:      p.clipJointly,
		stepRate:     func(run int) int64 { return int64(run) }, adamT: func(run int) int { return run + 1 },
		spared: slicesContains, shared: func(states []*adam) []*adam { return states },
		skip: func(int) bool { return false }, failedStep: func(*trainer) {},
	}
})

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

var _ = offerKernel((*plain).openGPTTrain)

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

// weightTensors returns the parameters in table order, to be changed.
func weightTensors(w *op.GPTWeights) []*op.Tensor {
	return []*op.Tensor{&w.Wte, &w.Wpe, &w.LN1Gamma, &w.LN1Beta, &w.Wq, &w.Bq, &w.Wk, &w.Bk, &w.Wv, &w.Bv, &w.Wo, &w.Bo,
		&w.LN2Gamma, &w.LN2Beta, &w.W1, &w.B1, &w.W2, &w.B2, &w.LNfGamma, &w.LNfBeta, &w.Wout}
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

// clippedApart clips each tensor by its own norm.
func clippedApart(p *plain, grads [][]float32, maxNorm float32) {
	for _, g := range grads {
		p.clipJointly([][]float32{g}, p.norm(g), maxNorm)
	}
}

var _ = plant([]bug{
	{"gpt-train-mean-of-means", "gpt.train", "TRAIN-1", "Averages the means of micro-batches.", "", func(p *plain) {
		p.targetWeight = func(_, micros, inMicro, _ int) float32 { return 1 / float32(max(1, inMicro)) / float32(micros) }
	}},
	{"gpt-train-sum-of-means", "gpt.train", "TRAIN-1", "Adds the means of micro-batches.", "", func(p *plain) {
		p.targetWeight = func(_, _, inMicro, _ int) float32 { return 1 / float32(max(1, inMicro)) }
	}},
	{"gpt-train-last-micro-batch", "gpt.train", "TRAIN-1", "Keeps the gradient of the last micro-batch only.", "", func(p *plain) {
		p.targetWeight = func(micro, micros, inMicro, _ int) float32 {
			if micro < micros-1 {
				return 0
			}
			return 1 / float32(max(1, inMicro))
		}
	}},
	{"gpt-train-tied-output-missing", "gpt.train", "TRAIN-2", "Leaves the use of the tied weights as output matrix out.", "", func(p *plain) {
		p.tie = func(embedding, _ matrix) matrix { return embedding }
	}},
	{"gpt-train-positions-frozen", "gpt.train", "TRAIN-2", "Does not train the positions.", "", func(p *plain) {
		p.positionRows = func(dy matrix, seqLen int) matrix { return newMatrix(seqLen, dy.cols) }
	}},
	{"gpt-train-norm-after-clipping", "gpt.train", "TRAIN-3", "Returns the norm after clipping.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			if err == nil {
				dst[1].F32[0] = min(dst[1].F32[0], 1)
			}
			return err
		}
	})},
	{"gpt-train-old-parameters", "gpt.train", "TRAIN-3", "Returns the parameters of before the step.", "", func(p *plain) {
		p.around = func(next op.Kernel) op.Kernel {
			var previous [][]float32
			return kernel(func(dst, src []op.Tensor) error {
				err := next.Run(dst, src)
				for i := 3; i < len(dst) && err == nil; i++ {
					now := append([]float32(nil), dst[i].F32...)
					if n := i - 3; n < len(previous) {
						copy(dst[i].F32, previous[n])
						previous[n] = now
					} else {
						previous = append(previous, now)
					}
				}
				return err
			})
		}
	}},
	{"gpt-train-clip-per-tensor", "gpt.train", "TRAIN-4", "Clips each tensor by its own norm.", "", func(p *plain) {
		p.clipAll = func(grads [][]float32, _, maxNorm float32) { clippedApart(p, grads, maxNorm) }
	}},
	{"gpt-train-clip-ignored", "gpt.train", "TRAIN-4", "Does not clip.", "", func(p *plain) {
		p.clipAll = func([][]float32, float32, float32) {}
	}},
	{"gpt-train-norm-of-largest", "gpt.train", "TRAIN-4", "Takes the largest norm of a tensor for that of all.", "", func(p *plain) {
		p.gradNorm = func(grads [][]float32) float32 {
			var largest float32
			for _, g := range grads {
				largest = max(largest, p.norm(g))
			}
			return largest
		}
	}},
	{"gpt-train-rate-of-next", "gpt.train", "TRAIN-5", "Uses the rate of the step after.", "", func(p *plain) {
		p.stepRate = func(run int) int64 { return int64(run) + 1 }
	}},
	{"gpt-train-rate-constant", "gpt.train", "TRAIN-5", "Uses the rate of the first step for all.", "", func(p *plain) {
		p.stepRate = func(int) int64 { return 0 }
	}},
	{"gpt-train-correction-constant", "gpt.train", "TRAIN-6", "Corrects the bias of every step as that of the first.", "", func(p *plain) {
		p.adamT = func(int) int { return 1 }
	}},
	{"gpt-train-moments-restart", "gpt.train", "TRAIN-6", "Forgets the moments after each step.", "", func(p *plain) {
		p.shared = func(states []*adam) []*adam {
			for _, s := range states {
				if s != nil {
					clear(s.m)
					clear(s.v)
				}
			}
			return states
		}
	}},
	{"gpt-train-decoupled-ignored", "gpt.train", "TRAIN-6", "Couples weight decay always.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { a.decoupled = false; return decay(a) }
	}},
	{"gpt-train-decay-of-all", "gpt.train", "TRAIN-7", "Spares no parameter from weight decay.", "", func(p *plain) {
		p.spared = func(string, []string) bool { return false }
	}},
	{"gpt-train-decay-of-norms", "gpt.train", "TRAIN-7", "Spares biases, but not normalizations.", "", func(p *plain) {
		p.spared = func(group string, noDecay []string) bool { return group != "norms" && slicesContains(group, noDecay) }
	}},
	{"gpt-train-embeddings-spared", "gpt.train", "TRAIN-7", "Spares embeddings always.", "", func(p *plain) {
		p.spared = func(group string, noDecay []string) bool {
			return group == "embeddings" || slicesContains(group, noDecay)
		}
	}},
	{"gpt-train-no-decay-fixed", "gpt.train", "TRAIN-7", "Spares biases and normalizations whatever the attribute says.", "", func(p *plain) {
		p.spared = func(group string, _ []string) bool { return group == "biases" || group == "norms" }
	}},
	{"gpt-train-empty-batch-skipped", "gpt.train", "TRAIN-8", "Skips the step where all targets are ignored.", "", func(p *plain) {
		p.skip = func(counted int) bool { return counted == 0 }
	}},
	{"gpt-train-mean-of-none", "gpt.train", "TRAIN-8", "Gives 0/0 where all targets are ignored.", "", func(p *plain) {
		p.targetWeight = func(_, _, _, inBatch int) float32 { return 1 / float32(inBatch) }
	}},
	{"gpt-train-norm-not-finite", "gpt.train", "TRAIN-9", "Takes a step with a norm that is not finite.", "", func(p *plain) {
		p.acceptNorm = func(float32) bool { return true }
	}},
	{"gpt-train-id-clamped", "gpt.train", "TRAIN-9", "Clamps ids to the vocabulary.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
	{"gpt-train-failed-step-counts", "gpt.train", "TRAIN-10", "Counts a step that failed.", "", func(p *plain) {
		p.failedStep = func(r *trainer) { r.runs++ }
	}},
	{"gpt-train-failed-step-decays", "gpt.train", "TRAIN-10", "Lets the moments decay in a step that failed.", "", func(p *plain) {
		p.failedStep = func(r *trainer) {
			for _, s := range r.states {
				for i := range s.len() {
					s.m[i] *= 0.9
				}
			}
		}
	}},
})
