package precise

// matmul: MM-1, MM-2.
func matmul(a attributes, in arrays) Step {
	x, y := in["a"], in["b"]
	rows, inner, cols := x.dim(-2), x.dim(-1), y.dim(-1)
	if a.TransposeA {
		rows, inner = inner, rows
	}
	if a.TransposeB {
		cols = y.dim(-2)
	}
	return gives("c", func(at int) number {
		batch, i, j := at/(rows*cols), at/cols%rows, at%cols
		left := x.strip((batch*rows+i)*inner, 1, inner)
		if a.TransposeA {
			left = x.strip(batch*rows*inner+i, rows, inner)
		}
		right := y.strip(batch*inner*cols+j, cols, inner)
		if a.TransposeB {
			right = y.strip((batch*cols+j)*inner, 1, inner)
		}
		return dot(left, right)
	})
}

// affine is one row of LIN: x W + b, b nil where it is absent.
func affine(x []number, w, b *array) []number {
	y := make([]number, w.dim(1))
	for j := range y {
		y[j] = affineAt(x, w, b, j)
	}
	return y
}

func affineAt(x []number, w, b *array, j int) number {
	y := dot(x, w.column(j))
	if b != nil {
		y = add(y, b.at(j))
	}
	return y
}

func linear(_ attributes, in arrays) Step {
	x, w, b := in["x"], in["w"], in["b"]
	n := w.dim(1)
	return gives("y", func(at int) number { return affineAt(x.row(at/n), w, b, at%n) })
}

// exponentials returns m = max x_j and the numbers exp(x_j - m), whose sum is S: SM-1.
func exponentials(xs []number) (m number, es []number) {
	m = largest(xs)
	es = make([]number, len(xs))
	for j, x := range xs {
		es[j] = exp(sub(x, m))
	}
	return m, es
}

func softmax(_ attributes, in arrays) Step {
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

// logSoftmax: SM-6.
func logSoftmax(_ attributes, in arrays) Step {
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

func pointwise(choose func(attributes) func(number) number) func(attributes, arrays) Step {
	return func(a attributes, in arrays) Step {
		f, x := choose(a), in["x"]
		return gives("y", func(i int) number { return f(x.at(i)) })
	}
}

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

// normalized is one row of LN: (x - mu) / sqrt(var + eps) gamma + beta. With var = mean(x^2) - mu^2 over one denominator,
// (n sum x^2 - (sum x)^2) / n^2, and x - mu = (n x - sum x) / n, a constant row has a variance of exactly 0.
func normalized(xs []number, gamma, beta *array, eps float64) []number {
	n := ofInt(len(xs))
	total := sum(xs...)
	variance := quo(sub(mul(n, dot(xs, xs)), square(total)), square(n))
	sigma := sqrt(add(variance, of(eps)))
	y := make([]number, len(xs))
	for i, x := range xs {
		d := quo(sub(mul(n, x), total), n)
		y[i] = add(mul(quo(d, sigma), gamma.at(i)), beta.at(i))
	}
	return y
}

func layerNorm(a attributes, in arrays) Step {
	x := in["x"]
	return gives("y", byRow(x.dim(-1), func(i int) []number { return normalized(x.row(i), in["gamma"], in["beta"], a.Eps) }))
}

// lookup gives rows of a table: EMB-1, PE-4. A row that the table lacks is an error of the kind given.
func lookup(table *array, at []int64, kind string) Step {
	for _, i := range at {
		if i < 0 || i >= int64(table.dim(0)) {
			return fails(kind)
		}
	}
	d := table.dim(1)
	return gives("y", func(i int) number { return table.at(int(at[i/d])*d + i%d) })
}

func embedding(_ attributes, in arrays) Step { return lookup(in["table"], in["ids"].I64, "index") }

func learnedPositions(_ attributes, in arrays) Step {
	return lookup(in["table"], in["pos"].I64, "position")
}

// sinusoid is element i of PE-1's row of width d for a position.
func sinusoid(pos int64, i, d int) number {
	angle := quo(ofInt(int(pos)), pow(ofInt(10000), ratio(int64(i-i%2), int64(d))))
	if i%2 == 0 {
		return sin(angle)
	}
	return cos(angle)
}

func sinusoidalPositions(a attributes, in arrays) Step {
	pos := in["pos"].I64
	for _, p := range pos {
		if p < 0 {
			return fails("position")
		}
	}
	return gives("y", func(i int) number { return sinusoid(pos[i/a.DModel], i%a.DModel, a.DModel) })
}

// crossEntropyOf is XE-1 on one row, in [0, V) its target: log S - (x_t - m).
func crossEntropyOf(xs []number, target int64) number {
	m, es := exponentials(xs)
	return sub(logSum(es), sub(xs[target], m))
}

// reduced is XE-3 to XE-5 over the losses of rows, asked for only where a row is not ignored.
func reduced(a attributes, targets []int64, loss func(row int) number) Result {
	rowLoss := byRow(1, func(i int) []number {
		if targets[i] == a.IgnoreIndex {
			return []number{zero}
		}
		return []number{loss(i)}
	})
	if a.Reduction == "none" {
		return rowLoss
	}
	return byRow(1, func(int) []number {
		total, counted := zero, 0
		for i, t := range targets {
			if t != a.IgnoreIndex {
				total = add(total, rowLoss(i))
				counted++
			}
		}
		if a.Reduction == "mean" && counted > 0 {
			total = quo(total, ofInt(counted))
		}
		return []number{total}
	})
}

// validTargets: XE-6.
func validTargets(a attributes, targets []int64, classes int) bool {
	for _, t := range targets {
		if t != a.IgnoreIndex && (t < 0 || t >= int64(classes)) {
			return false
		}
	}
	return true
}

func crossEntropy(a attributes, in arrays) Step {
	logits, targets := in["logits"], in["targets"].I64
	if !validTargets(a, targets, logits.dim(1)) {
		return fails("index")
	}
	return gives("loss", reduced(a, targets, func(i int) number { return crossEntropyOf(logits.row(i), targets[i]) }))
}
