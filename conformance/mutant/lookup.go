package mutant

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// Tables, positions, and the loss, which looks up the logit of its target.

func (p *plain) embeddingOp(a op.EmbeddingArgs) error {
	y, err := p.tokens(rowsOf(a.Table), a.IDs.I64)
	if err != nil {
		return fmt.Errorf("embedding: %w", err)
	}
	copy(a.Y.F32, y.data)
	return nil
}

// tokens returns a row of the table for each id.
func (p *plain) tokens(table matrix, ids []int64) (matrix, error) {
	y := newMatrix(len(ids), table.cols)
	for t, id := range ids {
		row, err := p.tokenRow(id, table.rows)
		if err != nil {
			return matrix{}, err
		}
		p.copyRow(y.row(t), table.data, row)
	}
	return y, nil
}

func tokenRow(id int64, vocab int) (int, error) {
	if id < 0 || id >= int64(vocab) {
		return 0, fmt.Errorf("%w: id %d: want 0 to %d", op.ErrIndex, id, vocab-1)
	}
	return int(id), nil
}

func copyRow(dst, table []float32, row int) { copy(dst, table[row*len(dst):]) }

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

func (p *plain) crossEntropyOp(a op.CrossEntropyArgs) error {
	if err := p.crossEntropy(a.Loss.F32, rowsOf(a.Logits), a.Targets.I64, a.CrossEntropyAttrs); err != nil {
		return fmt.Errorf("cross_entropy: %w", err)
	}
	return nil
}

// crossEntropy computes the loss of each row, log S - (x_t - m), and reduces it.
func (p *plain) crossEntropy(dst []float32, logits matrix, targets []int64, a op.CrossEntropyAttrs) error {
	losses := make([]float32, len(targets))
	counted := 0
	for i, target := range targets {
		row := logits.row(i)
		if p.ignored(target, a.IgnoreIndex) {
			losses[i] = p.ignoredLoss(row)
			continue
		}
		class, err := p.classOf(target, len(row))
		if err != nil {
			return err
		}
		m, s := p.logSum(row)
		losses[i] = p.store(-p.logProb(row[class], m, s))
		counted++
	}
	switch a.Reduction {
	case "none":
		copy(dst, losses)
	case "sum":
		dst[0] = p.store(p.sum(losses))
	case "mean":
		dst[0] = p.store(p.meanOf(p.sum(losses), counted, len(losses)))
	}
	return nil
}

func classOf(target int64, classes int) (int, error) {
	if target < 0 || target >= int64(classes) {
		return 0, fmt.Errorf("%w: target %d: want 0 to %d or ignore_index", op.ErrIndex, target, classes-1)
	}
	return int(target), nil
}

// meanOf divides by the rows that count; the mean of none is 0.
func meanOf(total float32, counted, _ int) float32 {
	if counted == 0 {
		return 0
	}
	return total / float32(counted)
}
