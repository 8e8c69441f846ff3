package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

var _ = offer("embedding", func(f functions) op.Implementation { return op.Embedding(f.embedding) })
var _ = offer("embedding.grad", func(f functions) op.Implementation { return op.EmbeddingGrad(f.embeddingGrad) })

func (f functions) embedding(a op.EmbeddingArgs) error {
	y, err := f.Embed(ints(a.IDs), matrix(a.Table))
	store(a.Y.F64, y)
	return err
}

func (f functions) embeddingGrad(a op.EmbeddingGradArgs) error {
	dtable, err := f.EmbedGrad(ints(a.IDs), a.Table.Shape[0], matrix(a.DY))
	store(a.DTable.F64, dtable)
	return err
}
