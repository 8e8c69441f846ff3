package reference

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCrossEntropy(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name   string
		logits []float64
		target int
		want   float64
		units  float64
	}{
		{"one class", []float64{5}, 0, 0, 0},
		{"probability 1/6", []float64{0, math.Log(2), math.Log(3)}, 0, math.Log(6), 2},
		{"probability 3/6", []float64{0, math.Log(2), math.Log(3)}, 2, math.Ln2, 4},
		{"uniform over GPT-3's vocabulary", make([]float64, 50257), 50256, 10.824905119702080107, 1},
		{"far shift", []float64{1e12, 1e12 + math.Ldexp(1, -10)}, 0, math.Log1p(math.Exp(math.Ldexp(1, -10))), 2},
		{"confident and right: e^-50", []float64{0, -50}, 0, 1.928749847963917783e-22, 4},
		{"confident and wrong", []float64{0, -1e4}, 1, 1e4, 0},
		{"target -Inf", []float64{0, -inf}, 1, inf, 0},
		{"another -Inf", []float64{0, -inf, 0}, 0, math.Ln2, 0},
		{"all -Inf", []float64{-inf, -inf}, 1, nan, 0},
		{"+Inf elsewhere", []float64{0, inf}, 0, nan, 0},
		{"+Inf target", []float64{0, inf}, 1, nan, 0},
		{"NaN elsewhere", []float64{0, nan}, 0, nan, 0},
		{"NaN target", []float64{nan, 0}, 0, nan, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			within(t, []float64{CrossEntropy(tt.logits, tt.target)}, []float64{tt.want}, tt.units)
		})
	}
}

func TestCrossEntropyAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		x := s.vector(1 + s.IntN(20))
		target := s.IntN(len(x))
		sameBits(t, []float64{CrossEntropy(x, target)}, []float64{-LogSoftmax(x)[target]})
		// The probabilities of all targets sum to 1.
		sum := 0.0
		for i := range x {
			sum += math.Exp(-CrossEntropy(x, i))
		}
		within(t, []float64{sum}, []float64{1}, float64(len(x)+64))
	})
}

func TestCrossEntropyRows(t *testing.T) {
	nan := math.NaN()
	ln2 := math.Ln2
	logits := rowsOf([]float64{0, 0}, []float64{nan, nan}, []float64{1, 1}, []float64{math.Inf(1), 0})
	for _, ignore := range []int{-100, 1, 7} {
		targets := []int{0, ignore, 0, ignore}
		losses := must(CrossEntropyRows(logits, targets, ignore))
		within(t, losses, []float64{ln2, 0, ln2, 0}, 0)
		within(t, Reduce(losses, targets, ignore, ReduceNone), losses, 0)
		within(t, Reduce(losses, targets, ignore, ReduceSum), []float64{2 * ln2}, 0)
		within(t, Reduce(losses, targets, ignore, ReduceMean), []float64{ln2}, 0)
	}

	// All ignored: defined, and not 0/0.
	targets := []int{-100, -100, -100, -100}
	losses := must(CrossEntropyRows(logits, targets, -100))
	sameBits(t, losses, make([]float64, 4))
	sameBits(t, Reduce(losses, targets, -100, ReduceMean), []float64{0})
	sameBits(t, Reduce(losses, targets, -100, ReduceSum), []float64{0})

	for _, bad := range []int{-1, 2, -100} {
		if _, err := CrossEntropyRows(logits, []int{0, 0, bad, 0}, 5); !errors.Is(err, ErrIndex) {
			t.Errorf("target %d: error %v, want ErrIndex", bad, err)
		}
	}
}

var _ = derivative(func(s source) []differentiable {
	all := []differentiable{crossEntropyOf(s)}
	all = append(all, rowDerivative(s, "CrossEntropy", func(x []float64) []float64 { return []float64{CrossEntropy(x, 2)} },
		func(x, dy []float64) []float64 { return CrossEntropyGrad(x, 2, dy[0]) }))
	for _, r := range []Reduction{ReduceNone, ReduceSum, ReduceMean} {
		all = append(all, lossOf(s, r))
	}
	return all
})

func crossEntropyOf(s source) differentiable {
	logits, targets := s.matrix(4, 5), []int{3, -1, 0, 3}
	return differentiable{"CrossEntropyRows", [][]float64{logits.Data}, func() []float64 { return must(CrossEntropyRows(logits, targets, -1)) },
		func(dy []float64) [][]float64 {
			return [][]float64{must(CrossEntropyRowsGrad(logits, targets, -1, dy)).Data}
		}}
}

func lossOf(s source, r Reduction) differentiable {
	losses, targets := s.vector(5), []int{3, -1, 0, 3, -1}
	for i, t := range targets {
		if t == -1 {
			losses[i] = 0
		}
	}
	eval := func() []float64 {
		y := slices.Clone(Reduce(losses, targets, -1, r))
		if r == ReduceNone {
			y[1], y[4] = 0, 0 // losses of ignored targets are no inputs: they are 0
		}
		return y
	}
	return differentiable{"Reduce " + string(r), [][]float64{losses}, eval,
		func(dy []float64) [][]float64 { return [][]float64{ReduceGrad(dy, targets, -1, r)} }}
}

func TestCrossEntropyGradAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		n := 2 + s.IntN(20)
		x := s.vector(n)
		dx := CrossEntropyGrad(x, n/2, 1.7)
		// A shift of the logits changes nothing, so their gradients sum to 0.
		if sum, _ := sumOf(dx); !(math.Abs(sum) <= 0x1p-53*64*float64(n)*2.7) {
			t.Fatalf("the gradient sums to %v", sum)
		}
		// LogSoftmax of a target is the loss with its sign turned.
		oneHot := make([]float64, n)
		oneHot[n/2] = -1.7
		within(t, LogSoftmaxGrad(x, oneHot), dx, 64)
	})
}

func TestSpecialsOfLossGrad(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	checkSpecials(t, []special{
		{"cross-entropy of equal logits", CrossEntropyGrad([]float64{7, 7}, 1, 3), []float64{1.5, -1.5}},
		{"cross-entropy, confident", CrossEntropyGrad([]float64{0, -700}, 0, 1), []float64{-math.Exp(-700), math.Exp(-700)}},
		{"cross-entropy with a target of -Inf", CrossEntropyGrad([]float64{0, -inf}, 1, 2), []float64{2, -2}},
		{"cross-entropy with +Inf", CrossEntropyGrad([]float64{0, inf}, 1, 2), []float64{nan, nan}},
		{"mean of nothing", ReduceGrad([]float64{3}, []int{-1, -1}, -1, ReduceMean), []float64{0, 0}},
		{"none, NaN upstream of an ignored target", ReduceGrad([]float64{3, nan}, []int{2, -1}, -1, ReduceNone), []float64{3, 0}},
		{"mean", ReduceGrad([]float64{3}, []int{0, -1, 4}, -1, ReduceMean), []float64{1.5, 0, 1.5}},
		{"sum", ReduceGrad([]float64{3}, []int{0, -1, 4}, -1, ReduceSum), []float64{3, 0, 3}},
	})
}
