package reference

// torchMixture is PyTorch's cross-entropy with class weights w or label smoothing s, which SPEC.md leaves to the caller, composed of the
// losses that it has:
//
//	loss_n = sum_k q_nk CrossEntropy(x_n, k)        q_nk = w_t (1 - s) 1[k = t] + w_k s / V, 0 where the target t is ignored
//
// mean divides by the sum of w_t over the rows that are not ignored.
type torchMixture struct {
	logits, q Matrix
	divisor   float64 // of the sum of losses; 0: no reduction
}

// mixture returns the mixture of a case, ok = false where it has neither weights nor smoothing.
func (c torchCase) mixture() (m torchMixture, ok bool) {
	smoothing := c.Attributes["label_smoothing"].(float64)
	if c.find("weight") == nil && smoothing == 0 {
		return m, false
	}
	m.logits = c.logits()
	classes := m.logits.Cols
	w := filled(classes, 1)
	if c.find("weight") != nil {
		w = c.vector("weight")
	}
	m.q = NewMatrix(m.logits.Rows, classes)
	total := 0.0
	for n, t := range c.find("target").ints() {
		if t == c.integer("ignore_index") {
			continue
		}
		for k := range classes {
			m.q.Row(n)[k] = w[k] * smoothing / float64(classes)
		}
		m.q.Row(n)[t] += w[t] * (1 - smoothing)
		total += w[t]
	}
	m.divisor = map[string]float64{"none": 0, "sum": 1, "mean": total}[c.Attributes["reduction"].(string)]
	return m, true
}

func (m torchMixture) loss() []float64 {
	losses, sum := make([]float64, m.q.Rows), 0.0
	for n := range losses {
		for k, q := range m.q.Row(n) {
			if q != 0 {
				losses[n] += q * CrossEntropy(m.logits.Row(n), k)
			}
		}
		sum += losses[n]
	}
	if m.divisor != 0 {
		return []float64{sum / m.divisor}
	}
	return losses
}

// grad returns dlogits, given the upstream gradient of the loss.
func (m torchMixture) grad(dloss []float64) Matrix {
	dx := NewMatrix(m.q.Rows, m.q.Cols)
	for n := range m.q.Rows {
		d := dloss[min(n, len(dloss)-1)]
		if m.divisor != 0 {
			d /= m.divisor
		}
		for k, q := range m.q.Row(n) {
			axpy(dx.Row(n), 1, CrossEntropyGrad(m.logits.Row(n), k, d*q))
		}
	}
	return dx
}
