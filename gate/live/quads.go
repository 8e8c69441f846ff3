package live

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/assaykit/assay/gate/paired"
)

// quads is the comparison as package paired sees it: what can be measured, four slices at a time.
type quads struct {
	*comparison
	benchmarks []*benchmark
	told       time.Time
}

func (s *quads) Left() time.Duration { return time.Until(s.deadline) }

// Link is what linking the items' packages at a seed takes, by the links made so far and how many of them went on at a time.
func (s *quads) Link(items []int) time.Duration {
	cost := 0.0
	for _, p := range s.packagesOf(items) {
		cost += float64(p.linking) / float64(max(1, p.links))
	}
	return time.Duration(cost * float64(s.linking) / float64(max(1, s.serial)))
}

// packagesOf returns the packages of the items.
func (s *quads) packagesOf(items []int) (pkgs []*pkg) {
	for _, i := range items {
		if p := s.benchmarks[i].pkg; !slices.Contains(pkgs, p) {
			pkgs = append(pkgs, p)
		}
	}
	return pkgs
}

// Prepare links the packages of the items at the seeds and removes what was linked before.
func (s *quads) Prepare(ctx context.Context, seeds, items []int) error {
	for _, b := range s.benchmarks {
		if err := b.pkg.unlink(); err != nil {
			return err
		}
	}
	return s.within(ctx, func(ctx context.Context) error { return s.link(ctx, s.packagesOf(items), seeds) })
}

// Quad runs base head head base, or head base base head, and again if that was disturbed.
func (s *quads) Quad(ctx context.Context, stage, item, seed int, reverse bool) ([]float64, error) {
	b := s.benchmarks[item]
	s.progress(stage, seed, b)
	order := [4]int{base, head, head, base}
	if reverse {
		order = [4]int{head, base, base, head}
	}
	first, kept, err := b.settle(func() ([4]result, error) { return s.four(ctx, b, seed, order) }, func() bool { return s.Left() > b.cost })
	if err != nil {
		return nil, err
	}
	for k, side := range order {
		b.runs[side] = append(b.runs[side], kept[k])
	}
	d := make([]float64, len(b.timed))
	for row, u := range b.timed {
		var x [4]float64
		for k := range kept {
			v, ok := kept[k].values[u.name]
			if !ok {
				return nil, fmt.Errorf("%s reports %s in some runs only: report it in all", b.name, u.name)
			}
			x[k] = v
		}
		sign := u.worse
		if reverse {
			sign = -sign
		}
		d[row] = sign * (boundedLogRatio(x[0], x[1]) + boundedLogRatio(x[3], x[2])) / 2
	}
	var x [4]float64
	for k := range first {
		x[k] = first[k].values[b.timed[0].name]
	}
	if reverse {
		x = [4]float64{x[1], x[0], x[3], x[2]}
	}
	b.quads = append(b.quads, x)
	return d, nil
}

// settle measures quads until the two slices of neither side disagree by far more than they use to, which tells that something else used the machine,
// four at most and while there is time, and returns the first, and the one whose own slices agree best. If both sides run the same code, that
// cannot favor one: exchanging the sides leaves the disagreement as it is. A slowdown of every process by one factor leaves it too; one
// that comes in some processes only is seen less than it would be without.
func (b *benchmark) settle(measure func() ([4]result, error), more func() bool) (first, kept [4]result, err error) {
	const attempts = 4
	least := math.Inf(1)
	for try := range attempts {
		if try > 0 && !more() {
			break
		}
		quad, err := measure()
		if try > 0 && errors.Is(err, paired.ErrEnded) {
			break
		}
		if err != nil {
			return first, kept, err
		}
		if try == 0 {
			first = quad
		}
		apart, calm := disagreement(quad, b.timed[0].name), b.calm()
		b.apart = append(b.apart, apart)
		if apart < least {
			least, kept = apart, quad
		}
		if apart <= calm {
			break
		}
	}
	return first, kept, nil
}

// four runs the slices of a quad.
func (s *quads) four(ctx context.Context, b *benchmark, seed int, order [4]int) (quad [4]result, err error) {
	err = s.within(ctx, func(ctx context.Context) error {
		for k, side := range order {
			if quad[k], err = s.slice(ctx, b, seed, side); err != nil {
				return err
			}
		}
		return nil
	})
	return quad, err
}

// disagreement is the larger of the two distances, as log ratios, between the slices of a side, outer and inner.
func disagreement(quad [4]result, unit string) float64 {
	return max(math.Abs(boundedLogRatio(quad[0].values[unit], quad[3].values[unit])), math.Abs(boundedLogRatio(quad[1].values[unit], quad[2].values[unit])))
}

// calm is the largest disagreement of a quad that is kept at once: twice the lower quartile of those seen. On a shared machine half of all quads
// may be disturbed, as where another's work on the same core comes and goes, so that the median would tell of the disturbance. Times are printed
// with four digits: what they cannot tell is calm.
func (b *benchmark) calm() float64 {
	const few, generous, times, least = 4, 0.1, 2, 0.002
	if len(b.apart) < few {
		return generous
	}
	sorted := slices.Sorted(slices.Values(b.apart))
	return max(least, times*sorted[len(sorted)/4])
}

// boundedLogRatio is log(new/old), where 0 is as good as 1e-9 of the other.
func boundedLogRatio(old, new float64) float64 {
	const most = 20
	switch {
	case old == new:
		return 0
	case old == 0:
		return most
	case new == 0:
		return -most
	}
	return math.Log(new) - math.Log(old)
}

// progress tells every ten seconds where the measurement is.
func (s *quads) progress(stage, seed int, b *benchmark) {
	const every = 10 * time.Second
	if now := time.Now(); now.Sub(s.told) >= every {
		s.told = now
		s.Log("%s: link %d, %s; %v of the budget left", [2]string{"screening", "confirming"}[stage], seed+1, b.name, s.Left().Round(time.Second))
	}
}
