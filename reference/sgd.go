package reference

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
