package benchmarks

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
)

// A shadow is a second kernel of a stateful op. It takes, untimed and on inputs of its own, the steps that the timed one took, and must
// come to the same results.
type shadow struct {
	kernel op.Kernel
	src    [sets][]op.Tensor // the sets as they were before any exchange
	dst    []op.Tensor
	taken  int
}

// reopen gives the session a kernel that has taken no step.
func (s *entrant) reopen(spec op.Spec) error {
	if err := closeKernel(s.kernel); err != nil {
		return err
	}
	var err error
	s.kernel, err = s.impl.Open(spec)
	s.taken = 0
	return err
}

// follow begins a session of a stateful op, whose kernel and shadow have taken no step.
func (s *entrant) follow(spec op.Spec, storage op.DType) error {
	err := s.reopen(spec)
	if err != nil {
		return err
	}
	for i := range sets {
		s.shadow.src[i] = clone(s.inputs[i], storage)
	}
	s.shadow.dst = clone(s.dst, storage)
	s.shadow.kernel, err = s.impl.Open(spec)
	return err
}

// verifyState holds the results after timing to the shadow's, bit for bit: the last one; and then, after the contents of the sets were
// exchanged between the timed kernel's buffers, one for each set, each of which must differ from the one before it.
func (s *entrant) verifyState() error {
	if s.taken > 0 {
		if err := s.compare(); err != nil {
			return err
		}
	}
	s.exchange()
	s.moved++
	for i := range sets {
		before := clone(s.dst, s.formats.Storage.DType())
		if err := s.runFresh(i); err != nil {
			return err
		}
		if err := s.compare(); err != nil {
			return err
		}
		if s.taken > 1 && differ(s.dst, before) == nil {
			return fmt.Errorf("after timing: %w: step %d ends where the one before it did", ErrWrong, s.taken)
		}
	}
	return nil
}

// compare lets the shadow catch up, and compares the results of the last step.
func (s *entrant) compare() error {
	for ; s.shadow.taken < s.taken; s.shadow.taken++ { // the contents of the sets have not moved since the last comparison
		if err := s.shadow.kernel.Run(s.shadow.dst, s.shadow.src[(s.shadow.taken+s.moved)%sets]); err != nil {
			return err
		}
	}
	if err := differ(s.dst, s.shadow.dst); err != nil {
		return fmt.Errorf("after timing: %w: after %d steps, and for a kernel that took the same: %w", ErrWrong, s.taken, err)
	}
	return nil
}

// differ says where two results have other bits; nil where they have the same.
func differ(got, want []op.Tensor) error {
	for n := range want {
		for j := range want[n].Len() {
			if g, w := got[n].At(j), want[n].At(j); math.Float64bits(g) != math.Float64bits(w) {
				return fmt.Errorf("element %d of result %d is %v and %v", j, n, g, w)
			}
		}
	}
	return nil
}
