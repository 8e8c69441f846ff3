package oracle

import (
	"runtime"
	"sync"

	"github.com/assaykit/assay/reference"
)

// worth is the number of multiplications from which a product is shared among processors.
const worth = 1 << 20

// product returns a b, as reference.MatMul does, with the rows of a shared among processors.
func product(a, b reference.Matrix) reference.Matrix {
	workers := runtime.GOMAXPROCS(0)
	if a.Rows < 2*workers || a.Rows*a.Cols*b.Cols < worth {
		return reference.MatMul(a, b)
	}
	c := reference.NewMatrix(a.Rows, b.Cols)
	const rows = 16
	parallel((a.Rows+rows-1)/rows, func(n int) {
		lo, hi := n*rows, min(n*rows+rows, a.Rows)
		part := reference.MatMul(reference.Matrix{Rows: hi - lo, Cols: a.Cols, Data: a.Data[lo*a.Cols : hi*a.Cols]}, b)
		copy(c.Data[lo*c.Cols:], part.Data)
	})
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
