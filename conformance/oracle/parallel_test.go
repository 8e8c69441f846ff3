package oracle

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assaykit/assay/reference"
)

// Shared products are those of the reference, bit for bit, signs of zeros and all that is not finite included.
func TestProductsAreTheReferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, dims := range [][3]int{{1, 1, 1}, {3, 5, 2}, {1, 300, 40}, {70, 65, 90}, {200, 40, 33}, {2, 9, 5000}} {
		m, k, n := dims[0], dims[1], dims[2]
		a, b, bT, aT := random(rng, 0, 1, m, k), random(rng, 0, 1, k, n), random(rng, 0, 1, n, k), random(rng, 0, 1, k, m)
		a.Data[0], b.Data[0], bT.Data[0], aT.Data[0] = math.Copysign(0, -1), math.Inf(1), 0, math.NaN()
		for name, pair := range map[string][2]reference.Matrix{
			"a b":   {product(a, b), reference.MatMul(a, b)},
			"a b^T": {productT(a, bT), reference.MatMul(a, bT.T())},
			"a^T b": {productTN(aT, b), reference.MatMul(aT.T(), b)},
		} {
			for i, want := range pair[1].Data {
				if got := pair[0].Data[i]; math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Errorf("%s of %v: element %d is %v, want %v", name, dims, i, got, want)
				}
			}
		}
	}
}
