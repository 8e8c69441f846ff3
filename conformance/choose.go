package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

// Option narrows or changes what Check and Run judge.
type Option func(*config)

// Vectors judges with these vectors instead of the embedded ones.
func Vectors(s *vector.Set) Option { return func(c *config) { c.vectors = s } }

// Ops judges only ops whose name matches one of the patterns, in the syntax of path.Match: "attention*".
func Ops(patterns ...string) Option { return func(c *config) { c.patterns = patterns } }

// Cases judges only the cases with these ids.
func Cases(ids ...string) Option { return func(c *config) { c.ids = ids } }

// Profile judges the ops of a named profile and demands all of them: see Profiles. Without it, ops that the implementation does not
// offer are reported and nothing more.
func Profile(name string) Option { return func(c *config) { c.profile = name } }

// TimeLimit changes how long one case may take, replays included; 2 minutes unless changed. It is there to name the case of a kernel that
// hangs, not to judge speed: a slow kernel under the race detector or an emulator needs more.
func TimeLimit(d time.Duration) Option { return func(c *config) { c.limit = d } }

// Progress has Check call f after each case.
func Progress(f func(done, total int)) Option { return func(c *config) { c.progress = f } }

// Once judges a single run of each case: its results, its errors and its buffers. The replays, and with them BUF-4 and BUF-5, are left out,
// and the report does not count these clauses as covered. It is for judging many implementations that differ in their arithmetic only.
func Once() Option { return func(c *config) { c.once = true } }

// Seed has the suite draw its own numbers from n, and not from a seed of each run's own, which the report has. Those of the vectors, and
// what they must give, do not depend on it.
func Seed(n uint64) Option { return func(c *config) { c.seed = n } }

// Context stops Check between two cases once ctx is done.
func Context(ctx context.Context) Option { return func(c *config) { c.ctx = ctx } }

// config is what the options choose. A case is judged that vectors, patterns, ids and profile admit.
type config struct {
	vectors  *vector.Set // the embedded ones where it is nil
	patterns []string    // of ops' names; none admits all
	ids      []string    // of cases; none admits all
	profile  string      // empty admits all

	once     bool // no replays
	seed     uint64
	limit    time.Duration
	progress func(done, total int)
	ctx      context.Context
}

func configure(opts []Option) *config {
	c := &config{limit: 2 * time.Minute, ctx: context.Background(), seed: uint64(rand.Uint32())}
	for _, o := range opts {
		o(c)
	}
	return c
}

// Profiles are the named sets of ops that an implementation can be complete for.
var Profiles = map[string][]string{
	"forward":  op.Names("forward"),
	"training": op.Names("forward", "gradients", "training"),
	"decoding": op.Names("forward", "decoding"),
	"text":     op.Names("text"),
	"llama":    op.Names("llama"),
	"all":      op.Names(),
}

// ErrNothingJudged is wrapped by the errors of runs that could not come to a verdict: no case was executed, or the vectors are corrupt.
var ErrNothingJudged = errors.New("nothing was judged")

// cases returns the cases that the options admit, in the order of the files; an error where there are none.
func (c *config) cases() ([]opCase, error) {
	if err := c.valid(); err != nil {
		return nil, err
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	var cases []opCase
	for _, f := range c.vectors.Files {
		if !c.admits(f.Op) {
			continue
		}
		for _, v := range f.Cases {
			if len(c.ids) == 0 || slices.Contains(c.ids, v.ID) {
				cases = append(cases, opCase{f.Op, v})
			}
		}
	}
	for _, id := range c.ids {
		if !slices.ContainsFunc(cases, func(o opCase) bool { return o.ID == id }) {
			return nil, fmt.Errorf("%w: no case %q among the selected ops: list them with `assay vectors list`", ErrNothingJudged, id)
		}
	}
	if len(cases) == 0 && len(c.patterns) > 0 && c.profile != "" {
		return nil, fmt.Errorf("%w: no case of profile %s matches ops %q", ErrNothingJudged, c.profile, c.patterns)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%w: the vectors hold no case", ErrNothingJudged)
	}
	return cases, nil
}

// narrowed reports whether only some ops or cases are chosen.
func (c *config) narrowed() bool { return len(c.patterns)+len(c.ids) > 0 }

// valid reports a pattern and a profile that mean nothing, and reads the embedded vectors where no others are given.
func (c *config) valid() error {
	for _, p := range c.patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("%w: op pattern %q: %w", ErrNothingJudged, p, err)
		}
	}
	if _, ok := Profiles[c.profile]; c.profile != "" && !ok {
		return fmt.Errorf("%w: profile %q: want %s", ErrNothingJudged, c.profile, strings.Join(slices.Sorted(maps.Keys(Profiles)), ", "))
	}
	if c.vectors == nil {
		var err error
		if c.vectors, err = golden.Load(); err != nil {
			return fmt.Errorf("%w: %w", ErrNothingJudged, err)
		}
	}
	return nil
}

// complete reports a pattern that matches no op, and an op of the profile that has no case: neither must pass unseen.
func (c *config) complete() error {
	has := func(match func(name string) bool) bool {
		return slices.ContainsFunc(c.vectors.Files, func(f *vector.File) bool { return match(f.Op) && len(f.Cases) > 0 })
	}
	for _, p := range c.patterns {
		if !has(func(name string) bool { ok, _ := path.Match(p, name); return ok }) {
			return fmt.Errorf("%w: no case matches op %q: the ops are %s", ErrNothingJudged, p, strings.Join(op.Names(), ", "))
		}
	}
	if c.narrowed() {
		return nil
	}
	for _, name := range Profiles[c.profile] {
		if !has(func(have string) bool { return have == name }) {
			return fmt.Errorf("%w: profile %s needs %s, and these vectors have no case of it", ErrNothingJudged, c.profile, name)
		}
	}
	return nil
}

func (c *config) admits(name string) bool {
	if c.profile != "" && !slices.Contains(Profiles[c.profile], name) {
		return false
	}
	return len(c.patterns) == 0 || slices.ContainsFunc(c.patterns, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}

// What cases that are not judged end with.
var (
	errNotListed     = fmt.Errorf("%w: the implementation does not list it", op.ErrUnsupported)
	errNotApplicable = errors.New("not applicable") // the case says nothing about the declared formats: no fault and no gap of the implementation
	errGivenUp       = errors.New("given up")       // the kernel did not return from other cases of the op
)

// applies reports why a case says nothing about the declared formats: its inputs are outside their range, or its bounds are so wide in
// them that zeros would pass (SPEC.md, A.10).
func (c opCase) applies(t tensors, f op.Formats) error {
	if !t.fit(f.Storage) {
		return fmt.Errorf("%w: inputs are outside the range of %s", errNotApplicable, f.Storage)
	}
	if err := c.decides(t, f); err != nil {
		return err
	}
	if c.Compare != vector.Bound {
		return nil
	}
	for i := range c.Steps {
		for _, e := range slices.Concat(c.Steps[i].Results()...) {
			tol := tolerance{&e, c.Compare, f}
			var bounds, wants float64
			for j, want := range e.Want {
				if b := tol.bound(j); !math.IsNaN(want) && !math.IsInf(want, 0) && !math.IsInf(b, 0) {
					bounds += b * b
					wants += want * want
				}
			}
			if wants > 0 && bounds > 0.01*wants {
				return fmt.Errorf("%w: bounds are too wide in %s accumulating %s", errNotApplicable, f.Storage, f.Accumulate)
			}
		}
	}
	return nil
}

// fit reports whether the format can hold the inputs. One with the range of float32 can, for what is subnormal in float32 is so there.
func (t tensors) fit(f op.Format) bool {
	if f.SmallestNormal() <= op.Float32Format.SmallestNormal() {
		return true
	}
	for _, in := range t.inputs() {
		for _, x := range in.F32 {
			if a := math.Abs(float64(x)); a != 0 && a < f.SmallestNormal() || a > f.Max() && !math.IsInf(a, 1) {
				return false
			}
		}
	}
	return true
}

// decides reports why tokens that floats decide may be others in the declared formats: formats narrower than float32 round the inputs
// before anything is compared, or decide in an arithmetic for which the cases keep no distance (SPEC.md, A.11).
func (c opCase) decides(t tensors, f op.Formats) error {
	tokens := slices.ContainsFunc(c.Steps, func(s vector.Step) bool {
		return slices.ContainsFunc(s.Dst, func(e vector.Expect) bool { return e.Integers() })
	})
	if !tokens {
		return nil
	}
	for _, in := range t.inputs() {
		for _, x := range in.F32 {
			if y := f.Storage.Round(float64(x)); y != float64(x) && x == x {
				return fmt.Errorf("%w: %s rounds the inputs by which tokens are chosen", errNotApplicable, f.Storage)
			}
		}
	}
	if c.Compare != vector.Exact && f.Accumulate.UnitRoundoff() > op.Float32Format.UnitRoundoff() {
		return fmt.Errorf("%w: tokens may be others in %s arithmetic", errNotApplicable, f.Accumulate)
	}
	return nil
}
