package conformance

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// errNotApplicable is wrapped where a case says nothing about the declared formats. It is no fault and no gap of the implementation.
var errNotApplicable = errors.New("not applicable")

// applies reports why a case says nothing about the declared formats: its inputs are outside their range, or its bounds are so wide in
// them that zeros would pass (SPEC.md, A.10).
func (p *prepared) applies(f op.Formats) error {
	if !p.fits(f.Storage) {
		return fmt.Errorf("%w: inputs are outside the range of %s", errNotApplicable, f.Storage)
	}
	if err := p.decides(f); err != nil {
		return err
	}
	if p.Compare != vector.Bound {
		return nil
	}
	for i := range p.Steps {
		for _, e := range slices.Concat(p.Steps[i].Results()...) {
			t := tolerance{&e, p.Compare, f}
			var bounds, wants float64
			for j, want := range e.Want {
				if b := t.bound(j); !math.IsNaN(want) && !math.IsInf(want, 0) && !math.IsInf(b, 0) {
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

// fits reports whether the format can hold the inputs. One with the range of float32 can, for what is subnormal in float32 is so there.
func (p *prepared) fits(f op.Format) bool {
	if f.SmallestNormal() <= op.Float32Format.SmallestNormal() {
		return true
	}
	for _, t := range slices.Concat(append(slices.Clone(p.src), p.consts)...) {
		for _, x := range t.F32 {
			if a := math.Abs(float64(x)); a != 0 && a < f.SmallestNormal() || a > f.Max() && !math.IsInf(a, 1) {
				return false
			}
		}
	}
	return true
}

// decides reports why tokens that floats decide may be others in the declared formats: formats narrower than float32 round the inputs
// before anything is compared, or decide in an arithmetic for which the cases keep no distance (SPEC.md, A.11).
func (p *prepared) decides(f op.Formats) error {
	tokens := slices.ContainsFunc(p.Steps, func(s vector.Step) bool {
		return slices.ContainsFunc(s.Dst, func(e vector.Expect) bool { return e.Integers() })
	})
	if !tokens {
		return nil
	}
	for _, t := range slices.Concat(append(slices.Clone(p.src), p.consts)...) {
		for _, x := range t.F32 {
			if y := f.Storage.Round(float64(x)); y != float64(x) && x == x {
				return fmt.Errorf("%w: %s rounds the inputs by which tokens are chosen", errNotApplicable, f.Storage)
			}
		}
	}
	if p.Compare != vector.Exact && f.Accumulate.UnitRoundoff() > op.Float32Format.UnitRoundoff() {
		return fmt.Errorf("%w: tokens may be others in %s arithmetic", errNotApplicable, f.Accumulate)
	}
	return nil
}
