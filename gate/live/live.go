// Package live measures two versions of a Go module against each other and judges whether any benchmark became slower: the base (the merge base
// of a ref and the head) in a worktree, and the head, by default the checkout as it is.
//
// # What is compared
//
// Both sides' test binaries of each package are linked with the same flags. If code and data are equal, the package's benchmarks are "same code" and
// nothing is timed. Otherwise each side is linked at many layout seeds (-funcalign=64 -randlayout=k), and package paired decides how often which
// benchmark is measured, and judges.
//
// # How a benchmark is run
//
// A slice is one process that runs one benchmark with a fixed number of iterations, the same on both sides, in that side's package directory:
//
//	-test.run=^$ -test.bench=^BenchmarkA$/^sub$ -test.benchtime=Nx -test.count=1 -test.benchmem -test.paniconexit0
//
// N makes a slice of the base last about 30 ms (where the head is more than twice as slow, a slice of the head). Both sides have this process's
// environment; that the settings of the go command agree is package binary's part.
//
// A slice counts only in the frame of a run to its end: exit status 0, exactly one result, of the benchmark that was asked for and of N iterations, and
// PASS behind it. What a package prints besides changes nothing or is refused. That guards against accidents; what runs in the process could imitate
// the frame, so it is no defence against code that means to deceive: docs/gate.md says what such code could do.
//
// The budget holds for all of it. What runs when it ends is killed; what was measured before is judged.
//
// # What is judged
//
// Units that rest on time are judged by pairs. A custom unit needs a direction ("Unit tok/s better=higher" on standard output, before the
// benchmark runs), on which base and head agree; that of what package testing prints is fixed. A unit that is a constant over or times the time, such
// as MB/s or GFLOP/s, says the same as sec/op and is left to it. B/op and allocs/op, and units declared assume=exact, do not depend on layout and are
// judged from all slices: exactly where they do not vary, else by the test of package gate, at a tenth of the error probability.
//
// Whatever one side has and the other lacks, benchmarks and units, is listed; what the head lacks is refused unless it is accepted. A function that
// has no result on either side is noted.
package live

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assaykit/assay/gate"
	gobinary "github.com/assaykit/assay/gate/binary"
	"github.com/assaykit/assay/gate/checkout"
	"github.com/assaykit/assay/gate/paired"
)

// Options configures Run. Start from Defaults.
type Options struct {
	Dir          string   // where the user stands, in a module in a git repository
	Base         string   // ref whose merge base with the head is the base
	Head         string   // ref; "" means the checkout as it is
	Packages     []string // patterns of the go command; nil means ./...
	Bench        string   // of the benchmarks, as go test -bench has it; "" means all
	Budget       time.Duration
	Tags         string // build tags
	LDFlags      string // the user's, merged with the layout's
	Alpha        float64
	Slack        float64
	Resolution   float64  // limit that a pass needs; see gate.Options
	Require      float64  // gate.Options.RequireResolution
	SkipUnits    []string // leave these out
	AllowRemoved bool     // accept benchmarks that the head lacks
	AllowChanged bool     // judge benchmarks whose own source changed
	Seed         uint32   // of layouts and orders; 0 means a random one, which the report names
	Samples      string   // directory that gets base.txt and head.txt; "" keeps none
	Log          func(format string, args ...any)
}

// Defaults returns the options of a gate for continuous integration, for the ref base.
func Defaults(base string) Options {
	g := gate.Defaults()
	return Options{Dir: ".", Base: base, Budget: 5 * time.Minute, Alpha: g.Alpha, Slack: g.Slack, Resolution: g.Resolution}
}

// gate is the part of the options that package gate has.
func (o Options) gate() gate.Options {
	return gate.Options{Alpha: o.Alpha, Slack: o.Slack, Resolution: o.Resolution, RequireResolution: o.Require}
}

// ofAllocations is the part of Alpha that the rows judged without pairs get; the pairs get the rest.
const ofAllocations = 0.1

// Run measures and judges. An error means that nothing was judged. Whatever it returns, worktrees and binaries are gone.
func Run(ctx context.Context, opt Options) (report *gate.Report, err error) {
	start := time.Now()
	s, err := open(ctx, opt)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failed := s.keep(); failed != nil { // the verdict counts more
			s.report.Notes = append(s.report.Notes, failed.Error())
			s.Log("%v", failed)
		}
		switch notes := s.pair.Notes; {
		case ctx.Err() != nil:
			err = fmt.Errorf("interrupted, nothing was judged: %w", context.Cause(ctx))
		case err != nil && len(notes) > 0:
			err = fmt.Errorf("%w\n%s", err, strings.Join(notes, "\n"))
		}
		if err = errors.Join(err, s.pair.Close()); err != nil {
			report = nil
		}
	}()
	switch err := s.within(ctx, s.find); {
	case errors.Is(err, paired.ErrEnded):
		return nil, fmt.Errorf("the budget of %v does not suffice to link and run every benchmark once: raise it, or select fewer benchmarks or packages: %w", opt.Budget, err)
	case err != nil:
		return nil, err
	}
	if err := s.compare(ctx); err != nil {
		return nil, err
	}
	s.report.Seconds = time.Since(start).Seconds()
	return s.report, nil
}

// open checks the options and opens both sides. The pair is the caller's to close.
func open(ctx context.Context, opt Options) (*comparison, error) {
	if opt.Log == nil {
		opt.Log = func(string, ...any) {}
	}
	if opt.Budget <= 0 {
		return nil, fmt.Errorf("the budget is %v: want a time such as 5m", opt.Budget)
	}
	deadline := time.Now().Add(opt.Budget)
	if err := opt.gate().Validate(); err != nil {
		return nil, err
	}
	if err := opt.clear(); err != nil {
		return nil, err
	}
	selected, err := functions(opt.Bench)
	if err != nil {
		return nil, err
	}
	for opt.Seed == 0 {
		var b [4]byte
		rand.Read(b[:]) // never fails
		opt.Seed = binary.LittleEndian.Uint32(b[:]) >> 1
	}
	pair, err := checkout.Open(ctx, checkout.Options{Dir: opt.Dir, Base: opt.Base, Head: opt.Head})
	if err != nil {
		return nil, err
	}
	opt.Log("base %s, head %s", pair.Base.Name, pair.Head.Name)
	s := &comparison{Options: opt, pair: pair, selected: selected, deadline: deadline}
	s.report = &gate.Report{
		Old: pair.Base.Name, New: pair.Head.Name, Alpha: opt.Alpha, Slack: opt.Slack, Limit: cmp.Or(opt.Require, opt.Resolution),
		RequireResolution: opt.Require != 0, Rows: []gate.Row{}, Added: []string{}, Removed: []string{}, Notes: append([]string{}, pair.Notes...),
	}
	scratch := filepath.Join(pair.Temp, "tmp")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return nil, errors.Join(err, pair.Close())
	}
	s.runner = newRunner(scratch, opt.SkipUnits)
	s.builder, err = gobinary.Open(ctx, gobinary.Side{Root: pair.Base.Root, Dir: pair.Base.Dir}, gobinary.Side{Root: pair.Head.Root, Dir: pair.Head.Dir},
		gobinary.Settings{Tags: opt.Tags, LDFlags: opt.LDFlags, Temp: scratch})
	if err != nil {
		return nil, errors.Join(err, pair.Close())
	}
	return s, nil
}

// within calls f with a context that ends with the budget. An error for that reason wraps paired.ErrEnded.
func (s *comparison) within(ctx context.Context, f func(ctx context.Context) error) error {
	limited, cancel := context.WithDeadlineCause(ctx, s.deadline, paired.ErrEnded)
	defer cancel()
	err := f(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil && !errors.Is(err, paired.ErrEnded) {
		return fmt.Errorf("%w: %w", paired.ErrEnded, err)
	}
	return err
}

// untimed measures a benchmark that reports nothing that rests on time, often enough to tell what jitters, or not at all if the budget ends.
func (s *comparison) untimed(ctx context.Context, b *benchmark) error {
	const runs = 10 // 1/C(20, 10) is below any level that comes to be
	err := s.within(ctx, func(ctx context.Context) error {
		for range runs {
			for side := range b.runs {
				r, err := s.slice(ctx, b, -1, side)
				if err != nil {
					return err
				}
				b.runs[side] = append(b.runs[side], r)
			}
		}
		return nil
	})
	if errors.Is(err, paired.ErrEnded) {
		b.runs = [2][]result{}
		return nil
	}
	return err
}

// slice runs a benchmark's iterations on one side, linked at a seed.
func (s *comparison) slice(ctx context.Context, b *benchmark, seed, side int) (result, error) {
	r, err := s.runner.one(ctx, b.pkg.binaries[seed][side], b.pkg.sides[side].Dir, b, fmt.Sprintf("%dx", b.n))
	if err != nil {
		return r, fmt.Errorf("%s: %w", sideNames[side], err)
	}
	return r, nil
}

// compare measures what find found and adds the rows to the report.
func (s *comparison) compare(ctx context.Context) error {
	var items []paired.Item
	var timed []*benchmark
	for _, b := range s.benchmarks {
		if len(b.timed) > 0 {
			items, timed = append(items, paired.Item{Rows: len(b.timed), Cost: 3 * b.cost / 2}), append(timed, b) // every other quad is run again
			continue
		}
		if err := s.untimed(ctx, b); err != nil {
			return err
		}
	}
	var results [][]paired.Result
	if len(items) > 0 {
		s.Log("measuring %d benchmarks; layout seed %d", len(items), s.Seed)
		s.report.Notes = append(s.report.Notes, fmt.Sprintf("layouts and orders are those of seed %d", s.Seed))
		src := &quads{comparison: s, benchmarks: timed}
		design := paired.Design{Alpha: (1 - ofAllocations) * s.Alpha, Slack: s.Slack, Limit: s.report.Limit, Seed: uint64(s.Seed)}
		var err error
		if results, err = design.Run(ctx, src, items); err != nil {
			return err
		}
		repeated := 0
		for _, b := range timed {
			repeated += len(b.apart) - len(b.quads)
		}
		if repeated > 0 {
			s.report.Notes = append(s.report.Notes, fmt.Sprintf("%d quads were run again, because slices of one side disagreed", repeated))
		}
	}
	return s.conclude(timed, results)
}
