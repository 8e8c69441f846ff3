package conformance

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// The clauses of SPEC.md that every case holds a kernel to, whatever its op.
const (
	clauseWritten    = "BUF-1" // every element of every destination is written
	clauseOutside    = "BUF-2" // nothing outside a buffer is written
	clauseUnchanged  = "BUF-3" // sources and constants come back unchanged
	clauseReplay     = "BUF-4" // a second kernel that replays all steps gives the same bits, one of a function also when it was used before
	clauseConcurrent = "BUF-5" // beside a kernel that works on other numbers, too
	clauseReturns    = "BUF-6" // Run and Close return, with an error exactly where the spec wants one, and do not panic
	clauseReferences = "BUF-7" // what Run was given is the caller's again: each step's tensors are overwritten after it
)

var bufferClauses = []string{
	clauseWritten, clauseOutside, clauseUnchanged, clauseReplay, clauseConcurrent, clauseReturns, clauseReferences,
}

// Failure is one case that an implementation failed, and why.
type Failure struct {
	Case    string   `json:"case"`
	Clauses []string `json:"clauses"` // the violated ones: the case's own, or one of BUF
	Step    int      `json:"step"`
	Detail  string   `json:"detail,omitempty"`
	*Mismatch
}

// Error states the violated rule: clause, case, step, index, got, want, bound and ratio.
func (f *Failure) Error() string {
	s := fmt.Sprintf("%s [%s] step %d: ", f.Case, strings.Join(f.Clauses, " "), f.Step)
	if m := f.Mismatch; m != nil {
		return s + fmt.Sprintf("%s%v: got %.9g, want %.9g, bound %.3g, ratio %.3g: %s (%d of %d elements)",
			m.Tensor, m.Index, float64(m.Got), float64(m.Want), float64(m.Bound), float64(m.Ratio), m.Why, m.Count, m.Of)
	}
	return s + f.Detail
}

// prepared is a case with its tensors in the storage format of the implementation.
type prepared struct {
	*vector.Case
	op     string
	consts []op.Tensor
	src    [][]op.Tensor
	dst    [][]op.Tensor // shapes only: what Run is to fill

	once    bool // no replays
	used    bool // the kernel does other work before each step
	lenient bool // leave the tensors of past steps alone, to find out whether a kernel depends on them
}

// prepare makes a case's tensors and checks them against the op table. An error means that the vectors are corrupt.
func prepare(opName string, c *vector.Case, storage op.Format) (*prepared, error) {
	p := &prepared{Case: c, op: opName}
	tensors := func(ins []vector.Input) []op.Tensor {
		out := make([]op.Tensor, len(ins))
		for i := range ins {
			if ins[i].DType != 0 {
				out[i] = ins[i].Tensor().Convert(storage.DType())
			}
		}
		return out
	}
	p.consts = tensors(c.Const)
	for i, step := range c.Steps {
		src := tensors(step.Src)
		dst, err := op.Shapes(p.spec(p.consts), src, storage.DType())
		if (step.Error == "shape" || step.Error == "attributes") && err != nil { // destinations are needed all the same, to hand to Run
			dst, err = standIns(opName, storage), nil
		}
		if err == nil {
			err = agree(&step, dst)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: case %s, step %d: %w", vector.ErrCorrupt, c.ID, i, err)
		}
		p.src, p.dst = append(p.src, src), append(p.dst, dst)
	}
	return p, nil
}

// standIns returns a destination for each of the op's results, where no shapes are right.
func standIns(opName string, storage op.Format) []op.Tensor {
	var dst []op.Tensor
	args, _ := op.Arguments(opName)
	for _, a := range args {
		switch {
		case a.Role != op.Dst:
		case a.Types == "i64":
			dst = append(dst, op.New(op.I64, 1))
		default:
			dst = append(dst, op.New(storage.DType(), 1))
		}
	}
	return dst
}

// agree reports a stored result that is not of the form that the op table gives it.
func agree(s *vector.Step, dst []op.Tensor) error {
	for _, list := range s.Results() {
		for j, e := range list {
			switch t := dst[j]; {
			case e.Present() != t.Present():
				return fmt.Errorf("%s is there: %v, the op table says %v", e.Name, e.Present(), t.Present())
			case !slices.Equal(e.Shape, t.Shape):
				return fmt.Errorf("%s is %v, the op table makes it %v", e.Name, e.Shape, t.Shape)
			case e.Integers() != (t.DType == op.I64):
				return fmt.Errorf("%s has dtype %q, the op table makes it %v", e.Name, e.Type, t.DType)
			}
		}
	}
	return nil
}

func (p *prepared) spec(consts []op.Tensor) op.Spec {
	return op.Spec{Op: p.op, Attrs: slices.Clone(p.Attrs), Const: consts}
}

func (p *prepared) fail(step int, clause, format string, args ...any) *Failure {
	return &Failure{Case: p.ID, Clauses: []string{clause}, Step: step, Detail: fmt.Sprintf(format, args...)}
}

// unexpected is the failure of a case that the kernel refuses: BUF-6, and the clauses that it refuses to compute.
func (p *prepared) unexpected(step int, where string, err error) *Failure {
	f := p.fail(step, clauseReturns, "%s: unexpected error: %v", where, err)
	f.Clauses = append(f.Clauses, p.Clauses...)
	return f
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

// kinds maps the kinds of error that a step may want to the sentinels of the boundary.
var kinds = map[string]error{
	"index": op.ErrIndex, "position": op.ErrPosition, "capacity": op.ErrCapacity, "shape": op.ErrShape, "attributes": op.ErrAttrs,
	"number": op.ErrNumber,
}

// rightKind reports an error that says of itself that it is of another kind than the step wants. One that wraps no sentinel passes.
func (p *prepared) rightKind(step int, err error) error {
	want := p.Steps[step].Error
	if errors.Is(err, kinds[want]) {
		return nil
	}
	for _, sentinel := range kinds {
		if errors.Is(err, sentinel) {
			return &Failure{Case: p.ID, Clauses: p.Clauses, Step: step, Detail: fmt.Sprintf("want an error about the %s, got: %v", want, err)}
		}
	}
	return nil
}

// checkInputs compares inputs with what was put there, their guards, and the shapes that the kernel was shown.
func (p *prepared) checkInputs(step int, role op.Role, after []arena, shown, before []op.Tensor) error {
	names := argNames(p.op, role)
	for i := range after {
		if err := after[i].checkGuards(names[i]); err != nil {
			return p.fail(step, clauseOutside, "%v", err)
		}
		if !slices.Equal(shown[i].Shape, before[i].Shape) {
			return p.fail(step, clauseUnchanged, "the shape of %s was changed from %v to %v", names[i], before[i].Shape, shown[i].Shape)
		}
		if at := differ(after[i].Tensor, before[i]); at >= 0 {
			return p.fail(step, clauseUnchanged, "%s%v was changed", names[i], unravel(at, before[i].Shape))
		}
	}
	return nil
}

// guardAll returns copies of tensors between guards, and what a kernel is shown of them.
func guardAll(ts []op.Tensor, shift int) (arenas []arena, shown []op.Tensor) {
	arenas, shown = make([]arena, len(ts)), make([]op.Tensor, len(ts))
	for i, t := range ts {
		arenas[i] = guarded(t, shift)
		shown[i] = arenas[i].lend()
	}
	return arenas, shown
}

func argNames(opName string, role op.Role) []string {
	args, _ := op.Arguments(opName)
	var names []string
	for _, a := range args {
		if a.Role == role {
			names = append(names, a.Name)
		}
	}
	return names
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
