package mutant

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

// embeddingParts are the decisions in which lookups in a table go wrong.
type embeddingParts struct {
	tokenRow func(id int64, vocab int) (int, error)
	copyRow  func(dst, table []float32, row int)

	scatter func(dtable matrix, rows []int, dy matrix)
}

var _ = parts(func(p *plain) {
	p.embeddingParts = embeddingParts{
		tokenRow: tokenRow, copyRow: copyRow,
		scatter: p.scatterAdd,
	}
})

var _ = offer((*plain).embeddingOp)

func (p *plain) embeddingOp(a op.EmbeddingArgs) error {
	y, err := p.tokens(rowsOf(a.Table), a.IDs.I64)
	if err != nil {
		return fmt.Errorf("embedding: %w", err)
	}
	copy(a.Y.F32, y.data)
	return nil
}

// tokens returns a row of the table for each id.
func (p *plain) tokens(table matrix, ids []int64) (matrix, error) {
	y := newMatrix(len(ids), table.cols)
	for t, id := range ids {
		row, err := p.tokenRow(id, table.rows)
		if err != nil {
			return matrix{}, err
		}
		p.copyRow(y.row(t), table.data, row)
	}
	return y, nil
}

func tokenRow(id int64, vocab int) (int, error) {
	if id < 0 || id >= int64(vocab) {
		return 0, fmt.Errorf("%w: id %d: want 0 to %d", op.ErrIndex, id, vocab-1)
	}
	return int(id), nil
}

func copyRow(dst, table []float32, row int) { copy(dst, table[row*len(dst):]) }

var _ = offer((*plain).embeddingGradOp)

func (p *plain) embeddingGradOp(a op.EmbeddingGradArgs) error {
	dtable, err := p.embeddingGrad(a.IDs.I64, rowsOf(a.DY), rowsOf(a.Table).rows)
	if err != nil {
		return fmt.Errorf("embedding.grad: %w", err)
	}
	copy(a.DTable.F32, dtable.data)
	return nil
}

// embeddingGrad is the sum, for each row of the table, of dy where the id is that row's.
func (p *plain) embeddingGrad(ids []int64, dy matrix, vocab int) (matrix, error) {
	rows := make([]int, len(ids))
	for t, id := range ids {
		var err error
		if rows[t], err = p.tokenRow(id, vocab); err != nil {
			return matrix{}, err
		}
	}
	dtable := newMatrix(vocab, dy.cols)
	p.scatter(dtable, rows, dy)
	p.storeAll(dtable.data)
	return dtable, nil
}

// scatterAdd adds row t of dy to a row of the table, for each t.
func (p *plain) scatterAdd(dtable matrix, rows []int, dy matrix) {
	named := map[int][]int{}
	for t, row := range rows {
		named[row] = append(named[row], t)
	}
	for row, at := range named {
		for c := range dy.cols {
			terms := make([]float32, len(at))
			for i, t := range at {
				terms[i] = dy.row(t)[c]
			}
			dtable.row(row)[c] = p.sum(terms)
		}
	}
}

var _ = plant([]bug{
	{"embedding-off-by-one", "embedding", "EMB-1", "Counts ids from 1.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) {
			row, err := tokenRow(id, vocab)
			return (row + vocab - 1) % vocab, err
		}
	}},
	{"embedding-negative-wraps", "embedding", "EMB-2", "Counts a negative id from the end.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) {
			if id < 0 {
				id += int64(vocab)
			}
			return tokenRow(id, vocab)
		}
	}},
	{"embedding-clamps", "embedding", "EMB-2", "Clamps an id to the table.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
	{"embedding-id-truncated", "embedding", "EMB-2", "Reads ids as 32 bits wide.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return tokenRow(int64(int32(id)), vocab) }
	}},
	{"embedding-padding-zero", "embedding", "EMB-1", "Takes id 0 for padding and gives zeros.", "", func(p *plain) {
		p.copyRow = func(dst, table []float32, row int) {
			if clear(dst); row != 0 {
				copyRow(dst, table, row)
			}
		}
	}},
})

var _ = plant([]bug{
	{"embedding-grad-overwrites", "embedding.grad", "GRAD-15", "Writes the gradient of a repeated id over that of its first use.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			for t, row := range rows {
				copy(dtable.row(row), dy.row(t))
			}
		}
	}},
	{"embedding-grad-once", "embedding.grad", "GRAD-15", "Takes the first of repeated ids only.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			for t := len(rows) - 1; t >= 0; t-- {
				copy(dtable.row(rows[t]), dy.row(t))
			}
		}
	}},
	{"embedding-grad-runs", "embedding.grad", "GRAD-15", "Adds within a run of equal ids, and overwrites what an earlier run gave.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			for t, row := range rows {
				if t > 0 && rows[t-1] == row {
					for c, x := range dy.row(t) {
						dtable.row(row)[c] += x
					}
					continue
				}
				copy(dtable.row(row), dy.row(t))
			}
		}
	}},
	{"embedding-grad-mean", "embedding.grad", "GRAD-15", "Divides by how often an id occurs.", "", func(p *plain) {
		p.scatter = func(dtable matrix, rows []int, dy matrix) {
			p.scatterAdd(dtable, rows, dy)
			for row := range dtable.rows {
				if n := occurrences(rows, row); n > 1 {
					p.divide(dtable.row(row), float32(n))
				}
			}
		}
	}},
	{"embedding-grad-id-clamped", "embedding.grad", "GRAD-16", "Clamps ids to the table.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
})

func occurrences(rows []int, row int) int {
	n := 0
	for _, r := range rows {
		if r == row {
			n++
		}
	}
	return n
}
