package live

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

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

type unit struct {
	name     string
	better   string
	worse    float64 // +1 if lower is better, -1 if higher is
	declared bool    // assume=exact
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
	return s.complete()
}

// complete refuses a head that lacks what the base has.
func (s *comparison) complete() error {
	if len(s.report.Removed) > 0 && !s.AllowRemoved {
		return fmt.Errorf("the head lacks benchmarks that the base has: %s: restore them, or accept it with --allow-removed", list(s.report.Removed))
	}
	return nil
}

// packages matches the packages of both sides and reports those of equal code. It returns the others.
func (s *comparison) packages(ctx context.Context) ([]*pkg, error) {
	patterns := s.Packages
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	var found [2]map[string]binary.Package
	for side := range found {
		list, err := s.builder.Packages(ctx, side, patterns)
		if err != nil {
			return nil, err
		}
		found[side] = map[string]binary.Package{}
		for _, p := range list {
			maps.DeleteFunc(p.Benchmarks, func(name string, _ binary.Benchmark) bool { return !s.selected(name) })
			if len(p.Benchmarks) > 0 {
				found[side][p.ImportPath] = p
			}
		}
	}
	names := func(p binary.Package) (full []string) {
		for _, name := range slices.Sorted(maps.Keys(p.Benchmarks)) {
			full = append(full, p.ImportPath+"."+name)
		}
		return full
	}
	if len(found[base])+len(found[head]) == 0 {
		return nil, fmt.Errorf("no benchmark matches %q in %s: name packages that have benchmarks, or another --bench", s.Bench, strings.Join(patterns, " "))
	}
	var pkgs []*pkg
	for _, importPath := range slices.Sorted(maps.Keys(found[base])) {
		if p, ok := found[head][importPath]; !ok {
			s.report.Removed = append(s.report.Removed, names(found[base][importPath])...)
		} else {
			pkgs = append(pkgs, &pkg{at: len(pkgs), sides: [2]binary.Package{found[base][importPath], p}, binaries: map[int][2]string{}})
		}
	}
	for _, importPath := range slices.Sorted(maps.Keys(found[head])) {
		if _, ok := found[base][importPath]; !ok {
			s.report.Added = append(s.report.Added, names(found[head][importPath])...)
		}
	}
	files, err := s.pair.Changed(ctx)
	if err != nil {
		return nil, err
	}
	if s.pair.Base.Commit == s.pair.Head.Commit && len(files) == 0 {
		return nil, fmt.Errorf("base and head are both %s and no file changed, so there is nothing to compare: name an earlier base, such as HEAD~1 or the last release's tag; "+
			"or are --base and --head exchanged?", s.pair.Base.Name)
	}
	equal := make([]bool, len(pkgs))
	err = s.each(ctx, len(pkgs), func(ctx context.Context, i int) error {
		same, err := s.builder.Same(ctx, pkgs[i].sides[base], pkgs[i].sides[head], s.pair.Temp)
		equal[i] = same && !s.data(pkgs[i], files)
		return err
	})
	if err != nil {
		return nil, err
	}
	var differ []*pkg
	for i, p := range pkgs {
		if !equal[i] {
			differ = append(differ, p)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(p.sides[head].Benchmarks)) {
			b := p.sides[head].Benchmarks[name]
			s.report.Rows = append(s.report.Rows, gate.Row{Name: strings.TrimPrefix(name, "Benchmark"), Verdict: gate.SameCode,
				Config: map[string]string{"pkg": p.sides[head].ImportPath}, File: b.File, Line: b.Line})
		}
	}
	s.Log("same code in %d of %d packages with benchmarks", len(pkgs)-len(differ), len(pkgs))
	return differ, nil
}

// data tells whether a file changed that is not compiled and that the package's benchmarks may read: in its directory, or below it in directories
// that are no packages of their own. Of testdata, Builder.Same knows.
func (s *comparison) data(p *pkg, files []string) bool {
	within, err := filepath.Rel(s.pair.Head.Root, p.sides[head].Dir)
	if err != nil {
		return true
	}
	within = filepath.ToSlash(within)
	return slices.ContainsFunc(files, func(file string) bool {
		if ext := path.Ext(file); ext == ".go" || ext == ".md" || strings.HasPrefix(file, ".") || strings.Contains(file, "/.") {
			return false
		}
		for dir := path.Dir(file); dir != within; dir = path.Dir(dir) {
			if source, err := filepath.Glob(filepath.Join(s.pair.Head.Root, filepath.FromSlash(dir), "*.go")); dir == "." || err != nil || len(source) > 0 {
				return false
			}
		}
		return true
	})
}

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

// limit is how long a process may take that is expected to take d.
func (s *comparison) limit(d time.Duration) time.Duration {
	return max(time.Minute, 100*d, time.Until(s.deadline))
}

// discover runs each selected benchmark of a package once on each side.
func (s *comparison) discover(ctx context.Context, p *pkg) error {
	s.Log("discovering the benchmarks of %s", p.sides[head].ImportPath)
	var found [2]map[string]result
	var order []string
	for side := range found {
		bench := s.Bench
		if bench == "" {
			bench = "."
		}
		results, err := s.runner.run(ctx, p.binaries[-1][side], p.sides[side].Dir, bench, "1x", s.limit(0))
		if err != nil {
			return fmt.Errorf("%s: %w", sideNames[side], err)
		}
		found[side] = map[string]result{}
		for _, r := range results {
			if _, twice := found[side][r.name]; twice {
				return fmt.Errorf("%s has two benchmarks %s: give them names of their own", p.sides[side].ImportPath, r.name)
			}
			found[side][r.name] = r
			if side == head {
				order = append(order, r.name)
			} else if len(r.values) == 0 {
				return fmt.Errorf("%s %s reports nothing", p.sides[side].ImportPath, r.name)
			}
		}
	}
	loud, err := s.silent(p, found)
	if err != nil {
		return err
	}
	full := func(name string) string { return p.sides[head].ImportPath + ".Benchmark" + name }
	for _, name := range slices.Sorted(maps.Keys(found[base])) {
		if _, ok := found[head][name]; !ok {
			s.report.Removed = append(s.report.Removed, full(name))
		}
	}
	for _, name := range order {
		old, ok := found[base][name]
		if !ok {
			s.report.Added = append(s.report.Added, full(name))
			function, _, _ := strings.Cut(strings.TrimSuffix(name, s.runner.suffix), "/")
			if _, declared := p.sides[base].Benchmarks["Benchmark"+function]; declared && !loud[base]["Benchmark"+function] {
				loud[base]["Benchmark"+function] = true // noted once
				s.report.Notes = append(s.report.Notes, fmt.Sprintf("%s.Benchmark%s has no result in the base, which has it too: not judged; if it reads files that git ignores, "+
					"compare commits with --head HEAD, or commit them", p.sides[head].ImportPath, function))
			}
			continue
		}
		plain := strings.TrimSuffix(name, s.runner.suffix)
		function, _, _ := strings.Cut(plain, "/")
		b := &benchmark{pkg: p, name: name, pattern: pattern(plain), top: p.sides[head].Benchmarks["Benchmark"+function], config: found[head][name].config, first: old.values}
		s.benchmarks = append(s.benchmarks, b)
	}
	return nil
}

// silent notes the selected functions of a package that have no result on either side, as those that skip, and refuses if there is no other. It returns
// those that have one, of each side.
func (s *comparison) silent(p *pkg, found [2]map[string]result) (loud [2]map[string]bool, err error) {
	for side, results := range found {
		loud[side] = map[string]bool{}
		for name := range results {
			function, _, _ := strings.Cut(strings.TrimSuffix(name, s.runner.suffix), "/")
			loud[side]["Benchmark"+function] = true
		}
	}
	if len(loud[base])+len(loud[head]) == 0 {
		return loud, fmt.Errorf("no benchmark of %s matches %q, or all skip: select packages and benchmarks that have results", p.sides[head].ImportPath, s.Bench)
	}
	for _, function := range slices.Sorted(maps.Keys(p.sides[head].Benchmarks)) {
		if !loud[base][function] && !loud[head][function] {
			s.report.Notes = append(s.report.Notes, fmt.Sprintf("%s.%s has no result on either side: not judged", p.sides[head].ImportPath, function))
		}
	}
	return loud, nil
}

// changed returns the benchmark functions whose own source differs, of those that both sides have.
func (s *comparison) changed() []string {
	var names []string
	for _, b := range s.benchmarks {
		old := b.pkg.sides[base].Benchmarks[b.top.Name]
		full := b.pkg.sides[head].ImportPath + "." + b.top.Name
		if old.Hash != b.top.Hash && !slices.Contains(names, full) {
			names = append(names, full)
		}
	}
	return names
}

// calibrate chooses the iterations of a slice, measures what a quad costs, and sorts the units.
func (s *comparison) calibrate(ctx context.Context, b *benchmark) error {
	bin := b.pkg.binaries[-1]
	run := func(side int, benchtime string) (result, error) {
		return s.runner.one(ctx, bin[side], b.pkg.sides[side].Dir, b, benchtime, s.limit(slice))
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

// units sorts the units that a benchmark reports into those judged by pairs, those judged otherwise, and those that follow from the time.
func (s *comparison) units(b *benchmark, seen []map[string]float64) error {
	names := slices.Sorted(maps.Keys(seen[len(seen)-1]))
	for _, values := range seen[1:] { // the first, of one iteration, may lack some
		names = slices.DeleteFunc(names, func(name string) bool { _, ok := values[name]; return !ok })
	}
	slices.SortStableFunc(names, func(x, y string) int { return rank(x) - rank(y) })
	declared := s.runner.format.Units()
	for _, name := range names {
		if follows(name, seen) {
			continue
		}
		u := unit{name: name, better: "lower", worse: -float64(declared.GetBetter(name))}
		switch u.worse {
		case 0:
			return fmt.Errorf("%s: the unit %s has no direction: let the benchmark print a line \"Unit %s better=higher\" (or better=lower) before it runs",
				b.name, name, name)
		case -1:
			u.better = "higher"
		}
		assume := declared.Get(name, "assume")
		u.declared = assume != nil && assume.Value == "exact"
		if u.declared || name == "B/op" || name == "allocs/op" {
			b.other = append(b.other, u)
		} else {
			b.timed = append(b.timed, u)
		}
	}
	return nil
}

// rank puts the time first.
func rank(unit string) int {
	if unit == "sec/op" {
		return 0
	}
	return 1
}

// follows tells whether a unit is the time times or over a constant, to the digits that are printed.
func follows(name string, seen []map[string]float64) bool {
	if name == "sec/op" {
		return false
	}
	for _, power := range []float64{1, -1} {
		lo, hi := math.Inf(1), math.Inf(-1)
		shortest, longest := math.Inf(1), 0.0
		tolerance := 0.002
		for _, values := range seen {
			x, ok := values[name]
			if !ok {
				continue
			}
			sec := values["sec/op"]
			if !(x > 0 && sec > 0) {
				return false
			}
			if name == "B/s" { // printed in MB/s with two decimals
				tolerance = max(tolerance, 2*0.005e6/x)
			}
			k := x * math.Pow(sec, power)
			lo, hi = min(lo, k), max(hi, k)
			shortest, longest = min(shortest, sec), max(longest, sec)
		}
		if hi/lo-1 <= tolerance && longest/shortest-1 > 2*tolerance {
			return true
		}
	}
	return false
}

// list is the first few of names.
func list(names []string) string {
	const few = 5
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
