package conformance

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assaykit/assay/conformance/op"
)

// execute runs a case and holds its results to the vectors; then, unless once is enough, again: alone, where the op is a function on a
// kernel that was used before, and beside a kernel that works on other numbers; and holds those results to the first. It returns the largest
// ratio of error to bound; err is a *Failure or wraps op.ErrUnsupported.
func execute(t trace, formats op.Formats, once bool) (worst float64, err error) {
	first, err := t.run()
	if err != nil && !errors.Is(err, op.ErrUnsupported) {
		return 0, err
	}
	worst, failure := t.verdict(first, formats) // of the steps before an unsupported one, too
	if failure != nil {
		return worst, orReferences(failure, t, formats)
	}
	if err != nil {
		return 0, err
	}
	if once {
		return worst, nil
	}
	t.shift = 1
	for _, used := range []bool{false, true} {
		if used && op.Stateful(t.op) {
			break
		}
		again := t
		again.used = used
		results, err := again.run()
		if errors.Is(err, op.ErrUnsupported) {
			err = t.fail(0, clauseReplay, "supported the first time, and not the second: %v", err)
		}
		if err == nil {
			err = t.sameBits(first, results, clauseReplay)
		}
		if err != nil {
			return worst, err
		}
	}
	return worst, beside(t, first)
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
func beside(t trace, first [][]op.Tensor) error {
	var bothOpen, bothBegin sync.WaitGroup
	bothOpen.Add(2)
	bothBegin.Add(2)
	begin := sync.OnceFunc(bothBegin.Done)
	replayed := make(chan struct{}) // the first time
	release := sync.OnceFunc(func() { close(replayed) })
	var stop atomic.Bool
	gone := make(chan struct{})
	neighbour := t
	neighbour.tensors, neighbour.shift = t.others(), 3
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
			_, _ = neighbour.run() // its answers are not known
			runtime.Gosched()      // on one processor it would keep the others waiting
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
		results, err := t.run()
		if errors.Is(err, op.ErrUnsupported) {
			err = t.fail(0, clauseConcurrent, "supported alone, and not beside another kernel: %v", err)
		}
		if err == nil {
			err = t.sameBits(first, results, clauseConcurrent)
		}
		if err != nil {
			return err
		}
		release()
	}
	return nil
}
