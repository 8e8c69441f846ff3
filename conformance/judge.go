package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// judge runs the case and holds its results to the vectors; then, unless once is enough, again: alone, where the op is a function on a kernel
// that was used before, and beside a kernel that works on other numbers; and holds those results to the first. It returns the largest ratio of error to bound; err is a *Failure or wraps op.ErrUnsupported.
func (p *prepared) judge(factory Factory, formats op.Formats) (worst float64, err error) {
	impl := factory()
	first, err := p.trace(impl, 0, func() {})
	if err != nil && !errors.Is(err, op.ErrUnsupported) {
		return 0, err
	}
	worst, failure := p.compare(first, formats) // of the steps before an unsupported one, too
	if failure != nil {
		return worst, p.orReferences(failure, impl, formats)
	}
	if err != nil {
		return 0, err
	}
	if p.once {
		return worst, nil
	}
	for _, used := range []bool{false, true} {
		if used && op.Stateful(p.op) {
			break
		}
		again := *p
		again.used = used
		results, err := again.trace(impl, 1, func() {})
		if errors.Is(err, op.ErrUnsupported) {
			err = p.fail(0, clauseReplay, "supported the first time, and not the second: %v", err)
		}
		if err == nil {
			err = p.sameBits(first, results, clauseReplay)
		}
		if err != nil {
			return worst, err
		}
	}
	return worst, p.beside(impl, first)
}

// replayTime is how long a replay is repeated, so that kernels of microseconds meet their neighbour.
const replayTime = 2 * time.Millisecond

// beside replays the case while another kernel of the implementation works on other numbers of the same shapes: what is shared between
// kernels then shows. In the first replay the other is open, and waits: what depends on how many there are shows, however busy the machine is. In
// the second both begin at once, and from then on they meet by chance.
func (p *prepared) beside(impl op.Implementation, first [][]op.Tensor) error {
	var bothOpen, bothBegin sync.WaitGroup
	bothOpen.Add(2)
	bothBegin.Add(2)
	begin := sync.OnceFunc(bothBegin.Done)
	replayed := make(chan struct{}) // the first time
	release := sync.OnceFunc(func() { close(replayed) })
	var stop atomic.Bool
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		neighbour := p.withOtherNumbers()
		for i := 0; !stop.Load(); i++ {
			_, _ = neighbour.trace(impl, 3, func() { // its answers are not known
				switch i {
				case 0:
					bothOpen.Done()
					<-replayed
				case 1:
					bothBegin.Done()
					bothBegin.Wait()
				}
			})
			runtime.Gosched() // on one processor it would keep the others waiting
		}
	}()
	defer func() { stop.Store(true); release(); begin(); <-gone }()
	start := time.Now()
	for i := 0; i < 2 || time.Since(start) < replayTime; i++ {
		results, err := p.trace(impl, 1, func() {
			switch i {
			case 0:
				bothOpen.Done()
				bothOpen.Wait()
			case 1:
				begin()
				bothBegin.Wait()
			}
		})
		if errors.Is(err, op.ErrUnsupported) {
			err = p.fail(0, clauseConcurrent, "supported alone, and not beside another kernel: %v", err)
		}
		if err == nil {
			err = p.sameBits(first, results, clauseConcurrent)
		}
		if err != nil {
			return err
		}
		release()
	}
	return nil
}

// withOtherNumbers returns the case with other numbers: see otherNumbers. Integers among the constants stay, for Open checks them.
func (p *prepared) withOtherNumbers() *prepared {
	other := *p
	other.consts = otherNumbers(p.consts)
	for i, t := range p.consts {
		other.consts[i].I64 = t.I64
	}
	other.src = nil
	for _, src := range p.src {
		other.src = append(other.src, otherNumbers(src))
	}
	return &other
}

// otherNumbers returns tensors with every number moved by one element, the first to the end, and floats negated. So ids stay ids of the
// same table. Booleans stay.
func otherNumbers(ts []op.Tensor) []op.Tensor {
	out := slices.Clone(ts)
	for i, t := range ts {
		out[i].F32, out[i].F64 = moved(t.F32, func(x float32) float32 { return -x }), moved(t.F64, func(x float64) float64 { return -x })
		out[i].I64 = moved(t.I64, func(x int64) int64 { return x })
	}
	return out
}

func moved[T any](xs []T, f func(T) T) []T {
	out := slices.Clone(xs)
	for i := range out {
		out[i] = f(xs[(i+1)%len(xs)])
	}
	return out
}

// compare holds the results of a trace to the vectors. It returns the largest ratio of error to bound.
func (p *prepared) compare(results [][]op.Tensor, formats op.Formats) (worst float64, f *Failure) {
	for step, out := range results {
		ratio, m := p.compareStep(&p.Steps[step], out, formats)
		if m != nil {
			return ratio, &Failure{Case: p.ID, Clauses: p.Clauses, Step: step, Mismatch: m}
		}
		worst = max(worst, ratio)
	}
	return worst, nil
}

// compareStep accepts results that are all those of one list; where there are several lists, the mismatch is that with the first.
func (p *prepared) compareStep(s *vector.Step, out []op.Tensor, formats op.Formats) (worst float64, first *Mismatch) {
	lists := s.Results()
	for n, list := range lists {
		ratio, m := 0.0, (*Mismatch)(nil)
		for i := 0; i < len(out) && m == nil; i++ {
			var r float64
			r, m = compareTensor(tolerance{&list[i], p.Compare, formats}, out[i])
			ratio = max(ratio, r)
		}
		switch {
		case m == nil:
			return ratio, nil
		case n == 0:
			worst, first = ratio, m
		}
	}
	if n := len(lists) - 1; n > 0 {
		first.Why += fmt.Sprintf(", and %d alternatives do not fit either", n)
	}
	return worst, first
}

// orReferences returns the failure of a trace, or the one that explains it: the same trace is right where the tensors of past steps are
// left alone.
func (p *prepared) orReferences(f *Failure, impl op.Implementation, formats op.Formats) error {
	right := func(p *prepared) bool {
		results, err := p.trace(impl, 0, func() {})
		if err != nil {
			return false
		}
		_, wrong := p.compare(results, formats)
		return wrong == nil
	}
	lenient := *p
	lenient.lenient = true
	if right(p) || !right(&lenient) {
		return f
	}
	return p.fail(f.Step, clauseReferences, "%s is right only while the tensors of earlier steps are left alone: the kernel kept a reference", f.Tensor)
}

func (p *prepared) sameBits(a, b [][]op.Tensor, clause string) error {
	if len(a) != len(b) {
		return p.fail(0, clause, "%d steps in one run, %d in another", len(a), len(b))
	}
	for step := range a {
		for i := range a[step] {
			x, y := a[step][i], b[step][i]
			if at := differ(x, y); at >= 0 {
				return p.fail(step, clause, "%s%v: %v in one run, %v in another", p.Steps[step].Dst[i].Name, unravel(at, x.Shape), x.At(at), y.At(at))
			}
		}
	}
	return nil
}

// judgeWithin is judge with a limit, and until ctx is done: a kernel that does not return fails, and its goroutine is left behind.
func (p *prepared) judgeWithin(ctx context.Context, limit time.Duration, factory Factory, formats op.Formats) (worst float64, err error) {
	type verdict struct {
		worst float64
		err   error
	}
	done := make(chan verdict, 1)
	go func() {
		worst, err := p.judge(factory, formats)
		done <- verdict{worst, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case v := <-done:
		return v.worst, v.err
	case <-timer.C:
		return 0, p.fail(0, clauseReturns, "did not return within %v (conformance.TimeLimit allows more)", limit)
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: stopped in case %s: %w", ErrNothingJudged, p.ID, ctx.Err())
	}
}
