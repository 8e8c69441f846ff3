package benchmarks

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	gauge "github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/reference"
)

// training evaluates first steps.
func (o *oracle) training() []op.Implementation {
	return []op.Implementation{
		op.Adam(func(op.AdamArgs) (op.Runner[op.AdamArgs], error) { return runner[op.AdamArgs](o.adam), nil }),
		op.GPTTrain(func(op.GPTTrainArgs) (op.Runner[op.GPTTrainArgs], error) {
			return runner[op.GPTTrainArgs](o.gptTrain), nil
		}),
	}
}

func (o *oracle) adam(a op.AdamArgs) error {
	if !a.M.Present() {
		return op.Unsupported("adam", "workloads have moments")
	}
	of := func(t op.Tensor) []float64 { return o.rows(t).columns(o.sample.cols).Data }
	cfg := reference.AdamConfig{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps, WeightDecay: a.WeightDecay, Decoupled: a.Decoupled}
	state, grad, rate := reference.AdamState{Param: of(a.Param), M: of(a.M), V: of(a.V)}, of(a.Grad), a.LR.At(0)
	next := reference.Adam(state, grad, rate, a.Step+1, cfg)
	param, m, v := gauge.Adam(state, grad, rate, a.Step+1, cfg)
	for i, r := range []struct {
		value []float64
		own   gauge.Gauges
	}{{next.Param, param}, {next.M, m}, {next.V, v}} {
		y := newEstimate(len(o.sample.rows), len(o.sample.cols))
		copy(y.Data, r.value)
		o.wants[i] = y.finish(r.own.Acc)
	}
	return nil
}

func (o *oracle) gptTrain(a op.GPTTrainArgs) error {
	if a.IDs.Shape[1] != 1 || slices.Contains(a.Targets.I64, int64(a.IgnoreIndex)) {
		return op.Unsupported("gpt.train", "workloads have micro-batches of one sequence and ignore no target")
	}
	grads, logits, err := batchGrad(a)
	if err != nil {
		return err
	}
	o.setResult(0, logits.meanLoss(a.Targets.I64))
	norm, clipped := clip(grads, a.MaxNorm)
	o.setResult(1, norm)
	schedule := reference.Schedule{
		Name: reference.ScheduleName(a.Schedule), LR: a.ScheduleAttrs.LR, MinLR: a.MinLR, Warmup: a.Warmup, WarmupStart: a.WarmupStart,
		WarmupOffset: a.WarmupOffset, Total: a.Total, Gamma: a.Gamma, StepSize: a.StepSize,
	}
	rate, err := schedule.Rate(0)
	if err != nil {
		return err
	}
	lr := newEstimate(1, 1)
	lr.Data[0] = rate
	o.setResult(2, lr.finish(nil))

	args, err := op.Arguments("gpt")
	if err != nil {
		return err
	}
	for i, p := range a.GPTWeights.Tensors() {
		if !p.Present() {
			continue
		}
		cfg := reference.AdamConfig{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.AdamEps, WeightDecay: a.WeightDecay, Decoupled: a.Decoupled}
		if slices.Contains(a.NoDecay, parameterGroup(args[i].Name)) {
			cfg.WeightDecay = 0
		}
		o.setRows(3+i, firstStep(exact(p), clipped[i], rate, cfg))
	}
	return nil
}

// parameterGroup returns the group in which no_decay has a parameter: gammas and betas are norms, other vectors biases, tables embeddings.
func parameterGroup(name string) string {
	switch {
	case slices.Contains([]string{"wte", "wpe"}, name):
		return "embeddings"
	case name[len(name)-1] == 'a':
		return "norms"
	case name[0] == 'b':
		return "biases"
	}
	return ""
}

// batchGrad returns the gradients of all weights, whole, and the logits of all micro-batches.
func batchGrad(a op.GPTTrainArgs) (grads []estimate, logits estimate, err error) {
	weights := a.GPTWeights.Tensors()
	grads = make([]estimate, len(weights))
	count := len(a.Targets.I64)
	for i := range a.IDs.Shape[0] {
		whole := &oracle{wants: make([]estimate, len(weights))}
		for _, p := range weights {
			n := 1
			if p.Present() {
				n = p.Shape[len(p.Shape)-1]
			}
			whole.samples = append(whole.samples, sample{span(0, max(1, p.Len()/n)), span(0, n), n})
		}
		y, err := whole.modelGrad(microBatch(a.IDs, i).I64, microBatch(a.Targets, i).I64, 1/float64(count), a.GPTAttrs, a.GPTWeights)
		if err != nil {
			return nil, estimate{}, err
		}
		logits.Rows, logits.Cols = logits.Rows+y.Rows, y.Cols
		logits.Data, logits.e = append(logits.Data, y.Data...), append(logits.e, y.e...)
		for j, g := range whole.wants {
			if i > 0 && weights[j].Present() {
				g = grads[j].plus(g)
			}
			grads[j] = g
		}
	}
	return grads, logits, nil
}

// clip returns the joint norm, and the gradients scaled down to maxNorm: g f, where an error of the norm changes f too.
func clip(grads []estimate, maxNorm float64) (norm estimate, clipped []estimate) {
	const eps = 1e-6
	var values [][]float64
	for _, g := range grads {
		values = append(values, g.Data)
	}
	own, length, err := gauge.Random.ClipNorm(maxNorm, eps, values...)
	if err != nil {
		panic(err) // numbers of workloads are finite
	}
	norm = newEstimate(1, 1)
	norm.Data[0] = reference.GradientNorm(values...)
	for _, g := range grads {
		for i, v := range g.Data {
			e := v * g.e[i] / norm.Data[0]
			norm.e[0] += e * e
		}
	}
	norm = norm.finish(length.Acc)
	factor := math.Min(1, maxNorm/(norm.Data[0]+eps))
	for n, g := range grads {
		y := newEstimate(g.Rows, g.Cols)
		for i, v := range g.Data {
			y.Data[i] = factor * v
			y.e[i] = factor * g.e[i] * factor * g.e[i]
			if factor < 1 {
				e := factor * v * norm.e[0] / norm.Data[0]
				y.e[i] += e * e
			}
		}
		clipped = append(clipped, y.finish(own[n].Acc))
	}
	return norm, clipped
}

// firstStep returns the parameters after the first step of Adam, which is rate g / (|g| + eps), and so moves by rate eps / (|g| + eps)^2 with g.
func firstStep(p, g estimate, rate float64, cfg reference.AdamConfig) estimate {
	zeros := make([]float64, len(p.Data))
	state := reference.AdamState{Param: p.Data, M: zeros, V: zeros}
	y := newEstimate(p.Rows, p.Cols)
	copy(y.Data, reference.Adam(state, g.Data, rate, 1, cfg).Param)
	for i, v := range g.Data {
		d := math.Abs(v) + cfg.Eps
		e := rate * cfg.Eps / (d * d) * g.e[i]
		y.e[i] = e * e
	}
	own, _, _ := gauge.Adam(state, g.Data, rate, 1, cfg)
	return y.finish(own.Acc)
}
