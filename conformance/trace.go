package conformance

import (
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/assaykit/assay/conformance/op"
)

func (p *prepared) spec(consts []op.Tensor) op.Spec {
	return op.Spec{Op: p.op, Attrs: slices.Clone(p.Attrs), Const: consts}
}

// trace opens a kernel, runs all steps in guarded buffers that begin shift elements off their allocation, and closes it. It returns
// the results of each step, none for a step that must fail, or an error that is a *Failure or wraps op.ErrUnsupported. opened is called
// once, after Open. The kernel runs on a goroutine of its own, so that one which ends its goroutine does not end the suite's.
func (p *prepared) trace(impl op.Implementation, shift int, opened func()) (results [][]op.Tensor, err error) {
	opened = sync.OnceFunc(opened)
	done := make(chan struct{})
	err = p.fail(0, clauseReturns, "the kernel ended its goroutine: t.Fatal or runtime.Goexit")
	go func() {
		defer close(done)
		defer opened() // also where Open fails or panics: others may wait
		results, err = p.steps(impl, shift, opened)
	}()
	<-done
	return results, err
}

// openKinds are the kinds of error that constants and attributes can have, so that Open may report them.
var openKinds = []string{"shape", "attributes", "index"}

func (p *prepared) steps(impl op.Implementation, shift int, opened func()) (results [][]op.Tensor, err error) {
	step := 0
	defer func() {
		if r := recover(); r != nil {
			err = p.fail(step, clauseReturns, "panic: %v\n%s", r, firstFrames(debug.Stack()))
		}
	}()
	consts, values := guardAll(p.consts, shift)
	kernel, err := impl.Open(p.spec(values))
	opened()
	if err != nil {
		switch {
		case errors.Is(err, op.ErrUnsupported):
			return nil, err
		case len(p.Steps) == 1 && slices.Contains(openKinds, p.Steps[0].Error):
			return nil, p.rightKind(0, err)
		}
		return nil, p.unexpected(0, "Open", err)
	}
	var given []arena // everything that the kernel was given and has no business with any more
	defer func() {
		if c, ok := kernel.(io.Closer); ok {
			if cerr := c.Close(); cerr != nil && err == nil {
				err = p.unexpected(step, "Close", cerr)
			}
		}
		if err == nil {
			err = p.checkInputs(step, op.Const, consts, values, p.consts) // after Close, which may touch them too
		}
		for i := range given {
			if err == nil && !p.lenient && !given[i].spent() {
				err = p.fail(step, clauseReferences, "a tensor of an earlier step was written after its Run had returned")
			}
		}
	}()
	for step = range p.Steps {
		if p.used {
			given = append(given, p.use(kernel, step, shift)...)
		}
		out, used, err := p.step(kernel, step, shift)
		if err != nil {
			return results, err
		}
		results, given = append(results, out), append(given, used...)
	}
	return results, nil
}

// use runs a step on other numbers, whose results are not known, and returns the buffers, which are overwritten.
func (p *prepared) use(kernel op.Kernel, step, shift int) (used []arena) {
	sources, src := guardAll(otherNumbers(p.src[step]), shift)
	out, dst := p.destinations(step, shift)
	_ = kernel.Run(dst, src)
	used = append(out, sources...)
	for i := range used {
		spent.fill(used[i].Tensor)
	}
	return used
}

// step runs one step and checks its buffers and its error. It returns copies of the results, and the buffers, which are overwritten.
func (p *prepared) step(kernel op.Kernel, step, shift int) (results []op.Tensor, used []arena, err error) {
	sources, src := guardAll(p.src[step], shift)
	out, dst := p.destinations(step, shift)
	err = kernel.Run(dst, src)
	if err := p.checkInputs(step, op.Src, sources, src, p.src[step]); err != nil {
		return nil, nil, err
	}
	names := argNames(p.op, op.Dst)
	for i := range out {
		if gerr := out[i].checkGuards(names[i]); gerr != nil {
			return nil, nil, p.fail(step, clauseOutside, "%v", gerr)
		}
		if !out[i].Present() && dst[i].Present() {
			return nil, nil, p.fail(step, clauseOutside, "%s was written, and is absent in this call", names[i])
		}
	}
	wantError := p.Steps[step].Error
	switch {
	case errors.Is(err, op.ErrUnsupported):
		return nil, nil, err
	case err != nil && wantError == "":
		return nil, nil, p.unexpected(step, "Run", err)
	case err == nil && wantError != "":
		return nil, nil, &Failure{Case: p.ID, Clauses: p.Clauses, Step: step, Detail: "Run: want an error about the " + wantError + ", got none"}
	case err != nil: // the contents of dst are not specified
		if kerr := p.rightKind(step, err); kerr != nil {
			return nil, nil, kerr
		}
	default:
		for i := range out {
			if werr := out[i].checkWritten(names[i]); werr != nil {
				return nil, nil, p.fail(step, clauseWritten, "%v", werr)
			}
			results = append(results, out[i].copied())
		}
	}
	used = append(out, sources...)
	for i := range used { // a kernel that kept a reference works with this from here on
		if !p.lenient {
			spent.fill(used[i].Tensor)
		}
	}
	return results, used, nil
}

// destinations returns the buffers that a step fills, and what the kernel is shown of them.
func (p *prepared) destinations(step, shift int) (out []arena, dst []op.Tensor) {
	out, dst = make([]arena, len(p.dst[step])), make([]op.Tensor, len(p.dst[step]))
	for i, t := range p.dst[step] {
		if t.Present() {
			out[i] = newArena(t.DType, t.Shape, shift)
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
