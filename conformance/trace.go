package conformance

import (
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/assaykit/assay/conformance/op"
)

// trace is one execution of a case: a kernel is opened, takes all steps in order, and is closed.
type trace struct {
	opCase
	tensors
	impl op.Implementation

	site                 // where its buffers lie
	home    *home        // if not nil, its buffers are those of the traces before it that had this home
	used    bool         // the kernel works on other numbers before each step, in the same buffers
	calls   int          // how often the kernel takes each step: once where it is 0
	lenient bool         // leave the tensors of past steps alone, to find out whether a kernel depends on them
	opened  func()       // if not nil it is called once, after Open
	past    *[]arena     // if not nil it gets the buffers, overwritten, once the kernel has done all its work
	ended   *atomic.Bool // if not nil and true, nobody waits for the trace any more
}

// errEnded is what a trace ends with that nobody waits for.
var errEnded = errors.New("nobody waits for this case any more")

// run returns copies of the results of each step, none for a step that must fail, or an error that is a *Failure or wraps op.ErrUnsupported.
// The kernel runs on a goroutine of its own, so that one which ends its goroutine does not end the suite's.
func (t trace) run() (results [][]op.Tensor, err error) {
	opened := sync.OnceFunc(func() {
		if t.opened != nil {
			t.opened()
		}
	})
	done := make(chan struct{})
	err = t.fail(0, clauseReturns, "the kernel ended its goroutine: t.Fatal or runtime.Goexit")
	go func() {
		defer close(done)
		defer opened() // also where Open fails or panics: others may wait
		results, err = t.steps(opened)
	}()
	<-done
	return results, err
}

func (t trace) steps(opened func()) (results [][]op.Tensor, err error) {
	debug.SetPanicOnFault(true) // of this goroutine: memory that is not the kernel's is a panic, and not the end of the process
	step := 0
	var given []arena // everything that the kernel was given
	defer func() {
		if r := recover(); r != nil {
			err = t.panicked(step, r, given)
		}
		for _, a := range given {
			a.release()
		}
	}()
	if t.home != nil {
		t.home.next = 0
	}
	consts := t.place(op.Const, step, t.consts)
	given = append(given, consts...)
	values := lend(consts, t.consts)
	kernel, err := t.impl.Open(t.spec(values))
	opened()
	if err != nil {
		return nil, t.checkOpen(err)
	}
	defer func() {
		if c, ok := kernel.(io.Closer); ok {
			if cerr := c.Close(); cerr != nil && err == nil {
				err = t.unexpected(step, "Close", cerr)
			}
		}
		if err == nil {
			err = t.checkInputs(step, consts, values, t.consts) // after Close, which may touch them too
		}
		spend(consts)
		for _, a := range given {
			if err == nil && !t.lenient && !a.spent() {
				err = t.fail(step, clauseReferences, "a tensor of an earlier step was written after its Run had returned")
			}
		}
		if err == nil && t.past != nil {
			*t.past = given
		}
	}()
	for step = range t.Steps {
		sources, out := t.place(op.Src, step, t.src[step]), t.place(op.Dst, step, t.dst[step])
		given = append(append(given, sources...), out...)
		result, err := t.runStep(kernel, step, sources, out)
		if err != nil {
			return results, err
		}
		results = append(results, result)
	}
	return results, nil
}

// place returns the buffers of tensors, which get the arguments of a role.
func (t trace) place(role op.Role, step int, ts []op.Tensor) []arena {
	arenas := make([]arena, len(ts))
	for i, name := range argNames(t.op, role)[:len(ts)] {
		switch x := ts[i]; {
		case !x.Present():
		case t.home != nil:
			arenas[i] = t.home.place(x.DType, x.Shape, t.site)
		default:
			arenas[i] = newArena(x.DType, x.Shape, t.site)
		}
		arenas[i].name, arenas[i].step = name, step
	}
	return arenas
}

// lend puts numbers into buffers and returns them as a kernel is shown them.
func lend(arenas []arena, numbers []op.Tensor) []op.Tensor {
	shown := make([]op.Tensor, len(arenas))
	for i, a := range arenas {
		a.hold(numbers[i])
		shown[i] = a.lend()
	}
	return shown
}

// spend overwrites buffers with which a kernel has no business any more.
func spend(arenas []arena) {
	for _, a := range arenas {
		spent.fill(a.Tensor)
	}
}

// call has a kernel work in these buffers, the destinations as if never written.
func call(kernel op.Kernel, out, sources []arena, numbers []op.Tensor) (dst, src []op.Tensor, err error) {
	for _, a := range out {
		unwritten.fill(a.Tensor)
		dst = append(dst, a.lend())
	}
	src = lend(sources, numbers)
	return dst, src, kernel.Run(dst, src)
}

// runStep has the kernel take one step, as often as it is to, and judges its buffers, its error, and that it gives the same each time. It
// returns copies of the results. The buffers are overwritten.
func (t trace) runStep(kernel op.Kernel, step int, sources, out []arena) (results []op.Tensor, err error) {
	if t.used {
		_, _, _ = call(kernel, out, sources, otherNumbers(t.src[step])) // whose results are not known
		spend(sources)
		spend(out)
	}
	for n := range max(1, t.calls) {
		if t.ended != nil && t.ended.Load() {
			return nil, errEnded
		}
		dst, src, returned := call(kernel, out, sources, t.src[step])
		if err := t.checkInputs(step, sources, src, t.src[step]); err != nil {
			return nil, err
		}
		if err := t.checkOutside(step, out, dst); err != nil {
			return nil, err
		}
		if err := t.checkReturn(step, returned); err != nil {
			return nil, err
		}
		if returned == nil { // beside an error the contents of dst are not specified
			if err := t.checkWritten(step, out); err != nil {
				return nil, err
			}
			if n > 0 {
				err = t.checkAgain(step, n, results, out)
			} else {
				for i := range out {
					results = append(results, out[i].copied())
				}
			}
			if err != nil {
				return nil, err
			}
		}
		if !t.lenient {
			spend(sources) // a kernel that kept a reference works with this from here on
			spend(out)
		}
	}
	return results, nil
}

// panicked is the failure of a case whose kernel panics, or reads or writes where there is no memory.
func (t trace) panicked(step int, r any, given []arena) *Failure {
	where := firstFrames(debug.Stack())
	if fault, ok := r.(interface{ Addr() uintptr }); ok {
		for _, a := range given {
			if at, ok := a.beyond(fault.Addr()); ok {
				return t.fail(step, clauseOutside, "%s: element %d, outside its %d elements, was read or written\n%s", a.name, at, a.Len(), where)
			}
		}
	}
	return t.fail(step, clauseReturns, "panic: %v\n%s", r, where)
}

// firstFrames keeps the part of a stack trace that shows where the kernel panicked.
func firstFrames(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") {
			lines = lines[i+2:]
			break
		}
	}
	for len(lines) > 2 && strings.HasPrefix(lines[0], "runtime.") {
		lines = lines[2:]
	}
	return strings.Join(lines[:min(len(lines), 6)], "\n")
}
