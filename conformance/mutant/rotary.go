package mutant

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// rotaryParts are the decisions in which rotary positions go wrong.
type rotaryParts struct {
	rotaryPosition func(a *op.RotaryInputs, b, h, t int) (int64, error)
	rotaryAngle    func(pos, base float64, pair, rotated, d int) float64
	rotaryPair     func(pairing string, pair, rotated int) (first, second int)
	rotaryDims     func(rotated, d int) int
	turn           func(a, b, sin, cos float32) (float32, float32)
	turnBack       func(a, b, sin, cos float32) (float32, float32)
	pass           func(x float32) float32 // a feature that is not rotated
}

var _ = parts(func(p *plain) {
	p.rotaryParts = rotaryParts{
		rotaryPosition: rotaryPosition, rotaryAngle: rotaryAngle, rotaryPair: rotaryPair,
		rotaryDims: func(rotated, _ int) int { return rotated },
		turn:       turn,
		turnBack:   func(a, b, sin, cos float32) (float32, float32) { return turn(a, b, -sin, cos) },
		pass:       func(x float32) float32 { return x },
	}
})

func rotaryPosition(a *op.RotaryInputs, b, _, t int) (int64, error) {
	pos := a.Position(b, t)
	if pos < 0 {
		return 0, fmt.Errorf("%w: position %d", op.ErrPosition, pos)
	}
	return pos, nil
}

func rotaryAngle(pos, base float64, pair, rotated, _ int) float64 {
	return pos / math.Pow(base, float64(2*pair)/float64(rotated))
}

func rotaryPair(pairing string, pair, rotated int) (first, second int) {
	if pairing == "halves" {
		return pair, pair + rotated/2
	}
	return 2 * pair, 2*pair + 1
}

// turn returns a cos - b sin and a sin + b cos.
func turn(a, b, sin, cos float32) (float32, float32) {
	return float32(a*cos) - float32(b*sin), float32(a*sin) + float32(b*cos)
}

var _ = offer((*plain).rotaryOp)

func (p *plain) rotaryOp(a op.RotaryArgs) error { return p.rotate(&a.RotaryInputs, a.X, a.Y, p.turn) }

var _ = offer((*plain).rotaryGradOp)

func (p *plain) rotaryGradOp(a op.RotaryGradArgs) error {
	return p.rotate(&a.RotaryInputs, a.DY, a.DX, p.turnBack)
}

func (p *plain) rotate(in *op.RotaryInputs, from, to op.Tensor, turn func(a, b, sin, cos float32) (float32, float32)) error {
	heads, seq := from.Shape[1], from.Shape[2]
	x := rowsOf(from)
	y := x.clone()
	for i := range x.rows {
		pos, err := p.rotaryPosition(in, i/seq/heads, i/seq%heads, i%seq)
		if err != nil {
			return fmt.Errorf("rotary: %w", err)
		}
		rotated := p.rotaryDims(in.Rotated(), x.cols)
		for k, v := range x.row(i) {
			y.row(i)[k] = p.pass(v)
		}
		for pair := range rotated / 2 {
			angle := p.rotaryAngle(float64(pos), in.Base, pair, rotated, x.cols)
			first, second := p.rotaryPair(in.Pairing, pair, rotated)
			a, b := turn(x.row(i)[first], x.row(i)[second], float32(math.Sin(angle)), float32(math.Cos(angle)))
			y.row(i)[first], y.row(i)[second] = p.store(a), p.store(b)
		}
	}
	p.give(to, y.data)
	return nil
}

var _ = plant([]bug{
	{"rotary-halves", "rotary", "ROT-1", "Pairs halves where pairs are interleaved.", "the two layouts of LLaMA's weights", func(p *plain) {
		p.rotaryPair = func(_ string, pair, rotated int) (int, int) { return rotaryPair("halves", pair, rotated) }
	}},
	{"rotary-interleaved", "rotary", "ROT-2", "Pairs neighbours where pairs are halves.", "the two layouts of LLaMA's weights", func(p *plain) {
		p.rotaryPair = func(_ string, pair, rotated int) (int, int) { return rotaryPair("interleaved", pair, rotated) }
	}},
	{"rotary-backwards", "rotary", "ROT-1", "Turns the other way.", "", func(p *plain) {
		p.turn = func(a, b, sin, cos float32) (float32, float32) { return turn(a, b, -sin, cos) }
	}},
	{"rotary-in-place", "rotary", "ROT-1", "Computes the second feature from the first that is turned already.", "", func(p *plain) {
		p.turn = func(a, b, sin, cos float32) (float32, float32) {
			a, _ = turn(a, b, sin, cos)
			_, b = turn(a, b, sin, cos)
			return a, b
		}
	}},
	{"rotary-float32-angles", "rotary", "ROT-3", "Forms the angles in float32.", "", func(p *plain) {
		p.rotaryAngle = func(pos, base float64, pair, rotated, _ int) float64 {
			return float64(float32(pos) * float32(1/math.Pow(base, float64(2*pair)/float64(rotated))))
		}
	}},
	{"rotary-exponent-of-width", "rotary", "ROT-4", "Divides the exponent by D where fewer features are rotated.", "", func(p *plain) {
		p.rotaryAngle = func(pos, base float64, pair, _, d int) float64 { return rotaryAngle(pos, base, pair, d, d) }
	}},
	{"rotary-all-features", "rotary", "ROT-4", "Rotates all features.", "", func(p *plain) {
		p.rotaryDims = func(_, d int) int { return d - d%2 }
	}},
	{"rotary-rest-dropped", "rotary", "ROT-4", "Gives 0 for the features that are not rotated.", "", func(p *plain) {
		p.pass = func(float32) float32 { return 0 }
	}},
	{"rotary-row-numbers", "rotary", "ROT-5", "Takes row numbers for positions.", "", func(p *plain) {
		p.rotaryPosition = func(_ *op.RotaryInputs, _, _, t int) (int64, error) { return int64(t), nil }
	}},
	{"rotary-first-item", "rotary", "ROT-5", "Takes the positions of the batch's first item for all.", "", func(p *plain) {
		p.rotaryPosition = func(a *op.RotaryInputs, _, h, t int) (int64, error) { return rotaryPosition(a, 0, h, t) }
	}},
	{"rotary-head-numbers", "rotary", "ROT-5", "Adds the number of the head to the position: the axes of heads and positions are exchanged.", "", func(p *plain) {
		p.rotaryPosition = func(a *op.RotaryInputs, b, h, t int) (int64, error) {
			pos, err := rotaryPosition(a, b, h, t)
			return pos + int64(h), err
		}
	}},
	{"rotary-negative-position", "rotary", "ROT-6", "Accepts negative positions.", "", func(p *plain) {
		p.rotaryPosition = func(a *op.RotaryInputs, b, _, t int) (int64, error) { return a.Position(b, t), nil }
	}},
	{"rotary-base-fixed", "rotary", "ROT-7", "Ignores the attribute and uses 10,000.", "", func(p *plain) {
		p.rotaryAngle = func(pos, _ float64, pair, rotated, d int) float64 { return rotaryAngle(pos, 10000, pair, rotated, d) }
	}},
	{"rotary-nan-cleared", "rotary", "ROT-8", "Takes 0 for NaN.", "", func(p *plain) {
		p.turn = func(a, b, sin, cos float32) (float32, float32) { return turn(withoutNaN(a), withoutNaN(b), sin, cos) }
	}},
})

var _ = plant([]bug{
	{"rotary-grad-forwards", "rotary.grad", "ROT-9", "Turns the gradient forwards, like x.", "", func(p *plain) { p.turnBack = turn }},
	{"rotary-grad-cosine-only", "rotary.grad", "ROT-9", "Leaves out what reaches a feature through its partner.", "", func(p *plain) {
		p.turnBack = func(a, b, _, cos float32) (float32, float32) { return a * cos, b * cos }
	}},
	{"rotary-grad-rest-dropped", "rotary.grad", "ROT-9", "Gives 0 for the gradient of features that are not rotated.", "", func(p *plain) {
		p.pass = func(float32) float32 { return 0 }
	}},
	{"rotary-grad-halves", "rotary.grad", "ROT-9", "Pairs halves where pairs are interleaved.", "", func(p *plain) {
		p.rotaryPair = func(_ string, pair, rotated int) (int, int) { return rotaryPair("halves", pair, rotated) }
	}},
	{"rotary-grad-first-item", "rotary.grad", "ROT-9", "Takes the positions of the batch's first item for all.", "", func(p *plain) {
		p.rotaryPosition = func(a *op.RotaryInputs, _, h, t int) (int64, error) { return rotaryPosition(a, 0, h, t) }
	}},
})
