package oracle

import (
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// EmbeddingGrad gauges the rows of dtable, sums of the n_v rows of dy that belong to id v.
//
//	Acc = c(n_v) sum |dy|, 0 where n_v = 1
//	In  = sum |dy|, Eta = 0
func (m Model) EmbeddingGrad(ids []int, rows int, dy reference.Matrix) Gauges {
	g := newGauges(rows * dy.Cols)
	counts := make([]int, rows)
	for t, id := range ids {
		counts[id]++
		for j, d := range dy.Row(t) {
			g.In[id*dy.Cols+j] += math.Abs(d)
		}
	}
	for i, sum := range g.In {
		if n := counts[i/dy.Cols]; n > 1 {
			g.Acc[i] = m.c(n) * sum
		}
	}
	return g
}

var _ = replace(func(f *reference.Primitives, h hook) {
	f.Embed = func(ids []int, table reference.Matrix) (reference.Matrix, error) {
		y, err := reference.Embedding(ids, table)
		if err != nil {
			return y, err
		}
		return like(y, h.moved(y.Data)), nil
	}
	f.EmbedGrad = func(ids []int, rows int, dy reference.Matrix) (reference.Matrix, error) {
		dtable, err := reference.EmbeddingGrad(ids, rows, dy)
		if err != nil {
			return dtable, err
		}
		return like(dtable, h.one(dtable.Data, func(m Model) Gauges { return m.EmbeddingGrad(ids, rows, dy) })), nil
	}
})

var (
	_ = cut("embedding", byRows)
	_ = cut("embedding.grad", cutEmbeddingGrad)
)

// cutEmbeddingGrad keeps the columns: a row of the table is a sum over all ids.
func cutEmbeddingGrad(u Use, wanted [][]int) ([]piece, error) {
	table, src := u.Spec.Const[0], u.Steps[0].Src
	width := table.Shape[1]
	g := grid{upTo(table.Shape[0]), gridOf(wanted[0], width).cols}
	dy := gather(src[1], nil, g.cols)
	dy.Shape = append(slices.Clone(src[1].Shape[:len(src[1].Shape)-1]), len(g.cols))
	spec := u.Spec
	spec.Const = []op.Tensor{gather(table, nil, g.cols)}
	return []piece{{Once(spec, []op.Tensor{src[0], dy}), [][]int{g.at(wanted[0], width)}}}, nil
}
