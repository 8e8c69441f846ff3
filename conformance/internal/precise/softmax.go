package precise

// exponentials returns m = max x_j and the numbers exp(x_j - m), whose sum is S: SM-1.
func exponentials(xs []number) (m number, es []number) {
	m = largest(xs)
	es = make([]number, len(xs))
	for j, x := range xs {
		es[j] = exp(sub(x, m))
	}
	return m, es
}

var _ = register("softmax", none, softmax)

func softmax(_ noAttrs, in arrays) Step {
	x := in["x"]
	return gives("y", byRow(x.dim(-1), func(i int) []number {
		_, es := exponentials(x.row(i))
		s := sum(es...)
		for j := range es {
			es[j] = quo(es[j], s)
		}
		return es
	}))
}

var _ = register("log_softmax", none, logSoftmax)

// logSoftmax: SM-6.
func logSoftmax(_ noAttrs, in arrays) Step {
	x := in["x"]
	return gives("y", byRow(x.dim(-1), func(i int) []number {
		xs := x.row(i)
		m, es := exponentials(xs)
		logS := logSum(es)
		y := make([]number, len(xs))
		for j := range y {
			y[j] = sub(sub(xs[j], m), logS)
		}
		return y
	}))
}
