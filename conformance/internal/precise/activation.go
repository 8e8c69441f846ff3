package precise

func pointwise(choose func(attributes) func(number) number) func(attributes, arrays) Step {
	return func(a attributes, in arrays) Step {
		f, x := choose(a), in["x"]
		return gives("y", func(i int) number { return f(x.at(i)) })
	}
}

func reluOf(attributes) func(number) number { return relu }

// relu: ACT-1; its derivative is 0 at 0 and NaN at NaN, GRAD-8.
func relu(x number) number {
	switch {
	case x.isNaN():
		return record(nan, edge{x, nan})
	case x.sign() > 0:
		return x
	}
	return zero
}

func geluOf(a attributes) func(number) number { return gelus[a.Approximate] }

// gelus are the two forms, by the name of the attribute approximate.
var gelus = map[string]func(number) number{
	"none": atInfinities(geluErf),
	"tanh": atInfinities(geluTanh),
}

// activations are those that layers name.
var activations = map[string]func(number) number{"relu": relu, "gelu": gelus["none"], "gelu_tanh": gelus["tanh"]}

// atInfinities gives a form of GELU its values and derivatives at what is not finite: ACT-4, GRAD-11.
func atInfinities(f func(number) number) func(number) number {
	return func(x number) number {
		switch {
		case x.isNaN():
			return record(nan, edge{x, nan})
		case x.isFinite():
			return f(x)
		case x.sign() > 0:
			return x
		}
		return zero
	}
}

// geluErf: ACT-2, x/2 (1 + erf(x / sqrt 2)).
func geluErf(x number) number {
	return mul(mul(x, half), onePlusErf(quo(x, sqrt(two))))
}

// geluTanh: ACT-3, x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
func geluTanh(x number) number {
	inner := add(x, mul(ratio(44715, 1_000_000), mul(x, square(x))))
	return mul(mul(x, half), onePlusTanh(mul(sqrt(quo(two, pi())), inner)))
}
