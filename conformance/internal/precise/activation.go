package precise

func pointwise(f func(number) number, x *array) Step {
	return gives("y", func(i int) number { return f(x.at(i)) })
}

var _ = register("relu", none, func(_ noAttrs, in arrays) Step { return pointwise(relu, in["x"]) })

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

type geluAttrs struct {
	Approximate string `json:"approximate"`
}

var _ = register("gelu", func() geluAttrs { return geluAttrs{Approximate: "none"} }, gelu)

func gelu(a geluAttrs, in arrays) Step { return pointwise(gelus[a.Approximate], in["x"]) }

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
