package precise

// tape records how numbers were made of each other, so that a gradient is the chain rule along it: reverse accumulation, which knows the
// derivatives of +, *, /, exp, log, sqrt, tanh and erf, and no other formula.
type tape struct {
	nodes [][]edge // of what each number was made
}

// edge says that a number depends on from, with the derivative slope.
type edge struct {
	from  number
	slope number
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
	edges := make([]edge, 0, kept)
	for _, e := range made {
		if e.from.tape != nil {
			edges = append(edges, edge{number{at: e.from.at}, e.slope.plain()})
		}
	}
	t.nodes = append(t.nodes, edges)
	return number{v: z.v, tape: t, at: len(t.nodes) - 1}
}

// gradient returns sum_i seeds_i d outputs_i / d x for any number x on the tape.
func (t *tape) gradient(outputs, seeds []number) func(x number) number {
	adjoint := make([]number, len(t.nodes))
	for i := range adjoint {
		adjoint[i] = zero
	}
	for i, y := range outputs {
		if y.tape == t {
			adjoint[y.at] = add(adjoint[y.at], seeds[i])
		}
	}
	for i := len(t.nodes) - 1; i >= 0; i-- {
		if adjoint[i].isZero() {
			continue
		}
		for _, e := range t.nodes[i] {
			adjoint[e.from.at] = add(adjoint[e.from.at], product(adjoint[i], e.slope))
		}
	}
	return func(x number) number {
		if x.tape != t {
			return zero
		}
		return adjoint[x.at]
	}
}
