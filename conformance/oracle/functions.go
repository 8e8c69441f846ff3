package oracle

import "github.com/assaykit/assay/reference"

// call is one call of a function of reference.Primitives: what an error analysis needs to know of it. Each family's file describes the calls
// of its functions once; what is done with them is a hook's.
type call struct {
	out [][]float64            // the results; a hook may write over them
	own func(m Model) []Gauges // their gauges; nil where they are arguments that are moved or scaled, so that the function adds no error
	// summed is set where the op's loops add up results of other functions, in an op that is not a composite.
	summed *sum
}

// sum is a function of results that have gauges already, which add.
type sum struct {
	in     [][]float64
	again  func(in [][]float64) []float64
	gauges func(m Model, in [][]float64, gauges []Gauges) Gauges
}

// hook does with a call what it wants, and returns the results that the caller gets.
type hook func(call) [][]float64

// one passes on a call with one result.
func (h hook) one(y []float64, own func(m Model) Gauges) []float64 {
	return h(call{out: [][]float64{y}, own: func(m Model) []Gauges { return []Gauges{own(m)} }})[0]
}

// moved passes on a call whose result is made of arguments.
func (h hook) moved(y []float64) []float64 { return h(call{out: [][]float64{y}})[0] }

// hooks hold, for the functions of each family, what puts such in their places that pass their calls to a hook.
var hooks []func(f *reference.Primitives, h hook)

// replace enters how a family's functions are replaced. It is called where the package initialises, and returns what a variable there can be
// set to.
func replace(with func(f *reference.Primitives, h hook)) struct{} {
	hooks = append(hooks, with)
	return struct{}{}
}

// hooked returns the functions of SPEC.md with every call passed to h.
func hooked(h hook) reference.Primitives {
	f := reference.Exact
	for _, with := range hooks {
		with(&f, h)
	}
	return f
}

// like returns data as a matrix of m's dimensions.
func like(m reference.Matrix, data []float64) reference.Matrix {
	m.Data = data
	return m
}

// there returns the gauges of a result that is there, so that there is no error left to give.
func there(g Gauges, err error) Gauges {
	if err != nil {
		panic(err)
	}
	return g
}
