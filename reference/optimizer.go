package reference

import (
	"math"
)

// AdamConfig are the constants of Adam.
type AdamConfig struct {
	Beta1, Beta2, Eps float64
	WeightDecay       float64
	Decoupled         bool // AdamW: the decay acts on the parameters and not on the gradient
}

// AdamState is a parameter tensor and its moments, all of one length.
type AdamState struct{ Param, M, V []float64 }

// Clone returns a state of its own.
func (s AdamState) Clone() AdamState {
	return AdamState{append([]float64(nil), s.Param...), append([]float64(nil), s.M...), append([]float64(nil), s.V...)}
}

// Adam returns the state after step t = 1, 2, ... of Adam (Kingma and Ba 2015, algorithm 1), element by element
//
//	g  = grad + wd param                                     coupled decay; decoupled: g = grad
//	m' = beta1 m + (1 - beta1) g
//	v' = beta2 v + (1 - beta2) g^2
//	param' = param - lr wd param                             decoupled only (Loshchilov and Hutter 2019, algorithm 2)
//	       - lr (m' / (1 - beta1^t)) / (sqrt(v' / (1 - beta2^t)) + eps)
//
// The decay of a decoupled step is of the old parameter. eps is outside the root, and added after the correction. The root
// is formed as sqrt(v') / sqrt(1 - beta2^t), since the corrected v' may overflow where its root does not.
//
// Special cases: m' = 0 moves nothing when eps > 0, and gives NaN, 0/0, where eps = 0 and v' = 0; a NaN or an infinity in
// an element of grad makes that element of param NaN.
func Adam(s AdamState, grad []float64, lr float64, t int, c AdamConfig) AdamState {
	require(len(s.Param) == len(grad) && len(s.M) == len(grad) && len(s.V) == len(grad) && t >= 1,
		"Adam: %d parameters, %d and %d moments, %d gradients, step %d", len(s.Param), len(s.M), len(s.V), len(grad), t)
	correct1, root2 := BiasCorrection(c.Beta1, t), math.Sqrt(BiasCorrection(c.Beta2, t))
	next := s.Clone()
	for i, g := range grad {
		p := s.Param[i]
		if !c.Decoupled {
			g = float64(c.WeightDecay*p) + g
		}
		m := float64(c.Beta1*s.M[i]) + float64((1-c.Beta1)*g)
		v := float64(c.Beta2*s.V[i]) + float64((1-c.Beta2)*g*g)
		if c.Decoupled {
			p -= float64(lr * c.WeightDecay * p)
		}
		next.M[i], next.V[i] = m, v
		next.Param[i] = p - float64(lr*(m/correct1)/(math.Sqrt(v)/root2+c.Eps))
	}
	return next
}

// BiasCorrection returns 1 - beta^t, what t steps of a moment that started at 0 add up to. It is formed as
// -expm1(t log beta), which does not cancel for beta near 1.
func BiasCorrection(beta float64, t int) float64 { return -math.Expm1(float64(t) * math.Log(beta)) }

// SGDConfig are the constants of gradient descent.
type SGDConfig struct {
	Momentum, Dampening float64
	Nesterov            bool
	WeightDecay         float64
}

// SGDState is a parameter tensor and its velocity, of one length. The velocity is nil before the first step.
type SGDState struct{ Param, Velocity []float64 }

// SGD returns the state after one step of gradient descent as PyTorch takes it (Sutskever et al. 2013), element by element
//
//	g = grad + wd param
//	v' = momentum v + (1 - dampening) g         the first step: v' = g; without momentum always
//	param' = param - lr v'                      Nesterov: param - lr (g + momentum v')
//
// NaN and infinities go where the equations carry them.
func SGD(s SGDState, grad []float64, lr float64, c SGDConfig) SGDState {
	require(len(s.Param) == len(grad) && (s.Velocity == nil || len(s.Velocity) == len(grad)),
		"SGD: %d parameters, %d velocities, %d gradients", len(s.Param), len(s.Velocity), len(grad))
	next := SGDState{make([]float64, len(grad)), make([]float64, len(grad))}
	for i, g := range grad {
		g = float64(c.WeightDecay*s.Param[i]) + g
		v := g
		if c.Momentum != 0 && s.Velocity != nil {
			v = float64(c.Momentum*s.Velocity[i]) + float64((1-c.Dampening)*g)
		}
		step := v
		if c.Nesterov {
			step = float64(c.Momentum*v) + g
		}
		next.Velocity[i] = v
		next.Param[i] = s.Param[i] - float64(lr*step)
	}
	return next
}
