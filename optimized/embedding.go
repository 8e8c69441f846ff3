package optimized

import (
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

var _ = register("embedding", withoutEngine(op.Embedding(embedding)))

// embedding is the op embedding: rows of a table by id.
func embedding(a op.EmbeddingArgs) error {
	if err := within("embedding", "ids", a.IDs, a.Table.Shape[0], op.ErrIndex); err != nil {
		return err
	}
	lookUp(a.Y.F32, a.Table, a.IDs.I64)
	return nil
}

func lookUp(y []float32, table op.Tensor, ids []int64) {
	d := table.Shape[1]
	for i, id := range ids {
		copy(y[i*d:(i+1)*d], table.F32[int(id)*d:])
	}
}

var _ = register("embedding.grad", withGradients(newEmbeddingGrad))

func newEmbeddingGrad(e *engine, a op.EmbeddingGradArgs) runner[op.EmbeddingGradArgs] {
	vocab, table := a.Table.Shape[0], tableGrad{team: e.team}
	return func(a op.EmbeddingGradArgs) error {
		if err := within("embedding.grad", "ids", a.IDs, vocab, op.ErrIndex); err != nil {
			return err
		}
		zero(a.DTable)
		table.add(a.DTable.F32, a.DY.F32, a.IDs.I64, 1)
		return nil
	}
}

// tableGrad is the task of adding scale times dy [N, d] to the rows of a table that ids name, a share of the columns at a time: where an
// id is repeated, in its order.
type tableGrad struct {
	team      *team
	table, dy []float32
	ids       []int64
	scale     float64
	d         int
}

func (g *tableGrad) add(table, dy []float32, ids []int64, scale float64) {
	g.table, g.dy, g.ids, g.scale, g.d = table, dy, ids, scale, len(dy)/len(ids)
	g.team.run(shares(g.d), columnShare*len(ids)*2, g)
	g.table, g.dy, g.ids = nil, nil, nil
}

func (g *tableGrad) do(_, lo, hi int) {
	for share := lo; share < hi; share++ {
		first := share * columnShare
		width := min(columnShare, g.d-first)
		for t, id := range g.ids {
			to := g.table[int(id)*g.d+first:][:width]
			for j, v := range g.dy[t*g.d+first:][:width] {
				to[j] = float32(float64(to[j]) + g.scale*float64(v))
			}
		}
	}
}

// within returns an error that wraps kind and names the first element of t outside [0, limit).
func within(opName, arg string, t op.Tensor, limit int, kind error) error {
	for i, v := range t.I64 {
		if v < 0 || v >= int64(limit) {
			return outside(opName, arg, t.Shape, i, v, limit, kind)
		}
	}
	return nil
}

func outside(opName, arg string, shape []int, i int, got int64, limit int, kind error) error {
	index := make([]int, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		index[d], i = i%shape[d], i/shape[d]
	}
	return fmt.Errorf("%s: %w: %s%v = %d, want 0 to %d", opName, kind, arg, index, got, limit-1)
}
