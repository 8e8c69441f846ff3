package live

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// each calls f for 0 ... n-1, as many at a time as there are processors.
func (s *comparison) each(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error { return f(ctx, i) })
	}
	return g.Wait()
}

// link makes the binaries of packages at seeds, which are counted from Options.Seed.
func (s *comparison) link(ctx context.Context, pkgs []*pkg, seeds []int) error {
	type job struct {
		p          *pkg
		seed, side int
		out        string
	}
	var jobs []job
	for _, p := range pkgs {
		for _, seed := range seeds {
			var out [2]string
			for side := range out {
				dir := filepath.Join(s.pair.Temp, "links", sideNames[side], strconv.Itoa(p.at))
				if err := os.MkdirAll(dir, 0o700); err != nil {
					return err
				}
				out[side] = filepath.Join(dir, strconv.Itoa(seed+1)+".test")
				jobs = append(jobs, job{p, seed, side, out[side]})
			}
			p.binaries[seed] = out
		}
	}
	took, started := make([]time.Duration, len(jobs)), time.Now()
	err := s.each(ctx, len(jobs), func(ctx context.Context, i int) error {
		j, began := jobs[i], time.Now()
		defer func() { took[i] = time.Since(began) }()
		return s.builder.Link(ctx, j.side, j.p.sides[j.side], s.Seed+uint32(j.seed)+1, j.out)
	})
	s.linking += time.Since(started)
	for i, j := range jobs {
		s.serial += took[i]
		j.p.linking += took[i]
		j.p.links += j.side // of the two of a seed
	}
	return errors.Join(err, s.pair.Unmoved(ctx))
}

// unlink removes the binaries of a package.
func (p *pkg) unlink() error {
	var err error
	for _, pair := range p.binaries {
		err = errors.Join(err, os.Remove(pair[base]), os.Remove(pair[head]))
	}
	clear(p.binaries)
	return err
}
