package refimpl

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// matrix returns the tensor as a matrix whose rows lie along its last axis. It shares the tensor's memory. An absent tensor gives the
// zero Matrix.
func matrix(t op.Tensor) reference.Matrix {
	if !t.Present() {
		return reference.Matrix{}
	}
	cols := 1
	if n := len(t.Shape); n > 0 {
		cols = t.Shape[n-1]
	}
	return reference.Matrix{Rows: len(t.F64) / cols, Cols: cols, Data: t.F64}
}

// matrices cuts the tensor into the matrices of its last two axes, in order. They share its memory. An absent tensor gives none.
func matrices(t op.Tensor) []reference.Matrix {
	if !t.Present() {
		return nil
	}
	n := len(t.Shape)
	rows, cols := t.Shape[n-2], t.Shape[n-1]
	ms := make([]reference.Matrix, len(t.F64)/(rows*cols))
	for i := range ms {
		ms[i] = reference.Matrix{Rows: rows, Cols: cols, Data: t.F64[i*rows*cols : (i+1)*rows*cols]}
	}
	return ms
}

// vectors cuts the tensor into the vectors of its last axis.
func vectors(t op.Tensor) [][]float64 {
	m := matrix(t)
	vs := make([][]float64, m.Rows)
	for i := range vs {
		vs[i] = m.Row(i)
	}
	return vs
}

// ints converts ids and positions. What does not fit an int is out of every range, and stays so.
func ints(t op.Tensor) []int {
	out := make([]int, len(t.I64))
	for i, v := range t.I64 {
		if out[i] = int(v); int64(out[i]) != v {
			out[i] = math.MinInt
		}
	}
	return out
}

// intRows cuts the ints of a [B, T] tensor into its rows.
func intRows(t op.Tensor) [][]int {
	all, n := ints(t), t.Shape[1]
	rows := make([][]int, t.Shape[0])
	for b := range rows {
		rows[b] = all[b*n : (b+1)*n]
	}
	return rows
}

// store copies matrices, one after the other, into dst.
func store(dst []float64, ms ...reference.Matrix) {
	for _, m := range ms {
		dst = dst[copy(dst, m.Data):]
	}
}

// parameters is implemented by the weights of each layer, and by their gradients.
type parameters interface{ Parameters() [][]float64 }

// sum sets the destinations of dw to the sums of the gradients that add is called with.
func sum(dw parameters) (add func(parameters)) {
	sums := dw.Parameters()
	for _, s := range sums {
		clear(s)
	}
	return func(grads parameters) {
		for i, g := range grads.Parameters() {
			for j, x := range g {
				sums[i][j] += x
			}
		}
	}
}

// sequences cuts the ints of a tensor into those of its last axis.
func sequences(t op.Tensor) [][]int {
	return slices.Collect(slices.Chunk(ints(t), t.Shape[len(t.Shape)-1]))
}
