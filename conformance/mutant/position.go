package mutant

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// positionParts are the decisions in which positions go wrong.
type positionParts struct {
	position    func(pos int64, row int) int64
	positionRow func(pos, limit int64) (int, error)
	angle       func(pos float64, pair, d int) float64
	sinusoid    func(pos float64, c, d int, angle func(pos float64, pair, d int) float64) float32
}

var _ = parts(func(p *plain) {
	p.positionParts = positionParts{
		position: func(pos int64, _ int) int64 { return pos }, positionRow: positionRow,
		angle: angle, sinusoid: sinusoid,
	}
})

var _ = offer((*plain).sinusoidalOp)

func (p *plain) sinusoidalOp(a op.SinusoidalPositionsArgs) error {
	y, err := p.sinusoids(a.Pos.I64, a.DModel)
	if err != nil {
		return fmt.Errorf("sinusoidal_positions: %w", err)
	}
	copy(a.Y.F32, y.data)
	return nil
}

func (p *plain) sinusoids(pos []int64, d int) (matrix, error) {
	y := newMatrix(len(pos), d)
	for t := range pos {
		at, err := p.positionRow(p.position(pos[t], t), math.MaxInt64)
		if err != nil {
			return matrix{}, err
		}
		for c := range d {
			y.row(t)[c] = p.store(p.sinusoid(float64(at), c, d, p.angle))
		}
	}
	return y, nil
}

func angle(pos float64, pair, d int) float64 {
	return pos / math.Pow(10000, float64(2*pair)/float64(d))
}

// sinusoid is the sine of angle c/2 at even columns c, and its cosine at odd ones.
func sinusoid(pos float64, c, d int, angle func(float64, int, int) float64) float32 {
	if c%2 == 0 {
		return float32(math.Sin(angle(pos, c/2, d)))
	}
	return float32(math.Cos(angle(pos, c/2, d)))
}

var _ = offer((*plain).learnedOp)

func (p *plain) learnedOp(a op.LearnedPositionsArgs) error {
	y, err := p.learned(rowsOf(a.Table), a.Pos.I64)
	if err != nil {
		return fmt.Errorf("learned_positions: %w", err)
	}
	copy(a.Y.F32, y.data)
	return nil
}

func (p *plain) learned(table matrix, pos []int64) (matrix, error) {
	y := newMatrix(len(pos), table.cols)
	for t := range pos {
		row, err := p.positionRow(p.position(pos[t], t), int64(table.rows))
		if err != nil {
			return matrix{}, err
		}
		p.copyRow(y.row(t), table.data, row)
	}
	return y, nil
}

func positionRow(pos, limit int64) (int, error) {
	if pos < 0 || pos >= limit {
		return 0, fmt.Errorf("%w: position %d: want 0 to %d", op.ErrPosition, pos, limit-1)
	}
	return int(pos), nil
}

var _ = plant([]bug{
	{"sinusoidal-halves", "sinusoidal_positions", "PE-1", "Puts all sines before all cosines.", "fairseq", func(p *plain) {
		p.sinusoid = func(pos float64, c, d int, angle func(float64, int, int) float64) float32 {
			return sinusoid(pos, c%(d/2)*2+c/(d/2), d, angle)
		}
	}},
	{"sinusoidal-last-frequency", "sinusoidal_positions", "PE-1", "Divides the exponent by d/2 - 1 in place of d/2.", "fairseq", func(p *plain) {
		p.angle = func(pos float64, pair, d int) float64 {
			return pos / math.Pow(10000, float64(pair)/math.Max(1, float64(d/2-1)))
		}
	}},
	{"sinusoidal-exponent-i", "sinusoidal_positions", "PE-1", "Has i/d for 2i/d in the exponent.", "", func(p *plain) {
		p.angle = func(pos float64, pair, d int) float64 { return pos / math.Pow(10000, float64(pair)/float64(d)) }
	}},
	{"sinusoidal-float32-angles", "sinusoidal_positions", "PE-2", "Forms the angles in float32.", "", func(p *plain) {
		p.angle = func(pos float64, pair, d int) float64 {
			return float64(float32(pos) * exp32(float32(2*pair)*float32(-math.Log(10000)/float64(d))))
		}
	}},
	{"sinusoidal-cosine-first", "sinusoidal_positions", "PE-1", "Exchanges sine and cosine.", "", func(p *plain) {
		p.sinusoid = func(pos float64, c, d int, angle func(float64, int, int) float64) float32 {
			return sinusoid(pos, c^1, d, angle)
		}
	}},
	{"sinusoidal-row-numbers", "sinusoidal_positions", "PE-3", "Takes row numbers for positions.", "", func(p *plain) {
		p.position = func(_ int64, row int) int64 { return int64(row) }
	}},
	{"sinusoidal-negative-position", "sinusoidal_positions", "PE-5", "Accepts negative positions.", "", func(p *plain) {
		p.positionRow = func(pos, _ int64) (int, error) { return int(pos), nil }
	}},
})

var _ = plant([]bug{
	{"learned-positions-clamp", "learned_positions", "PE-5", "Clamps a position to the context.", "", func(p *plain) {
		p.positionRow = func(pos, limit int64) (int, error) { return int(min(max(pos, 0), limit-1)), nil }
	}},
	{"learned-positions-negative-wraps", "learned_positions", "PE-5", "Counts a negative position from the end.", "", func(p *plain) {
		p.positionRow = func(pos, limit int64) (int, error) {
			if pos < 0 {
				pos += limit
			}
			return positionRow(pos, limit)
		}
	}},
	{"learned-positions-bfloat16", "learned_positions", "PE-4", "Rounds rows to bfloat16.", "", func(p *plain) {
		p.copyRow = func(dst, table []float32, row int) { copy(dst, rounded(table[row*len(dst):(row+1)*len(dst)], 8)) }
	}},
	{"learned-positions-row-numbers", "learned_positions", "PE-3", "Takes row numbers for positions.", "", func(p *plain) {
		p.position = func(_ int64, row int) int64 { return int64(row) }
	}},
})
