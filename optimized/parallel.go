package optimized

import (
	"sync"
	"sync/atomic"
)

// minCost is how many arithmetic operations a share of work must have to be worth handing to another goroutine.
const minCost = 1 << 17

// A task is work on n items that may be cut anywhere. Results must not depend on the cut or on the worker: a worker's index is only there
// to choose scratch memory.
type task interface{ do(worker, lo, hi int) }

// A team runs tasks on up to workers goroutines. It belongs to one kernel.
//
// It has no goroutines of its own between tasks: each task starts helpers, and waits for them. The runtime keeps ended goroutines for
// reuse, so a start allocates nothing and costs about what waking a sleeping worker does; and there is nothing to close, to leak, or to
// share between kernels that run at the same time.
type team struct {
	workers int
	help    func()          // bound once: binding a method value allocates
	stop    <-chan struct{} // once it is closed tasks are left undone; nil: never

	// the task that runs now
	task     task
	n, grain int
	next     atomic.Int64 // the first item that nobody has taken
	joined   atomic.Int64 // workers that have an index
	running  sync.WaitGroup

	spans     spans
	gradSpans gradSpans
	columns   columnSums
}

func newTeam(workers int) *team {
	t := &team{workers: workers}
	t.help = func() {
		t.work()
		t.running.Done()
	}
	return t
}

// run calls w.do for the items 0 to n-1, in shares that cost minCost or more. The cost of one item is in arithmetic operations.
func (t *team) run(n, cost int, w task) {
	t.task, t.n, t.grain = w, n, max(1, minCost/max(1, cost))
	t.next.Store(0)
	t.joined.Store(0)
	helpers := min(t.workers, (n+t.grain-1)/t.grain) - 1
	t.running.Add(max(0, helpers))
	for range helpers {
		go t.help()
	}
	t.work()
	t.running.Wait()
	t.task = nil
}

func (t *team) work() {
	worker := int(t.joined.Add(1)) - 1
	for {
		hi := int(t.next.Add(int64(t.grain)))
		lo := hi - t.grain
		if lo >= t.n || t.stopped() {
			return
		}
		t.task.do(worker, lo, min(hi, t.n))
	}
}

// stopped returns whether what tasks have computed is not to be used.
func (t *team) stopped() bool {
	select {
	case <-t.stop:
		return true
	default:
		return false
	}
}

// A spanFunc computes whole rows of n elements, y from x; the two may be the same slice.
type spanFunc func(y, x []float32, n int)

// spans is the task of a spanFunc.
type spans struct {
	f    spanFunc
	y, x []float32
	n    int
}

func (s *spans) do(_, lo, hi int) { s.f(s.y[lo*s.n:hi*s.n], s.x[lo*s.n:hi*s.n], s.n) }

// rows computes the rows of y from those of x with f, at a cost of so many operations an element.
func (t *team) rows(y, x []float32, n, cost int, f spanFunc) {
	t.spans = spans{f, y, x, n}
	t.run(len(x)/n, n*cost, &t.spans)
	t.spans = spans{}
}

// Costs of an element, in arithmetic operations.
const (
	costCopy   = 1
	costExp    = 20
	costMoment = 8
)

// A gradFunc computes whole rows of n elements of dx, from the forward's x and the upstream dy; dx may be dy.
type gradFunc func(dx, x, dy []float32, n int)

// gradSpans is the task of a gradFunc.
type gradSpans struct {
	f         gradFunc
	dx, x, dy []float32
	n         int
}

func (s *gradSpans) do(_, lo, hi int) {
	lo, hi = lo*s.n, hi*s.n
	s.f(s.dx[lo:hi], s.x[lo:hi], s.dy[lo:hi], s.n)
}

// gradRows computes the rows of dx with f, at a cost of so many operations an element.
func (t *team) gradRows(dx, x, dy []float32, n, cost int, f gradFunc) {
	t.gradSpans = gradSpans{f, dx, x, dy, n}
	t.run(len(x)/n, n*cost, &t.gradSpans)
	t.gradSpans = gradSpans{}
}
