package live

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// calibrate chooses the iterations of a slice, measures what a quad costs, and sorts the units.
func (s *comparison) calibrate(ctx context.Context, b *benchmark) error {
	bin := b.pkg.binaries[-1]
	run := func(side int, benchtime string) (result, error) {
		return s.runner.one(ctx, bin[side], b.pkg.sides[side].Dir, b, benchtime)
	}
	old, err := run(base, slice.String())
	if err != nil {
		return err
	}
	b.n = iterations(old, 1)
	began := time.Now()
	new, err := run(head, fmt.Sprintf("%dx", b.n))
	if err != nil {
		return err
	}
	took := time.Since(began)
	whole := func(r result) time.Duration {
		return time.Duration(float64(b.n) * r.values["sec/op"] * float64(time.Second))
	}
	b.cost = 2*max(took, time.Millisecond) + 2*(whole(old)+max(0, took-whole(new)))
	if ratio := new.values["sec/op"] / old.values["sec/op"]; ratio > 2 && b.n > 2 { // also false where there is no time
		b.n = iterations(old, ratio)
		b.cost = max(time.Millisecond, b.cost*time.Duration(b.n)/time.Duration(new.iters))
	}
	for _, side := range []struct {
		has, lacks map[string]float64
		list       *[]string
	}{{old.values, new.values, &s.report.Removed}, {new.values, old.values, &s.report.Added}} {
		for _, unit := range slices.Sorted(maps.Keys(side.has)) {
			if _, ok := side.lacks[unit]; !ok {
				*side.list = append(*side.list, b.full()+" "+unit)
			}
		}
	}
	return s.units(b, []map[string]float64{b.first, old.values, new.values})
}

// full is the name with the package.
func (b *benchmark) full() string { return b.pkg.sides[head].ImportPath + ".Benchmark" + b.name }

// iterations is how many fill a slice whose iterations are slower than those of r by a factor: two at least, because one would be the first, which package
// testing otherwise runs before it times.
func iterations(r result, factor float64) int {
	if sec := r.values["sec/op"]; sec > 0 {
		return int(min(1e9, max(2, math.Round(slice.Seconds()/sec/factor))))
	}
	return r.iters
}
