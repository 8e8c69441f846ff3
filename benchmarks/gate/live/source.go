package live

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// source is the suite as package paired sees it.
type source struct {
	*suite
	benchmarks []*benchmark
	rounds     int
	told       time.Time
}

func (s *source) Left() time.Duration { return time.Until(s.deadline) }

// Link is the mean of what linking a seed took so far.
func (s *source) Link() time.Duration { return s.linking / time.Duration(max(1, s.links)) }

// Prepare links the packages of the items at the seeds and removes what was linked before.
func (s *source) Prepare(ctx context.Context, seeds, items []int) error {
	var pkgs []*pkg
	for _, i := range items {
		if p := s.benchmarks[i].pkg; !slices.Contains(pkgs, p) {
			pkgs = append(pkgs, p)
		}
	}
	for _, b := range s.benchmarks {
		if err := b.pkg.unlink(); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := s.link(ctx, pkgs, seeds); err != nil {
		return err
	}
	s.linking += time.Since(began)
	s.links += len(seeds)
	return nil
}

// Quad runs base head head base, or head base base head.
func (s *source) Quad(ctx context.Context, stage, item, seed int, reverse bool) ([]float64, error) {
	b := s.benchmarks[item]
	s.progress(stage, seed, b)
	bin := b.pkg.binaries[seed]
	order := [4]int{base, head, head, base}
	if reverse {
		order = [4]int{head, base, base, head}
	}
	var slices [4]result
	for k, side := range order {
		r, err := s.runner.one(ctx, bin[side], b.pkg.sides[side].Dir, b, fmt.Sprintf("%dx", b.n), s.limit(b.cost))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sideNames[side], err)
		}
		slices[k] = r
		b.runs[side] = append(b.runs[side], r)
	}
	d := make([]float64, len(b.timed))
	for row, u := range b.timed {
		var x [4]float64
		for k := range slices {
			v, ok := slices[k].values[u.name]
			if !ok {
				return nil, fmt.Errorf("%s reports %s in some runs only: report it in all", b.name, u.name)
			}
			x[k] = v
		}
		sign := u.worse
		if reverse {
			sign = -sign
		}
		d[row] = sign * (logRatio(x[0], x[1]) + logRatio(x[3], x[2])) / 2
		if row == 0 {
			if reverse {
				x = [4]float64{x[1], x[0], x[3], x[2]}
			}
			b.quads = append(b.quads, x)
		}
	}
	return d, nil
}

// logRatio is log(new/old), where 0 is as good as 1e-9 of the other.
func logRatio(old, new float64) float64 {
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
func (s *source) progress(stage, seed int, b *benchmark) {
	const every = 10 * time.Second
	if now := time.Now(); now.Sub(s.told) >= every {
		s.told = now
		s.Log("%s: link %d, %s; %v of the budget left", [2]string{"screening", "confirming"}[stage], seed+1, b.name, s.Left().Round(time.Second))
	}
}
