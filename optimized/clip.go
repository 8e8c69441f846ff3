package optimized

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// norms is the task of summing squares, an item for each share of normShare elements. In float64 those of float32 neither overflow nor
// vanish, and shares are added in order, whoever summed them.
type norms struct {
	x    []float32
	sums []float64 // by share
}

// normShare is how many squares are summed at a time.
const normShare = 1 << 12

// addSquares returns total plus the sum of the squares of x.
func (n *norms) addSquares(t *team, total float64, x []float32) float64 {
	items := (len(x) + normShare - 1) / normShare
	grow(&n.sums, items)
	n.x = x
	t.run(items, 2*normShare, n)
	n.x = nil
	for _, s := range n.sums {
		total += s
	}
	return total
}

func (n *norms) do(_, lo, hi int) {
	for share := lo; share < hi; share++ {
		n.sums[share] = sumSquares(n.x[share*normShare:min((share+1)*normShare, len(n.x))], 0)
	}
}

// clipFactor returns min(1, maxNorm / (norm + eps)), with which gradients of that norm are multiplied; 1 where maxNorm is 0, which does not
// clip. A norm that is not finite is an error.
func clipFactor(name string, norm, maxNorm, eps float64) (float64, error) {
	switch {
	case math.IsNaN(norm) || math.IsInf(norm, 0):
		return 0, fmt.Errorf("%s: %w: the norm of the gradient is %v", name, op.ErrNumber, norm)
	case maxNorm == 0:
		return 1, nil
	}
	return math.Min(1, maxNorm/(norm+eps)), nil
}

var _ = register("clip_norm", withEngine(newClipNorm))

// clipNorm is the op clip_norm, and the task of multiplying by its factor.
type clipNorm struct {
	op.ClipNormAttrs
	team   *team
	norms  norms
	factor float64
	y, g   []float32
}

func newClipNorm(e *engine, a op.ClipNormArgs) *clipNorm {
	return &clipNorm{ClipNormAttrs: a.ClipNormAttrs, team: e.team}
}

func (k *clipNorm) Run(a op.ClipNormArgs) error {
	norm := math.Sqrt(k.norms.addSquares(k.team, 0, a.G.F32))
	var err error
	if k.factor, err = clipFactor("clip_norm", norm, k.MaxNorm, k.Eps); err != nil {
		return err
	}
	a.Norm.F32[0] = float32(norm)
	k.y, k.g = a.Y.F32, a.G.F32
	k.team.run(len(k.g), costCopy, k)
	k.y, k.g = nil, nil
	return nil
}

func (k *clipNorm) do(_, lo, hi int) {
	y := k.y[lo:hi]
	for i, g := range k.g[lo:hi] {
		y[i] = float32(k.factor * float64(g))
	}
}

var _ = register("clip_value", withEngine(newClipValue))

func newClipValue(e *engine, a op.ClipValueArgs) runner[op.ClipValueArgs] {
	limit := float32(a.Limit)
	clip := func(y, g []float32, _ int) {
		for i, v := range g {
			switch { // NaN is neither
			case v > limit:
				v = limit
			case v < -limit:
				v = -limit
			}
			y[i] = v
		}
	}
	return func(a op.ClipValueArgs) error {
		e.team.rows(a.Y.F32, a.G.F32, 1, costCopy, clip)
		return nil
	}
}
