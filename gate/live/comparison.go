package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/assaykit/assay/gate"
	"github.com/assaykit/assay/gate/binary"
	"github.com/assaykit/assay/gate/checkout"
)

// slice is how long one process times its benchmark. Of shorter ones much is the start of the process; longer ones are more often disturbed, where
// what else uses the machine comes and goes. benchmarks/README.md has the figures.
const slice = 30 * time.Millisecond

// sides are what [2]T is indexed by.
const (
	base = iota
	head
)

var sideNames = [2]string{"base", "head"}

// pkg is a package that both sides have and whose code differs.
type pkg struct {
	at       int // unique, for paths
	sides    [2]binary.Package
	binaries map[int][2]string // by seed index
	links    int               // seeds linked
	linking  time.Duration     // that their links took, as if one after the other
}

// benchmark is a benchmark that both sides have.
type benchmark struct {
	pkg     *pkg
	name    string // without the prefix Benchmark, with the suffix
	pattern string
	top     binary.Benchmark // of the head
	n       int              // iterations of a slice
	cost    time.Duration    // of a quad
	config  map[string]string
	timed   []unit             // judged by pairs
	other   []unit             // judged without
	runs    [2][]result        // all slices
	quads   [][4]float64       // values of the first timed unit, before any was run again: base, head, head, base, whichever came first
	apart   []float64          // how far slices of one side of each quad were apart, those run again included
	first   map[string]float64 // values that are told apart from derived ones by the one iteration of the discovery
}

// comparison is a run in progress.
type comparison struct {
	Options
	pair       *checkout.Pair
	builder    *binary.Builder
	runner     *runner
	selected   func(function string) bool
	deadline   time.Time
	report     *gate.Report
	benchmarks []*benchmark
	derived    []string      // units that follow from the time
	linking    time.Duration // that links took
	serial     time.Duration // that they would have taken one after the other
}

// find decides what is measured: packages whose code differs, benchmarks that both sides have, iterations and units.
func (s *comparison) find(ctx context.Context) error {
	pkgs, err := s.packages(ctx)
	if err != nil {
		return err
	}
	if len(pkgs) > 0 {
		if err := s.link(ctx, pkgs, []int{-1}); err != nil {
			return err
		}
	}
	for _, p := range pkgs {
		if err := s.discover(ctx, p); err != nil {
			return err
		}
	}
	if err := s.complete(); err != nil {
		return err
	}
	if changed := s.changed(); len(changed) > 0 {
		if !s.AllowChanged {
			return fmt.Errorf("the source of benchmarks changed, so that they may measure something else: %s: change them apart from the code that they measure, or judge them all the same "+
				"with --allow-changed-benchmarks", list(changed))
		}
		s.report.Notes = append(s.report.Notes, "the benchmark's own source changed: "+list(changed))
	}
	if len(s.benchmarks) > 0 {
		s.Log("calibrating %d benchmarks of %d packages", len(s.benchmarks), len(pkgs))
	}
	for _, b := range s.benchmarks {
		if err := s.calibrate(ctx, b); err != nil {
			return err
		}
	}
	s.report.Notes = append(s.report.Notes, gate.UnitNotes(s.SkipUnits, s.derived, s.runner.format.Units())...)
	return s.complete()
}

// complete refuses a head that lacks what the base has.
func (s *comparison) complete() error {
	if len(s.report.Removed) > 0 && !s.AllowRemoved {
		return fmt.Errorf("the head lacks benchmarks that the base has: %s: restore them, or accept it with --allow-removed", list(s.report.Removed))
	}
	return nil
}

// list is the first few of names.
func list(names []string) string {
	const few = 5
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
