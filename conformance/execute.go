package conformance

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assaykit/assay/conformance/op"
)

// execute runs a case and holds its results to the vectors; then, unless once is enough, again, and holds those results to the first:
//   - by a second kernel, in buffers that end where memory can be neither read nor written;
//   - in buffers that held other numbers before, where a function's kernel has worked on those, too, and is called many times;
//   - beside a kernel that works on other numbers.
//
// It returns the largest ratio of error to bound; err is a *Failure or wraps op.ErrUnsupported.
func execute(t trace, formats op.Formats, seed uint64, once bool) (worst float64, err error) {
	first, err := t.run()
	if err != nil && !errors.Is(err, op.ErrUnsupported) {
		return 0, err
	}
	t.past = nil
	worst, failure := t.verdict(first, formats) // of the steps before an unsupported one, too
	if failure != nil {
		return worst, orReferences(failure, t, formats)
	}
	if err != nil {
		return 0, t.declinesOthers(len(first), err, seed)
	}
	if once {
		return worst, nil
	}
	alone, after := t, t
	alone.fence = true
	if err := alone.same(first, clauseReplay); err != nil {
		return worst, err
	}
	after.shift, after.home = 1, new(home)
	others := after
	others.tensors = t.others()
	_, _ = others.run() // whose results are not known
	if !op.Stateful(t.op) {
		after.used, after.calls = true, t.repeats()
	}
	if err := after.same(first, clauseReplay); err != nil {
		return worst, err
	}
	return worst, beside(t, others.tensors, first)
}

// same runs a trace and holds its results to those of the first.
func (t trace) same(first [][]op.Tensor, clause string) error {
	results, err := t.run()
	if errors.Is(err, op.ErrUnsupported) {
		return t.fail(0, clause, "supported the first time, and not again: %v", err)
	}
	if err != nil {
		return err
	}
	return t.sameBits(first, results, clause)
}

// declinesOthers returns the error with which a kernel declined the case, or the failure of one that declines by its numbers: others of the
// same shapes it takes.
func (t trace) declinesOthers(step int, declined error, seed uint64) error {
	for _, numbers := range []tensors{t.others(), t.drawn(seed)} {
		other := t
		other.tensors = numbers
		if _, err := other.whatever().run(); err == nil {
			return t.fail(step, clauseReturns, "%v: declined for its numbers, for others of the same shapes are taken (seed %d)", declined, seed)
		}
	}
	return declined
}

// whatever returns the trace of a case that wants no errors, because its numbers are not those of the vectors.
func (t trace) whatever() trace {
	c := *t.Case
	c.Steps = slices.Clone(c.Steps)
	for i := range c.Steps {
		c.Steps[i].Error = ""
	}
	t.Case = &c
	return t
}

// orReferences returns the failure of a trace, or the one that explains it: the same trace is right where the tensors of past steps are
// left alone.
func orReferences(f *Failure, t trace, formats op.Formats) error {
	right := func(t trace) bool {
		results, err := t.run()
		if err != nil {
			return false
		}
		_, wrong := t.verdict(results, formats)
		return wrong == nil
	}
	lenient := t
	lenient.lenient = true
	if right(t) || !right(lenient) {
		return f
	}
	return t.fail(f.Step, clauseReferences, "%s is right only while the tensors of earlier steps are left alone: the kernel kept a reference", f.Tensor)
}

// replayTime is how long a replay is repeated, so that kernels of microseconds meet their neighbour.
const replayTime = 2 * time.Millisecond

// beside replays the case while another kernel of the implementation works on other numbers of the same shapes: what is shared between
// kernels then shows. In the first replay the other is open, and waits: what depends on how many there are shows, however busy the machine is. In
// the second both begin at once, and from then on they meet by chance.
func beside(t trace, others tensors, first [][]op.Tensor) error {
	t.shift = 1
	var bothOpen, bothBegin sync.WaitGroup
	bothOpen.Add(2)
	bothBegin.Add(2)
	begin := sync.OnceFunc(bothBegin.Done)
	replayed := make(chan struct{}) // the first time
	release := sync.OnceFunc(func() { close(replayed) })
	var stop atomic.Bool
	gone := make(chan struct{})
	neighbour := t
	neighbour.tensors, neighbour.shift = others, 3
	go func() {
		defer close(gone)
		for i := 0; !stop.Load(); i++ {
			neighbour.opened = func() {
				switch i {
				case 0:
					bothOpen.Done()
					<-replayed
				case 1:
					bothBegin.Done()
					bothBegin.Wait()
				}
			}
			if _, err := neighbour.run(); errors.Is(err, errEnded) { // its answers are not known
				return
			}
			runtime.Gosched() // on one processor it would keep the others waiting
		}
	}()
	defer func() { stop.Store(true); release(); begin(); <-gone }()
	start := time.Now()
	for i := 0; i < 2 || time.Since(start) < replayTime; i++ {
		t.opened = func() {
			switch i {
			case 0:
				bothOpen.Done()
				bothOpen.Wait()
			case 1:
				begin()
				bothBegin.Wait()
			}
		}
		if err := t.same(first, clauseConcurrent); err != nil {
			return err
		}
		release()
	}
	return nil
}
