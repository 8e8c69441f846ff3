package optimized

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// rotation is the task of rotary positions: rows are turned by the angles of their positions, whose sines and cosines are formed once a
// position, in float64, and shared by all heads.
type rotation struct {
	halves  bool
	rotated int
	base    float64

	wavelengths []float64 // base^(2i/rotated)
	turns       []float32 // cos and sin of the pairs of each position of the call

	y, x      []float32
	heads, d  int
	shared    bool // all items of the batch have the same positions
	seq       int
	backwards bool
}

func newRotation(a op.RotaryAttrs, backwards bool) *rotation {
	return &rotation{halves: a.Pairing == "halves", base: a.Base, backwards: backwards}
}

// run turns x into y.
func (r *rotation) run(t *team, in *op.RotaryInputs, y, x op.Tensor) error {
	r.y, r.x, r.heads, r.seq, r.d, r.shared = y.F32, x.F32, x.Shape[1], x.Shape[2], x.Shape[3], in.Pos.Shape[0] == 1
	if n := in.Rotated(); n != r.rotated {
		r.rotated, r.wavelengths = n, make([]float64, n/2)
		for i := range r.wavelengths {
			r.wavelengths[i] = math.Pow(r.base, float64(2*i)/float64(n))
		}
	}
	turns := grow(&r.turns, len(in.Pos.I64)*r.rotated)
	for i, pos := range in.Pos.I64 {
		if pos < 0 {
			return fmt.Errorf("rotary: %w: pos[%d] = %d, want at least 0", op.ErrPosition, i, pos)
		}
		turn := turns[i*r.rotated:][:r.rotated]
		for k, w := range r.wavelengths {
			sin, cos := math.Sincos(float64(pos) / w)
			if r.backwards {
				sin = -sin
			}
			turn[2*k], turn[2*k+1] = float32(cos), float32(sin)
		}
	}
	t.run(len(r.x)/r.d, 4*r.d, r)
	return nil
}

// do turns rows.
func (r *rotation) do(_, lo, hi int) {
	for i := lo; i < hi; i++ {
		y, x := r.y[i*r.d:][:r.d], r.x[i*r.d:][:r.d]
		at := i % r.seq
		if !r.shared {
			at += i / r.seq / r.heads * r.seq
		}
		turn := r.turns[at*r.rotated:][:r.rotated]
		if half := r.rotated / 2; r.halves {
			xa, xb, ya, yb := x[:half], x[half:][:half], y[:half], y[half:][:half]
			for k, a := range xa {
				b, cos, sin := xb[k], turn[2*k], turn[2*k+1]
				ya[k], yb[k] = a*cos-b*sin, a*sin+b*cos
			}
		} else {
			for k := 0; k+1 < len(turn); k += 2 {
				a, b, cos, sin := x[k], x[k+1], turn[k], turn[k+1]
				y[k], y[k+1] = a*cos-b*sin, a*sin+b*cos
			}
		}
		copy(y[r.rotated:], x[r.rotated:])
	}
}

var _ = register("rotary", withEngine(newRotary))

func newRotary(e *engine, a op.RotaryArgs) runner[op.RotaryArgs] {
	r := newRotation(a.RotaryAttrs, false)
	return func(a op.RotaryArgs) error { return r.run(e.team, &a.RotaryInputs, a.Y, a.X) }
}

// The gradient is the inverse rotation.
var _ = register("rotary.grad", withGradients(newRotaryGrad))

func newRotaryGrad(e *engine, a op.RotaryGradArgs) runner[op.RotaryGradArgs] {
	r := newRotation(a.RotaryAttrs, true)
	return func(a op.RotaryGradArgs) error { return r.run(e.team, &a.RotaryInputs, a.DX, a.DY) }
}
