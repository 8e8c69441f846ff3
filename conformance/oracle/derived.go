package oracle

import (
	"errors"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
)

// derived evaluates an op whose gauges are formulas: the results and all their gauges, in one evaluation.
//
// A function returns tickets in the place of its results. The op's loops over batches, heads and caches move them as they would move
// results, and never look at them, since the op is no composite. Where they end, each is exchanged for the value and the gauges that it
// stands for. A ticket is a NaN whose payload is a number; no arithmetic makes such a NaN.
type derived struct {
	model  Model
	values []float64
	gauges Gauges

	composite bool // a function was given another's results, which only functions of composites are
}

const (
	ticketBits = 0x7ffa << 48
	ticketMask = 1<<48 - 1
)

func (d *derived) hook(c call) [][]float64 {
	if c.own == nil {
		return c.out
	}
	results := c.out
	var gauges []Gauges
	if in, known, ok := d.summands(c.summed); ok {
		results, gauges = [][]float64{c.summed.again(in)}, []Gauges{c.summed.gauges(d.model, in, known)}
	} else {
		gauges = c.own(d.model)
		for _, y := range results {
			d.composite = d.composite || slices.ContainsFunc(y, isTicket) // arithmetic on a NaN keeps its payload
		}
	}
	tickets := make([][]float64, len(results))
	for k, y := range results {
		if y == nil {
			continue
		}
		tickets[k] = make([]float64, len(y))
		for i, v := range y {
			tickets[k][i] = math.Float64frombits(ticketBits | uint64(len(d.values)))
			d.values = append(d.values, v)
			d.gauges.Acc = append(d.gauges.Acc, gauges[k].Acc[i])
			d.gauges.In = append(d.gauges.In, gauges[k].In[i])
			d.gauges.Eta = append(d.gauges.Eta, gauges[k].Eta[i])
		}
	}
	return tickets
}

// summands returns what the arguments of a sum stand for; ok is false where they are no tickets.
func (d *derived) summands(s *sum) (values [][]float64, gauges []Gauges, ok bool) {
	if s == nil || len(s.in[0]) == 0 || !slices.ContainsFunc(s.in[0], isTicket) {
		return nil, nil, false
	}
	for _, x := range s.in {
		y, g := d.redeem(x)
		values, gauges = append(values, y), append(gauges, g)
	}
	return values, gauges, true
}

func isTicket(v float64) bool { return math.Float64bits(v)&^ticketMask == ticketBits }

// redeem returns what the tickets in x stand for. Other numbers are exact, as they are where an op looks them up.
func (d *derived) redeem(x []float64) ([]float64, Gauges) {
	values, g := make([]float64, len(x)), exactly(x)
	for i, v := range x {
		values[i] = v
		if isTicket(v) {
			n := math.Float64bits(v) & ticketMask
			values[i], g.Acc[i], g.In[i], g.Eta[i] = d.values[n], d.gauges.Acc[n], d.gauges.In[n], d.gauges.Eta[n]
		}
	}
	return values, g
}

// ErrComposite is the error of Derive for an op in which a function works on another's results: its row must say Composite.
var ErrComposite = errors.New("oracle: the op is a composite: say so in its row of the op table")

// Derive evaluates an op that is not a composite: eval computes its results with the functions that it is given. Gauges follow SPEC.md,
// A.2 to A.8 and A.11.
func (m Model) Derive(eval Evaluation) ([]op.Tensor, []Gauges, error) {
	d := &derived{model: m}
	results, err := eval(hooked(d.hook), keep)
	if err != nil {
		return nil, nil, err
	}
	if d.composite {
		return nil, nil, ErrComposite
	}
	gauges := make([]Gauges, len(results))
	for i, t := range results {
		if t.DType == op.F64 {
			results[i].F64, gauges[i] = d.redeem(t.F64)
		}
	}
	return results, gauges, nil
}

// exactly are the gauges of results that no rounding reaches: rounding the inputs moves them by their own size.
func exactly(y []float64) Gauges {
	g := newGauges(len(y))
	g.In = magnitude(y)
	return g
}
