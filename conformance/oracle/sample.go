package oracle

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// Sample is what some elements of one result must be.
type Sample struct {
	Index  []int     // flat positions in the result
	Want   []float64 // of floats
	Ints   []int64   // of integers
	Gauges Gauges    // of floats; empty for kinds that were not asked for
}

// Sample returns what the elements at wanted[i] of each result i of the last step must be, and their gauges, at the cost of the smaller calls
// that hold them. What an op cannot cut costs what the whole costs. It is for a use in which nothing fails.
func (m Model) Sample(u Use, wanted [][]int, probes int, kinds ...Kind) ([]Sample, error) {
	if !op.Stateful(u.Spec.Op) {
		u.Steps = u.Steps[len(u.Steps)-1:]
	}
	pieces := []piece{{Use: u, at: wanted}}
	if cut, ok := cutters[u.Spec.Op]; ok {
		var err error
		if pieces, err = cut(u, wanted); err != nil {
			return nil, err
		}
	}
	samples := make([]Sample, len(wanted))
	for i, at := range wanted {
		samples[i].Index = at
	}
	for _, p := range pieces {
		steps, gauges, err := m.Evaluate(p.Use, probes, kinds...)
		if err != nil {
			return nil, err
		}
		results := steps[len(steps)-1]
		gauges = gauges[len(gauges)-len(results):]
		for i, at := range p.at {
			samples[i].take(at, results[i], gauges[i])
		}
	}
	for i, s := range samples {
		if slices.ContainsFunc(s.Want, isHole) {
			return nil, errors.New("oracle: " + u.Spec.Op + ": a wanted element was cut away, result " + fmt.Sprint(i))
		}
	}
	return samples, nil
}

// piece is a smaller use whose last results hold wanted elements of a larger one.
type piece struct {
	Use
	at [][]int // of each result, where its wanted elements are in the piece; nowhere for one that is in another piece
}

const nowhere = -1

// take takes the elements that are in a piece.
func (s *Sample) take(at []int, result op.Tensor, g Gauges) {
	grow := func(to *[]float64, from []float64) {
		if *to == nil && from != nil {
			*to = make([]float64, len(at))
		}
		for n, i := range at {
			if from != nil && i != nowhere {
				(*to)[n] = from[i]
			}
		}
	}
	if result.DType == op.I64 {
		if s.Ints == nil {
			s.Ints = make([]int64, len(at))
		}
		for n, i := range at {
			if i != nowhere {
				s.Ints[n] = result.I64[i]
			}
		}
		return
	}
	grow(&s.Want, result.F64)
	grow(&s.Gauges.Acc, g.Acc)
	grow(&s.Gauges.In, g.In)
	grow(&s.Gauges.Eta, g.Eta)
}

// cutter returns the pieces that hold the wanted elements of the last results.
type cutter func(u Use, wanted [][]int) ([]piece, error)

var cutters = map[string]cutter{}

// cut enters how an op is cut. It is called where the package initialises, and returns what a variable there can be set to.
func cut(name string, c cutter) struct{} {
	cutters[name] = c
	return struct{}{}
}

// grid is the elements of a result as rows along its last axis.
type grid struct{ rows, cols []int }

// gridOf returns the rows and columns that hold elements of a result that has width columns, in ascending order.
func gridOf(wanted []int, width int) grid {
	var g grid
	for _, i := range wanted {
		g.rows, g.cols = append(g.rows, i/width), append(g.cols, i%width)
	}
	return grid{ascending(g.rows), ascending(g.cols)}
}

func ascending(x []int) []int {
	x = slices.Clone(x)
	slices.Sort(x)
	return slices.Compact(x)
}

// at returns where the wanted elements are once only the grid is left.
func (g grid) at(wanted []int, width int) []int {
	at := make([]int, len(wanted))
	for n, i := range wanted {
		row, _ := slices.BinarySearch(g.rows, i/width)
		col, _ := slices.BinarySearch(g.cols, i%width)
		at[n] = row*len(g.cols) + col
	}
	return at
}

// gather returns rows and columns of a tensor, as a matrix; nil are all. An absent tensor stays absent.
func gather(t op.Tensor, rows, cols []int) op.Tensor {
	if !t.Present() {
		return t
	}
	width := 1
	if n := len(t.Shape); n > 0 {
		width = t.Shape[n-1]
	}
	if rows == nil {
		rows = upTo(t.Len() / width)
	}
	if cols == nil {
		cols = upTo(width)
	}
	return pick(t, func(put func(int)) {
		for _, r := range rows {
			for _, c := range cols {
				put(r*width + c)
			}
		}
	}, len(rows), len(cols))
}

// elements returns a tensor's elements at some positions, as a vector.
func elements(t op.Tensor, at []int) op.Tensor {
	if !t.Present() {
		return t
	}
	return pick(t, func(put func(int)) {
		for _, i := range at {
			put(i)
		}
	}, len(at))
}

// pick returns a tensor of the elements that each puts, in order.
func pick(t op.Tensor, each func(put func(int)), shape ...int) op.Tensor {
	out := op.Tensor{DType: t.DType, Shape: shape}
	each(func(i int) {
		switch t.DType {
		case op.F32:
			out.F32 = append(out.F32, t.F32[i])
		case op.F64:
			out.F64 = append(out.F64, t.F64[i])
		case op.I64:
			out.I64 = append(out.I64, t.I64[i])
		case op.Bool:
			out.Bool = append(out.Bool, t.Bool[i])
		}
	})
	return out
}

func upTo(n int) []int { return span(0, n) }

// span returns lo, lo+1, ..., hi-1.
func span(lo, hi int) []int {
	s := make([]int, hi-lo)
	for i := range s {
		s[i] = lo + i
	}
	return s
}

// none returns, for n elements, that they are in no place.
func none(n int) []int { return slices.Repeat([]int{nowhere}, n) }

// byRows cuts an op whose rows are independent: every source has the same leading dimensions as every result, "..." or one.
func byRows(u Use, wanted [][]int) ([]piece, error) {
	args, err := op.Arguments(u.Spec.Op)
	if err != nil {
		return nil, err
	}
	src := u.Steps[0].Src
	dst, err := op.Shapes(u.Spec, src, op.F64)
	if err != nil {
		return nil, err
	}
	// trailing returns how many elements of a tensor belong to one row, and their shape.
	trailing := func(a op.Argument, shape []int) []int {
		return shape[len(shape)-len(strings.Fields(a.Rule))+1:]
	}
	var rows []int
	size := func(shape []int) int { n, _ := op.Elements(shape); return n }
	var results []op.Argument
	for _, a := range args {
		if a.Role == op.Dst {
			results = append(results, a)
		}
	}
	for i, at := range wanted {
		width := size(trailing(results[i], dst[i].Shape))
		for _, j := range at {
			rows = append(rows, j/width)
		}
	}
	rows = ascending(rows)
	p := piece{Use: Once(u.Spec, nil)}
	n := 0
	for _, a := range args {
		if a.Role != op.Src {
			continue
		}
		t := src[n]
		n++
		if t.Present() {
			shape := trailing(a, t.Shape)
			width := size(shape)
			t = pick(t, func(put func(int)) {
				for _, r := range rows {
					for j := range width {
						put(r*width + j)
					}
				}
			}, append([]int{len(rows)}, shape...)...)
		}
		p.Steps[0].Src = append(p.Steps[0].Src, t)
	}
	for i, wants := range wanted {
		width := size(trailing(results[i], dst[i].Shape))
		at := make([]int, len(wants))
		for k, j := range wants {
			row, _ := slices.BinarySearch(rows, j/width)
			at[k] = row*width + j%width
		}
		p.at = append(p.at, at)
	}
	return []piece{p}, nil
}

// hole stands in rows of a composite's matrices on which nothing wanted depends, so that they are not computed: a NaN that no arithmetic makes.
var hole = math.Float64frombits(0x7ffb << 48)

func isHole(v float64) bool { return math.Float64bits(v) == math.Float64bits(hole) }

// thin returns functions that compute only the rows of matrices on which wanted elements depend. Attention makes the others holes: live says
// which queries of its n-th call matter, all where it is nil. Functions of rows pass holes on.
func (u Use) thin(f reference.Primitives) reference.Primitives {
	if u.live == nil {
		return f
	}
	g, calls := f, 0
	g.Attention = func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
		o := reference.NewMatrix(q.Rows, v.Cols)
		for i := range o.Data {
			o.Data[i] = hole
		}
		for _, i := range u.live(calls) {
			qi, ki, vi, mi := attending(i, q, k, v, mask)
			copy(o.Row(i), f.Attention(qi, ki, vi, scale, mi).Data)
		}
		calls++
		return o
	}
	g.Linear = func(x, w reference.Matrix, b []float64) reference.Matrix {
		return wherever(x, w.Cols, func(x reference.Matrix) reference.Matrix { return f.Linear(x, w, b) })
	}
	g.LayerNorm = func(x reference.Matrix, gamma, beta []float64, eps float64) reference.Matrix {
		return wherever(x, x.Cols, func(x reference.Matrix) reference.Matrix { return f.LayerNorm(x, gamma, beta, eps) })
	}
	g.Activate = func(a reference.Activation, x reference.Matrix) reference.Matrix {
		return wherever(x, x.Cols, func(x reference.Matrix) reference.Matrix { return f.Activate(a, x) })
	}
	g.Add = func(a, b reference.Matrix) reference.Matrix {
		return wherever(b, b.Cols, func(some reference.Matrix) reference.Matrix { return f.Add(rowsWhere(a, b), some) })
	}
	return g
}

// attending returns query i with the keys that it can see and their values, and its mask: one query over the keys up to its own position is
// the same equation.
func attending(i int, q, k, v reference.Matrix, mask reference.Mask) (qi, ki, vi reference.Matrix, mi reference.Mask) {
	rows := func(m reference.Matrix, lo, hi int) reference.Matrix {
		return reference.Matrix{Rows: hi - lo, Cols: m.Cols, Data: m.Data[lo*m.Cols : hi*m.Cols]}
	}
	keys := k.Rows
	if mask.Causal {
		keys = max(0, min(keys, i+k.Rows-q.Rows+1))
	}
	mi = reference.Mask{Softcap: mask.Softcap, Allow: make([]bool, keys)}
	for j := range keys {
		mi.Allow[j] = mask.Visible(i, j, q.Rows, k.Rows)
	}
	if mask.Bias != nil {
		mi.Bias = mask.Bias[i*k.Rows : i*k.Rows+keys]
	}
	return rows(q, i, i+1), rows(k, 0, keys), rows(v, 0, keys), mi
}

// wherever applies a function of rows to those that are no holes.
func wherever(x reference.Matrix, cols int, f func(reference.Matrix) reference.Matrix) reference.Matrix {
	some := rowsWhere(x, x)
	if some.Rows == x.Rows {
		return f(x)
	}
	y, n := reference.NewMatrix(x.Rows, cols), 0
	var computed reference.Matrix
	if some.Rows > 0 {
		computed = f(some)
	}
	for i := range x.Rows {
		if isHole(x.Row(i)[0]) {
			y.Row(i)[0] = hole
			continue
		}
		copy(y.Row(i), computed.Row(n))
		n++
	}
	return y
}

// rowsWhere returns the rows of a in whose places b has no holes.
func rowsWhere(a, b reference.Matrix) reference.Matrix {
	some := reference.Matrix{Cols: a.Cols}
	for i := range b.Rows {
		if !isHole(b.Row(i)[0]) {
			some.Data = append(some.Data, a.Row(i)...)
			some.Rows++
		}
	}
	return some
}
