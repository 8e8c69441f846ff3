package precise

import "math/big"

// tape records how numbers were made of each other, so that a gradient is the chain rule along it: reverse accumulation, which knows the
// derivatives of +, *, /, exp, log, sqrt, tanh and erf, and no other formula.
type tape struct {
	nodes [][]link // of what each number was made
}

// edge says that a number depends on from, with the derivative slope; link is the same on the tape.
type edge struct{ from, slope number }

type link struct {
	at    int
	slope *big.Float // nil: NaN
}

// variable places a constant on the tape, as something to differentiate by.
func (t *tape) variable(x number) number {
	t.nodes = append(t.nodes, nil)
	return number{v: x.v, tape: t, at: len(t.nodes) - 1}
}

// record places z on the tape of what it was made of, if there is one.
func record(z number, made ...edge) number {
	var t *tape
	kept := 0
	for _, e := range made {
		if e.from.tape != nil {
			t = e.from.tape
			kept++
		}
	}
	if t == nil {
		return z
	}
	links := make([]link, 0, kept)
	for _, e := range made {
		if e.from.tape != nil {
			links = append(links, link{e.from.at, e.slope.v})
		}
	}
	t.nodes = append(t.nodes, links)
	return number{v: z.v, tape: t, at: len(t.nodes) - 1}
}

// gradient returns sum_i seeds_i d outputs_i / d x for any number x on the tape. It is 0 where no output depends on x; where one does, 0 times
// what is not finite is NaN, as it is everywhere.
func (t *tape) gradient(outputs, seeds []number) func(x number) number {
	adjoints := make([]number, len(t.nodes))
	reached := make([]bool, len(t.nodes))
	give := func(at int, g number) {
		if reached[at] {
			g = add(adjoints[at], g)
		}
		adjoints[at], reached[at] = g, true
	}
	for i, y := range outputs {
		if y.tape == t {
			give(y.at, seeds[i])
		}
	}
	for i := len(t.nodes) - 1; i >= 0; i-- {
		if reached[i] {
			for _, l := range t.nodes[i] {
				give(l.at, product(adjoints[i], number{v: l.slope}))
			}
		}
	}
	return func(x number) number {
		if x.tape != t || !reached[x.at] {
			return zero
		}
		return adjoints[x.at]
	}
}

// gradientOf makes the gradient of an op, GRAD-1: of its result, with the upstream gradient, by every float argument that is not a mask.
func gradientOf[A any](forward func(A, arrays) Step) func(A, arrays) Step {
	return func(a A, in arrays) Step {
		tp := new(tape)
		variables := arrays{}
		for name, arg := range in {
			variables[name] = arg
			if arg.isFloat() && name != "mask" {
				variables[name] = arg.on(tp)
			}
		}
		step := forward(a, variables)
		if step.Faults != nil {
			return step
		}
		var outputs, seeds []number
		for name, result := range step.Results { // there is one
			upstream := in["d"+name]
			delete(variables, "d"+name)
			for i := range upstream.Len() {
				outputs, seeds = append(outputs, result(i)), append(seeds, upstream.at(i))
			}
		}
		gradient := tp.gradient(outputs, seeds)
		results := map[string]Result{}
		for name, arg := range variables {
			results["d"+name] = func(i int) number { return gradient(arg.at(i)) }
		}
		return Step{Results: results}
	}
}

// on returns the array with its elements on the tape.
func (a *array) on(t *tape) *array {
	placed := &array{Tensor: a.Tensor, memo: make([]number, a.Len())}
	for i := range placed.memo {
		placed.memo[i] = t.variable(a.at(i))
	}
	return placed
}
