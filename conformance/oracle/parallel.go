package oracle

import (
	"runtime"
	"sync"

	"github.com/assaykit/assay/reference"
)

// The products of reference, bit for bit: each element is the same sum in the same order. What differs is that processors share the work and
// that nothing is transposed, since an oracle evaluates some of what is timed.

// worth is the number of multiplications from which a product is shared among processors.
const worth = 1 << 18

// product returns a b.
func product(a, b reference.Matrix) reference.Matrix {
	if a.Rows*a.Cols*b.Cols < worth {
		return reference.MatMul(a, b)
	}
	return inRows(a.Rows, b.Cols, func(lo, hi int, c reference.Matrix) {
		part := reference.MatMul(reference.Matrix{Rows: hi - lo, Cols: a.Cols, Data: a.Data[lo*a.Cols : hi*a.Cols]}, b)
		copy(c.Data[lo*c.Cols:], part.Data)
	})
}

// productT returns a b^T.
func productT(a, b reference.Matrix) reference.Matrix {
	return inRows(a.Rows, b.Rows, func(lo, hi int, c reference.Matrix) {
		for j := range b.Rows {
			y := b.Row(j)
			for i := lo; i < hi; i++ {
				sum := 0.0
				for k, x := range a.Row(i) {
					sum += float64(x * y[k])
				}
				c.Data[i*c.Cols+j] = sum
			}
		}
	})
}

// productTN returns a^T b.
func productTN(a, b reference.Matrix) reference.Matrix {
	return inRows(a.Cols, b.Cols, func(lo, hi int, c reference.Matrix) {
		for k := range a.Rows {
			y := b.Row(k)
			for i := lo; i < hi; i++ {
				x, row := a.At(k, i), c.Row(i)
				for j, yj := range y {
					row[j] += float64(x * yj)
				}
			}
		}
	})
}

// inRows returns a matrix whose rows lo to hi-1 f computes, several ranges at once where there are many elements.
func inRows(rows, cols int, f func(lo, hi int, c reference.Matrix)) reference.Matrix {
	c := reference.NewMatrix(rows, cols)
	if rows*cols < 1<<10 {
		f(0, rows, c)
		return c
	}
	each := max(1, min(16, rows/runtime.GOMAXPROCS(0)))
	parallel((rows+each-1)/each, func(n int) { f(n*each, min(n*each+each, rows), c) })
	return c
}

// parallel calls f(0) to f(n-1), as many at once as there are processors.
func parallel(n int, f func(int)) {
	var wg sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for first := range workers {
		wg.Go(func() {
			for i := first; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}
