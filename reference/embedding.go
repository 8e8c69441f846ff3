package reference

import "fmt"

// Embedding returns the rows of a table
//
//	y_t = table[ids_t]        ids [T], table [V,d] -> y [T,d]
//
// copied without rounding. An id outside [0, V) is an error that wraps ErrIndex.
func Embedding(ids []int, table Matrix) (Matrix, error) {
	y := NewMatrix(len(ids), table.Cols)
	for t, id := range ids {
		if id < 0 || id >= table.Rows {
			return Matrix{}, fmt.Errorf("reference: Embedding: ids[%d] is %d, the table has %d rows: %w", t, id, table.Rows, ErrIndex)
		}
		copy(y.Row(t), table.Row(id))
	}
	return y, nil
}
