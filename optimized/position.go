package optimized

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

var _ = register("sinusoidal_positions", withEngine(newSinusoidOp))

func newSinusoidOp(_ *engine, a op.SinusoidalPositionsArgs) runner[op.SinusoidalPositionsArgs] {
	s := newSinusoid(a.DModel)
	return func(a op.SinusoidalPositionsArgs) error {
		y := a.Y.F32
		for t, pos := range a.Pos.I64 {
			if pos < 0 {
				return fmt.Errorf("sinusoidal_positions: %w: pos[%d] = %d, want at least 0", op.ErrPosition, t, pos)
			}
			for i := range s.wavelengths {
				sin, cos := s.at(float64(pos), i)
				y[2*i], y[2*i+1] = float32(sin), float32(cos)
			}
			y = y[a.DModel:]
		}
		return nil
	}
}

// sinusoid makes position encodings: y_2i = sin(pos / 10000^(2i/d)), y_2i+1 = cos of the same (Vaswani et al. 2017).
type sinusoid struct{ wavelengths []float64 } // 10000^(2i/d)

func newSinusoid(d int) *sinusoid {
	s := &sinusoid{make([]float64, d/2)}
	for i := range s.wavelengths {
		s.wavelengths[i] = math.Pow(10000, float64(2*i)/float64(d))
	}
	return s
}

// at returns elements 2i and 2i+1 of the encoding of a position. The angle is in float64, and not rounded.
func (s *sinusoid) at(pos float64, i int) (sin, cos float64) {
	return math.Sincos(pos / s.wavelengths[i])
}

var _ = register("learned_positions", withoutEngine(op.LearnedPositions(learnedPositions)))

// learnedPositions is the op learned_positions: rows of a table by position.
func learnedPositions(a op.LearnedPositionsArgs) error {
	if err := within("learned_positions", "pos", a.Pos, a.Table.Shape[0], op.ErrPosition); err != nil {
		return err
	}
	lookUp(a.Y.F32, a.Table, a.Pos.I64)
	return nil
}
