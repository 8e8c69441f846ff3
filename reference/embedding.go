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

// EmbeddingGrad returns the gradient of Embedding, y_t = table[ids_t], from that of its result
//
//	dtable_v = sum of dy_t over the t with ids_t = v        ids [T], dy [T,d] -> dtable [V,d]
//
// for a table of V rows: repeated ids add, and a row that no id names is 0. Errors are those of Embedding.
func EmbeddingGrad(ids []int, rows int, dy Matrix) (Matrix, error) {
	require(len(ids) == dy.Rows, "EmbeddingGrad: %d ids, dy has %d rows", len(ids), dy.Rows)
	dtable := NewMatrix(rows, dy.Cols)
	for t, id := range ids {
		if id < 0 || id >= rows {
			return Matrix{}, fmt.Errorf("reference: EmbeddingGrad: ids[%d] is %d, the table has %d rows: %w", t, id, rows, ErrIndex)
		}
		axpy(dtable.Row(id), 1, dy.Row(t))
	}
	return dtable, nil
}
