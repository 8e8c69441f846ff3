package benchmarks

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
	gauge "github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// decoding evaluates choices with package reference, all of them: tokens are exact. Inputs are random, so that no two candidates are as
// close as rounding, or the evaluation of another kernel would fail here.
func (o *oracle) decoding() []op.Implementation {
	return []op.Implementation{
		op.Greedy(func(a op.GreedyArgs) error {
			for _, row := range matrixRows(a.Logits) {
				token, err := reference.Greedy(row)
				if err != nil {
					return err
				}
				o.ints[0] = append(o.ints[0], int64(token))
			}
			return nil
		}),
		op.Distribution(o.distribution),
		op.Sample(func(a op.SampleArgs) error {
			for i, row := range matrixRows(a.Logits) {
				token, err := reference.Sample(row, reference.Sampling(a.SamplingAttrs), int(a.Draws.I64[i]))
				if err != nil {
					return err
				}
				o.ints[0] = append(o.ints[0], int64(token))
			}
			return nil
		}),
		op.BeamSearch(o.beamSearch),
		op.GPTGenerate(func(op.GPTGenerateArgs) (op.Runner[op.GPTGenerateArgs], error) {
			return runner[op.GPTGenerateArgs](o.generate), nil
		}),
	}
}

func matrixRows(t op.Tensor) [][]float64 {
	x := exact(t)
	rows := make([][]float64, x.Rows)
	for i := range rows {
		rows[i] = x.Row(i)
	}
	return rows
}

// distribution adds to the gauge of softmax what dividing by the temperature does to the exponents that are left.
func (o *oracle) distribution(a op.DistributionArgs) error {
	x := o.rows(a.Logits)
	y, acc := newEstimate(x.Rows, x.Cols), make([]float64, x.Rows*x.Cols)
	for i := range x.Rows {
		p, err := reference.Distribution(x.Row(i), reference.Sampling(a.SamplingAttrs))
		if err != nil {
			return err
		}
		copy(y.Row(i), p)
		var left []int
		var scaled []float64
		most, mean := math.Inf(-1), 0.0
		for _, v := range x.Row(i) {
			most = max(most, v)
		}
		for j, v := range p {
			if v > 0 {
				left, scaled = append(left, j), append(scaled, (x.At(i, j)-most)/a.Temperature)
				mean += v * math.Abs(scaled[len(scaled)-1])
			}
		}
		for n, e := range gauge.Random.Softmax(scaled).Acc {
			acc[i*x.Cols+left[n]] = e + p[left[n]]*(math.Abs(scaled[n])+mean)
		}
	}
	return o.set(y.finish(acc))
}

// evaluate runs an op as package reference has it, and takes its integers.
func (o *oracle) evaluate(spec op.Spec, src []op.Tensor) ([]op.Tensor, error) {
	spec.Const = clone(spec.Const, op.F64)
	src = clone(src, op.F64)
	dst, err := op.Shapes(spec, src, op.F64)
	if err != nil {
		return nil, err
	}
	k, err := refimpl.New().Open(spec)
	if err != nil {
		return nil, err
	}
	if err := k.Run(dst, src); err != nil {
		return nil, err
	}
	o.ints[0], o.ints[1] = dst[0].I64, dst[1].I64
	return dst, nil
}

func (o *oracle) beamSearch(a op.BeamSearchArgs) error {
	if a.State.Len() != 1 || len(a.End) > 0 {
		return op.Unsupported("beam_search", "workloads have one search, in which nothing ends")
	}
	dst, err := o.evaluate(op.Spec{Op: "beam_search", Attrs: raw(a.BeamSearchAttrs)}, []op.Tensor{a.Logits, a.Next, a.State})
	if err != nil {
		return err
	}
	logits := exact(a.Logits)
	return o.scores(dst, a.LengthPenalty, func(tokens []int64) estimate {
		var states []int
		state := a.State.I64[0]
		for _, token := range tokens {
			states = append(states, int(state))
			state = a.Next.I64[int(state)*logits.Cols+int(token)]
		}
		return logits.gather(states, span(0, logits.Cols))
	})
}

func (o *oracle) generate(a op.GPTGenerateArgs) error {
	if !a.Prompt.Present() || a.Prompt.Shape[0] != 1 || len(a.End) > 0 || a.LengthPenalty != 0 {
		return op.Unsupported("gpt.generate", "workloads continue one prompt, and nothing ends")
	}
	spec := op.Spec{Op: "gpt.generate", Attrs: raw(a.GPTGenerateAttrs), Const: a.GPTWeights.Tensors()}
	dst, err := o.evaluate(spec, []op.Tensor{a.Prompt, {}})
	if err != nil {
		return err
	}
	prompt := a.Prompt.I64
	return o.scores(dst, 0, func(tokens []int64) estimate {
		all := append(append([]int64{}, prompt...), tokens[:len(tokens)-1]...)
		logits, _ := decoder(all, span(len(prompt)-1, len(all)), a.GPTAttrs, a.GPTWeights, span(0, a.Wte.Shape[0]))
		return logits
	})
}

// scores takes the scores of sequences: sums of log-softmax over N^alpha. logits gives the rows that a sequence's tokens were chosen from.
func (o *oracle) scores(dst []op.Tensor, alpha float64, logits func(tokens []int64) estimate) error {
	sequences, length := dst[0].Shape[1], dst[0].Shape[2]
	y, acc := newEstimate(1, sequences), make([]float64, sequences)
	penalty := math.Pow(float64(length), alpha)
	for k := range sequences {
		y.Data[k] = dst[2].F64[k]
		tokens := dst[0].I64[k*length : (k+1)*length]
		x, sum := logits(tokens), 0.0
		for n, token := range tokens {
			value := reference.LogSoftmax(x.Row(n))[token]
			own := gauge.Random.LogSoftmax(x.Row(n)).Acc[token] + math.Abs(value)
			sum += math.Abs(value)
			y.e[k] += own * own / (penalty * penalty)
			for j, p := range reference.Softmax(x.Row(n)) {
				if int64(j) == token {
					p--
				}
				e := p * x.e[n*x.Cols+j] / penalty
				y.e[k] += e * e
			}
		}
		acc[k] = (math.Sqrt(float64(length)) + 3) * sum / penalty
	}
	o.wants[2] = y.finish(acc)
	return nil
}
