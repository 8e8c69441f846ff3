package oracle

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// Kind is one of the three gauges.
type Kind int

// The kinds: what the arithmetic does, what rounding the inputs and all that is stored does, and what underflow does.
const (
	Acc Kind = iota
	In
	Eta
)

// Kinds are all of them.
var Kinds = []Kind{Acc, In, Eta}

// of returns where the gauges of a kind are.
func (g *Gauges) of(k Kind) *[]float64 { return []*[]float64{&g.Acc, &g.In, &g.Eta}[k] }

// Probes is how many vectors of errors are usual: their root mean square is within an eighth of that of all.
const Probes = 32

// ErrUnsteady is wrapped by the error of a propagation through a computation that takes another course where rounding moves its numbers: a
// token changes.
var ErrUnsteady = errors.New("rounding decides here")

// Propagate estimates the gauges of the results of a composite, or of any sequence of ops, to first order. Each function adds to its results
// y errors of its own, as in MonteCarlo
//
//	Acc: its own Acc, and |y|        In: |y|, and the inputs theirs        Eta: its own Eta
//
// and what becomes of them, with all that cancels and all that does not, is the sum of squares over the sources s of the errors
//
//	E_i = sqrt( sum_s (dy_i/ds own_s)^2 )
//
// which is the mean square of sum_s (dy_i/ds own_s xi_s) for independent signs xi_s. So many probes carry signs; the first evaluation is
// exact and computes the gauges of every call, once. A gauge is at least half of its row's median, as in MonteCarlo, which draws 64 vectors
// of normal numbers and computes every gauge anew for each. Gauges of kinds that are not named stay empty.
func (m Model) Propagate(eval Evaluation, probes int, kinds ...Kind) (results []op.Tensor, gauges []Gauges, err error) {
	p := &propagation{model: m, kinds: kinds}
	if results, err = eval(hooked(p.record), keep); err != nil {
		return nil, nil, err
	}
	gauges = make([]Gauges, len(results))
	for _, p.kind = range kinds {
		for i, t := range results {
			*gauges[i].of(p.kind) = make([]float64, len(t.F64))
		}
		for n := range probes {
			if err := p.probe(eval, uint64(n), results, gauges); err != nil {
				return nil, nil, err
			}
		}
		for i, t := range results {
			g := *gauges[i].of(p.kind)
			for j, square := range g {
				g[j] = math.Sqrt(square / float64(probes))
			}
			floor(g, t.Shape)
		}
	}
	return results, gauges, nil
}

// propagation carries errors of one kind through the calls of functions.
type propagation struct {
	model Model
	kinds []Kind
	own   [][]Gauges // of each call, of these kinds; none where a function adds no error
	kind  Kind
	next  int // of calls
	signs *rand.PCG
	bits  uint64 // of which one is left for each sign
	left  int
}

func (p *propagation) record(c call) [][]float64 {
	var own []Gauges
	if c.own != nil {
		own = c.own(p.model)
		for k := range own {
			for _, kind := range Kinds {
				if kind == In || !slices.Contains(p.kinds, kind) { // which nothing reads
					*own[k].of(kind) = nil
				}
			}
		}
	}
	p.own = append(p.own, own)
	return c.out
}

// probe adds the squares of the errors that one vector of signs gives.
func (p *propagation) probe(eval Evaluation, n uint64, exact []op.Tensor, gauges []Gauges) error {
	p.next, p.left, p.signs = 0, 0, rand.NewPCG(uint64(p.kind), n)
	moved, err := eval(hooked(p.carry), p.input)
	if err == nil && p.next != len(p.own) {
		err = fmt.Errorf("%w: %d calls of functions, then %d", ErrUnsteady, len(p.own), p.next)
	}
	if err != nil {
		return fmt.Errorf("perturbed evaluation: %w", err)
	}
	for i, t := range exact {
		if !slices.Equal(t.I64, moved[i].I64) {
			return fmt.Errorf("%w: result %d has other integers", ErrUnsteady, i)
		}
		g := *gauges[i].of(p.kind)
		for j, y := range t.F64 {
			if d := (moved[i].F64[j] - y) / unit; !math.IsNaN(d) && !math.IsInf(d, 0) {
				g[j] += d * d
			}
		}
	}
	return nil
}

// unit is the size of one unit of roundoff in a probe: so small that the response is linear and decisions stay, and so large that float64's
// own roundoff is 2^-17 of it.
const unit = 0x1p-36

// carry adds to results the errors of their function.
func (p *propagation) carry(c call) [][]float64 {
	if p.next++; p.next > len(p.own) || c.own == nil {
		return c.out
	}
	for k, y := range c.out {
		var own []float64
		if p.kind != In {
			own = *p.own[p.next-1][k].of(p.kind)
		}
		if own != nil && len(own) != len(y) {
			return c.out // the computation has taken another course, which probe reports
		}
		for i, v := range y {
			e := 0.0
			if p.kind != Eta {
				e = math.Abs(v)
			}
			if own != nil {
				e += own[i]
			}
			y[i] = p.moved(v, e)
		}
	}
	return c.out
}

// input gives a float input the error of rounding it to the storage format.
func (p *propagation) input(t op.Tensor) op.Tensor {
	if t.DType != op.F64 || p.kind != In {
		return t
	}
	out := op.New(op.F64, t.Shape...)
	for i, x := range t.F64 {
		out.F64[i] = p.moved(x, math.Abs(x))
	}
	return out
}

// moved returns x with an error of either sign. What is not finite has none.
func (p *propagation) moved(x, e float64) float64 {
	if p.left == 0 {
		p.bits, p.left = p.signs.Uint64(), 64
	}
	if p.bits&1 != 0 {
		e = -e
	}
	p.bits, p.left = p.bits>>1, p.left-1
	if y := x + unit*e; !math.IsNaN(y) && !math.IsInf(y, 0) {
		return y
	}
	return x
}
