// Package precise evaluates the ops of SPEC.md with 256 bits, as a second opinion about package reference.
//
// It was written from SPEC.md's text, not from the reference, and shares nothing with it: numbers are those of math/big, elementary functions
// are package bigmath's, formulas are the plain ones of the clauses (1 + erf, mean(x^2) - mu^2), a cache is the list of what was put in, and
// gradients are the chain rule along a record of the forward evaluation. At 256 bits none of that costs accuracy that float64 could see.
// It is internal: for this project's tests, not for users of the suite.
package precise

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// Step is what one Run of a case gives.
type Step struct {
	Results map[string]Result // by the name of the destination
	Faults  []string          // or else the kinds of error that apply, as vector.Step.Error has them
}

// Result is an array that is evaluated element by element, as elements are asked for.
type Result func(i int) number

// Float returns element i: nil for NaN.
func (r Result) Float(i int) *big.Float { return r(i).v }

// float64 returns element i rounded, and whether it is a number.
func (r Result) float64(i int) (float64, bool) {
	x := r(i)
	if x.isNaN() {
		return math.NaN(), false
	}
	v, _ := x.v.Float64()
	return v, true
}

// Evaluate evaluates the steps of a case of the named op. Steps that must fail for a shape or an attribute are taken at their word.
func Evaluate(name string, c *vector.Case) ([]Step, error) {
	open := openers[name]
	if open == nil {
		return nil, fmt.Errorf("%s: not evaluated here", name)
	}
	var run kernel // opened by the first step that can be evaluated
	steps := make([]Step, len(c.Steps))
	for i, s := range c.Steps {
		if s.Error == "shape" || s.Error == "attributes" {
			steps[i].Faults = []string{s.Error}
			continue
		}
		if run == nil {
			var err error
			if run, err = open(c.Attrs, arraysOf(c.Const)); err != nil {
				return nil, fmt.Errorf("%s: %w", c.ID, err)
			}
		}
		steps[i] = run(arraysOf(s.Src))
	}
	return steps, nil
}

// kernel evaluates one step, and keeps what the op keeps between steps.
type kernel func(src arrays) Step

// openers open the kernel of each op, for the attributes and the constants of a case.
var openers = map[string]func(attrs json.RawMessage, consts arrays) (kernel, error){}

// registerStateful has an op evaluated that keeps something between steps. Its attributes are what defaults gives where a case gives none.
func registerStateful[A any](name string, defaults func() A, open func(A, arrays) kernel) struct{} {
	if openers[name] != nil {
		panic(name + " is registered twice")
	}
	openers[name] = func(attrs json.RawMessage, consts arrays) (kernel, error) {
		a := defaults()
		if err := op.DecodeJSON(attrs, &a); err != nil { // an attribute that is not looked at here is a second opinion about something else
			return nil, err
		}
		return open(a, consts), nil
	}
	return struct{}{}
}

// register has an op evaluated that is a function of its attributes and all arguments, and with it its gradient, if the op table has one: that
// follows from the forward by a tape.
func register[A any](name string, defaults func() A, f func(A, arrays) Step) struct{} {
	if gradient := name + ".grad"; slices.Contains(op.Names(), gradient) {
		registerStateful(gradient, defaults, stateless(gradientOf(f)))
	}
	return registerStateful(name, defaults, stateless(f))
}

// stateless makes a kernel of a function of attributes and all arguments.
func stateless[A any](f func(A, arrays) Step) func(A, arrays) kernel {
	return func(a A, consts arrays) kernel {
		return func(src arrays) Step { return f(a, consts.with(src)) }
	}
}

// noAttrs are the attributes of ops that have none, and none their defaults.
type noAttrs struct{}

func none() noAttrs { return noAttrs{} }

func gives(name string, r Result) Step { return Step{Results: map[string]Result{name: r}} }

func fails(kinds ...string) Step { return Step{Faults: kinds} }

// array is an argument. Its elements become numbers when they are first used, those of large arrays every time.
type array struct {
	op.Tensor
	memo []number
}

// small is the size up to which arrays keep their numbers.
const small = 1 << 17

type arrays map[string]*array

func arraysOf(ins []vector.Input) arrays {
	as := arrays{}
	for _, in := range ins {
		if in.DType != 0 {
			as[in.Name] = &array{Tensor: in.Tensor()}
		}
	}
	return as
}

func (as arrays) with(more arrays) arrays {
	all := arrays{}
	for _, m := range []arrays{as, more} {
		for name, a := range m {
			all[name] = a
		}
	}
	return all
}

func (a *array) isFloat() bool { return a.DType == op.F32 || a.DType == op.F64 }

// at returns element i of a float array.
func (a *array) at(i int) number {
	if a.memo == nil {
		if a.Len() > small {
			return of(a.At(i))
		}
		a.memo = make([]number, a.Len())
		for i := range a.memo {
			a.memo[i] = of(a.At(i))
		}
	}
	return a.memo[i]
}

// dim returns the length of an axis; negative ones count from the last.
func (a *array) dim(axis int) int {
	if axis < 0 {
		axis += len(a.Shape)
	}
	return a.Shape[axis]
}

// part returns part i of the first axis.
func (a *array) part(i int) *array {
	if a == nil {
		return nil
	}
	n := a.Len() / a.dim(0)
	p := &array{Tensor: op.Tensor{DType: a.DType, Shape: a.Shape[1:]}}
	switch a.DType {
	case op.F32:
		p.F32 = a.F32[i*n : (i+1)*n]
	case op.F64:
		p.F64 = a.F64[i*n : (i+1)*n]
	}
	if a.memo != nil {
		p.memo = a.memo[i*n : (i+1)*n]
	}
	return p
}

// strip returns the n elements at start, start+stride, ...
func (a *array) strip(start, stride, n int) []number {
	xs := make([]number, n)
	for i := range xs {
		xs[i] = a.at(start + i*stride)
	}
	return xs
}

// row returns row i along the last axis.
func (a *array) row(i int) []number {
	n := a.dim(-1)
	return a.strip(i*n, 1, n)
}

// rows returns all rows.
func (a *array) rows() [][]number {
	rows := make([][]number, a.Len()/a.dim(-1))
	for i := range rows {
		rows[i] = a.row(i)
	}
	return rows
}

// column returns column j of a matrix.
func (a *array) column(j int) []number { return a.strip(j, a.dim(1), a.dim(0)) }

// listed is the result whose elements are those of the rows, one after the other.
func listed(rows [][]number) Result {
	all := slices.Concat(rows...)
	return func(i int) number { return all[i] }
}

// byRow is the result whose rows of n elements are evaluated when an element of theirs is asked for.
func byRow(n int, row func(i int) []number) Result {
	known := map[int][]number{}
	return func(i int) number {
		r, ok := known[i/n]
		if !ok {
			r = row(i / n)
			known[i/n] = r
		}
		return r[i%n]
	}
}
