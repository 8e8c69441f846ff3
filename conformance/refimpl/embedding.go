package refimpl

import (
	"github.com/assaykit/assay/conformance/op"
)

func (f Functions) embedding(a op.EmbeddingArgs) error {
	y, err := f.Embed(ints(a.IDs), matrix(a.Table))
	store(a.Y.F64, y)
	return err
}

func (f Functions) embeddingGrad(a op.EmbeddingGradArgs) error {
	dtable, err := f.EmbedGrad(ints(a.IDs), a.Table.Shape[0], matrix(a.DY))
	store(a.DTable.F64, dtable)
	return err
}
