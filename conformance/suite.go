package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

// Factory makes the implementation to judge, afresh for every case.
type Factory func() op.Implementation

// ErrNothingJudged is wrapped by the errors of runs that could not come to a verdict: no case was executed, or the vectors are corrupt.
var ErrNothingJudged = errors.New("nothing was judged")

// Option narrows or changes what Check and Run judge.
type Option func(*config)

type config struct {
	vectors  *vector.Set
	patterns []string
	ids      []string
	profile  string
	limit    time.Duration
	progress func(done, total int)
	ctx      context.Context
	once     bool
}

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

// Context stops Check between two cases once ctx is done.
func Context(ctx context.Context) Option { return func(c *config) { c.ctx = ctx } }

// Profiles are the named sets of ops that an implementation can be complete for.
var Profiles = map[string][]string{
	"forward":  op.Names("forward"),
	"training": op.Names("forward", "gradients", "training"),
	"decoding": op.Names("forward", "decoding"),
	"text":     op.Names("text"),
	"all":      op.Names(),
}

func configure(opts []Option) (*config, error) {
	c := &config{limit: 2 * time.Minute, ctx: context.Background()}
	for _, o := range opts {
		o(c)
	}
	for _, p := range c.patterns {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("%w: op pattern %q: %w", ErrNothingJudged, p, err)
		}
	}
	if _, ok := Profiles[c.profile]; c.profile != "" && !ok {
		return nil, fmt.Errorf("%w: profile %q: want %s", ErrNothingJudged, c.profile, strings.Join(slices.Sorted(maps.Keys(Profiles)), ", "))
	}
	if c.vectors == nil {
		var err error
		if c.vectors, err = golden.Load(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNothingJudged, err)
		}
	}
	return c, nil
}

// selected is a case that the options admit.
type selected struct {
	op string
	*vector.Case
}

// selection returns the cases that the options admit, in the order of the files; an error where there are none.
func (c *config) selection() ([]selected, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	var cases []selected
	for _, f := range c.vectors.Files {
		if !c.admits(f.Op) {
			continue
		}
		for _, v := range f.Cases {
			if len(c.ids) == 0 || slices.Contains(c.ids, v.ID) {
				cases = append(cases, selected{f.Op, v})
			}
		}
	}
	for _, id := range c.ids {
		if !slices.ContainsFunc(cases, func(s selected) bool { return s.ID == id }) {
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
	if len(c.patterns)+len(c.ids) > 0 {
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

// Check judges the implementations that factory makes and returns what it found. The error is not nil where nothing was judged: the
// vectors are corrupt, no case was selected, or none of the selected could be executed. A failed case is in the report, not an error:
// see Report.Err.
func Check(factory Factory, opts ...Option) (*Report, error) {
	c, err := configure(opts)
	if err != nil {
		return nil, err
	}
	cases, err := c.selection()
	if err != nil {
		return nil, err
	}
	formats, err := formatsOf(factory)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	r := newReport(c, formats)
	for i, s := range cases {
		if c.ctx.Err() != nil {
			return nil, fmt.Errorf("%w: stopped after %d of %d cases: %w", ErrNothingJudged, i, len(cases), c.ctx.Err())
		}
		worst, err := s.judge(c, factory, formats)
		if errors.Is(err, vector.ErrCorrupt) {
			return nil, fmt.Errorf("%w: %w", ErrNothingJudged, err)
		}
		if errors.Is(err, ErrNothingJudged) {
			return nil, err
		}
		r.add(s, worst, err)
		if c.progress != nil {
			c.progress(i+1, len(cases))
		}
	}
	r.Seconds = time.Since(start).Seconds()
	if r.Cases == 0 {
		return nil, fmt.Errorf("%w: the implementation supports none of the %d selected cases: %s", ErrNothingJudged, len(cases), r.Skipped[0].Reason)
	}
	return r, nil
}

func (s selected) judge(c *config, factory Factory, formats op.Formats) (float64, error) {
	p, err := prepare(s.op, s.Case, formats.Storage)
	if err != nil {
		return 0, err
	}
	p.once = c.once
	formats = s.Formats(formats)
	if err := p.applies(formats); err != nil {
		return 0, err
	}
	return p.judgeWithin(c.ctx, c.limit, factory, formats)
}

func formatsOf(factory Factory) (op.Formats, error) {
	f := op.FormatsOf(factory())
	if err := errors.Join(f.Storage.Valid(), f.Accumulate.Valid()); err != nil {
		return f, fmt.Errorf("%w: declared formats: %w", ErrNothingJudged, err)
	}
	return f, nil
}
