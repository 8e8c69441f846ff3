package oracle

import (
	"encoding/json"

	"github.com/assaykit/assay/conformance/op"
)

var _ = cut("mha", func(u Use, wanted [][]int) ([]piece, error) {
	attrs := op.MHAAttrs{}
	return cutRows(u, wanted, &attrs, func() int { return attrs.Heads })
})

// cutRows keeps the queries in the rows of wanted elements of a result [B T d] of one layer: keys and values need all rows, and what comes
// after attention these only.
func cutRows(u Use, wanted [][]int, attrs any, heads func() int) ([]piece, error) {
	if err := json.Unmarshal(u.Spec.Attrs, attrs); err != nil {
		return nil, err
	}
	x := u.Steps[0].Src[0].Shape
	of := queries(wanted[0], x[2], x[1])
	u.live = func(n int) []int { return of(n / heads()) }
	return []piece{{u, wanted}}, nil
}
