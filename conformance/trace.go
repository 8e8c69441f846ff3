package conformance

import (
	"io"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/assaykit/assay/conformance/op"
)

// trace is one execution of a case: a kernel is opened, takes all steps in order, and is closed.
type trace struct {
	opCase
	tensors
	impl op.Implementation

	shift   int    // the buffers begin so many elements off their allocation
	used    bool   // the kernel does other work before each step
	lenient bool   // leave the tensors of past steps alone, to find out whether a kernel depends on them
	opened  func() // if not nil it is called once, after Open
}

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
	step := 0
	defer func() {
		if r := recover(); r != nil {
			err = t.fail(step, clauseReturns, "panic: %v\n%s", r, firstFrames(debug.Stack()))
		}
	}()
	consts, values := guardAll(t.consts, t.shift)
	kernel, err := t.impl.Open(t.spec(values))
	opened()
	if err != nil {
		return nil, t.checkOpen(err)
	}
	var given []arena // everything that the kernel was given and has no business with any more
	defer func() {
		if c, ok := kernel.(io.Closer); ok {
			if cerr := c.Close(); cerr != nil && err == nil {
				err = t.unexpected(step, "Close", cerr)
			}
		}
		if err == nil {
			err = t.checkInputs(step, op.Const, consts, values, t.consts) // after Close, which may touch them too
		}
		for i := range given {
			if err == nil && !t.lenient && !given[i].spent() {
				err = t.fail(step, clauseReferences, "a tensor of an earlier step was written after its Run had returned")
			}
		}
	}()
	for step = range t.Steps {
		if t.used {
			given = append(given, t.use(kernel, step)...)
		}
		out, used, err := t.runStep(kernel, step)
		if err != nil {
			return results, err
		}
		results, given = append(results, out), append(given, used...)
	}
	return results, nil
}

// use runs a step on other numbers, whose results are not known, and returns the buffers, which are overwritten.
func (t trace) use(kernel op.Kernel, step int) (used []arena) {
	sources, src := guardAll(otherNumbers(t.src[step]), t.shift)
	out, dst := t.destinations(step)
	_ = kernel.Run(dst, src)
	used = append(out, sources...)
	for i := range used {
		spent.fill(used[i].Tensor)
	}
	return used
}

// runStep runs one step and judges its buffers and its error. It returns copies of the results, and the buffers, which are overwritten.
func (t trace) runStep(kernel op.Kernel, step int) (results []op.Tensor, used []arena, err error) {
	sources, src := guardAll(t.src[step], t.shift)
	out, dst := t.destinations(step)
	returned := kernel.Run(dst, src)
	if err := t.checkInputs(step, op.Src, sources, src, t.src[step]); err != nil {
		return nil, nil, err
	}
	if err := t.checkOutside(step, out, dst); err != nil {
		return nil, nil, err
	}
	if err := t.checkReturn(step, returned); err != nil {
		return nil, nil, err
	}
	if returned == nil { // beside an error the contents of dst are not specified
		if err := t.checkWritten(step, out); err != nil {
			return nil, nil, err
		}
		for i := range out {
			results = append(results, out[i].copied())
		}
	}
	used = append(out, sources...)
	for i := range used { // a kernel that kept a reference works with this from here on
		if !t.lenient {
			spent.fill(used[i].Tensor)
		}
	}
	return results, used, nil
}

// destinations returns the buffers that a step fills, and what the kernel is shown of them.
func (t trace) destinations(step int) (out []arena, dst []op.Tensor) {
	out, dst = make([]arena, len(t.dst[step])), make([]op.Tensor, len(t.dst[step]))
	for i, d := range t.dst[step] {
		if d.Present() {
			out[i] = newArena(d.DType, d.Shape, t.shift)
		}
		dst[i] = out[i].lend()
	}
	return out, dst
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
	return strings.Join(lines[:min(len(lines), 6)], "\n")
}
