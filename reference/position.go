package reference

import (
	"fmt"
	"math"
)

// SinusoidalPositions returns the fixed position encodings (Vaswani et al. 2017, section 3.5)
//
//	y_t,2i   = sin(pos_t / 10000^(2i/d))
//	y_t,2i+1 = cos(pos_t / 10000^(2i/d))        pos [T] -> y [T,d]
//
// sines and cosines interleaved. The angle's relative error is below 2e-15: its exponent is rounded before the power.
//
// dModel odd or below 2 is an error that wraps ErrConfig; a negative position one that wraps ErrPosition.
func SinusoidalPositions(pos []int, dModel int) (Matrix, error) {
	if dModel < 2 || dModel%2 != 0 {
		return Matrix{}, fmt.Errorf("reference: SinusoidalPositions: d_model is %d, it must be even and positive: %w", dModel, ErrConfig)
	}
	y := NewMatrix(len(pos), dModel)
	for t, p := range pos {
		if p < 0 {
			return Matrix{}, fmt.Errorf("reference: SinusoidalPositions: pos[%d] is %d: %w", t, p, ErrPosition)
		}
		row := y.Row(t)
		for i := 0; i < dModel; i += 2 {
			angle := float64(p) / math.Pow(10000, float64(i)/float64(dModel))
			row[i], row[i+1] = math.Sincos(angle)
		}
	}
	return y, nil
}

// LearnedPositions returns the rows of a trained table of positions
//
//	y_t = table[pos_t]        pos [T], table [n_ctx,d] -> y [T,d]
//
// A position outside [0, n_ctx) is an error that wraps ErrPosition.
func LearnedPositions(pos []int, table Matrix) (Matrix, error) {
	y := NewMatrix(len(pos), table.Cols)
	for t, p := range pos {
		if p < 0 || p >= table.Rows {
			return Matrix{}, fmt.Errorf("reference: LearnedPositions: pos[%d] is %d, the table has %d rows: %w", t, p, table.Rows, ErrPosition)
		}
		copy(y.Row(t), table.Row(p))
	}
	return y, nil
}
