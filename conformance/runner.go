package conformance

import (
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// The clauses of SPEC.md that every case holds a kernel to, whatever its op.
const (
	clauseWritten    = "BUF-1" // every element of every destination is written
	clauseOutside    = "BUF-2" // nothing outside a buffer is written
	clauseUnchanged  = "BUF-3" // sources and constants come back unchanged
	clauseReplay     = "BUF-4" // a second kernel that replays all steps gives the same bits
	clauseConcurrent = "BUF-5" // two kernels at once give the same bits
	clauseReturns    = "BUF-6" // Run and Close return, with an error exactly where the spec wants one, and do not panic
	clauseReferences = "BUF-7" // what Run was given is the caller's again: each step's sources are overwritten after it
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

	lenient bool // leave the sources of past steps alone, to find out whether a kernel depends on them
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
		if (step.Error == "shape" || step.Error == "attributes") && err != nil { // a destination is needed all the same, to hand to Run
			dst, err = []op.Tensor{op.New(storage.DType(), 1)}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: case %s, step %d: %w", vector.ErrCorrupt, c.ID, i, err)
		}
		for j, e := range step.Dst {
			if !slices.Equal(e.Shape, dst[j].Shape) {
				return nil, fmt.Errorf("%w: case %s, step %d: %s is %v, the op table makes it %v", vector.ErrCorrupt, c.ID, i, e.Name, e.Shape, dst[j].Shape)
			}
		}
		p.src, p.dst = append(p.src, src), append(p.dst, dst)
	}
	return p, nil
}

// fits reports whether the format can hold the inputs. One with the range of float32 can, for what is subnormal in float32 is so there.
func (p *prepared) fits(f op.Format) bool {
	if f.SmallestNormal() <= op.Float32Format.SmallestNormal() {
		return true
	}
	for _, t := range slices.Concat(append(p.src, p.consts)...) {
		for _, x := range t.F32 {
			if a := math.Abs(float64(x)); a != 0 && a < f.SmallestNormal() || a > f.Max() && !math.IsInf(a, 1) {
				return false
			}
		}
	}
	return true
}

func (p *prepared) spec(consts []op.Tensor) op.Spec {
	return op.Spec{Op: p.op, Attrs: p.Attrs, Const: consts}
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
// the results of each step, or an error that is a *Failure or wraps op.ErrUnsupported. opened is called once, after Open.
func (p *prepared) trace(impl op.Implementation, shift int, opened func()) (results [][]arena, err error) {
	step := 0
	opened = sync.OnceFunc(opened)
	defer opened() // also where Open fails or panics: others may wait
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
		case p.Steps[0].Error != "":
			return nil, nil
		}
		return nil, p.unexpected(0, "Open", err)
	}
	defer func() {
		if c, ok := kernel.(io.Closer); ok {
			if cerr := c.Close(); cerr != nil && err == nil {
				err = p.unexpected(step, "Close", cerr)
			}
		}
		if err == nil {
			err = p.checkInputs(step, op.Const, consts, p.consts) // after Close, which may touch them too
		}
	}()
	for step = range p.Steps {
		out, err := p.step(kernel, step, shift)
		if err != nil {
			return nil, err
		}
		results = append(results, out)
	}
	return results, nil
}

// step runs one step and checks its buffers and its error.
func (p *prepared) step(kernel op.Kernel, step, shift int) ([]arena, error) {
	sources, src := guardAll(p.src[step], shift)
	out := make([]arena, len(p.dst[step]))
	dst := make([]op.Tensor, len(out))
	for i, t := range p.dst[step] {
		out[i] = newArena(t.DType, t.Shape, shift)
		dst[i] = out[i].Tensor
	}
	err := kernel.Run(dst, src)
	if errors.Is(err, op.ErrUnsupported) {
		return nil, err
	}
	if err := p.checkInputs(step, op.Src, sources, p.src[step]); err != nil {
		return nil, err
	}
	for i := range sources { // a kernel that kept a reference works with this from here on
		if !p.lenient {
			overwrite(sources[i].Tensor)
		}
	}
	names := argNames(p.op, op.Dst)
	for i := range out {
		if gerr := out[i].checkGuards(names[i]); gerr != nil {
			return nil, p.fail(step, clauseOutside, "%v", gerr)
		}
	}
	wantError := p.Steps[step].Error
	switch {
	case err != nil && wantError == "":
		return nil, p.unexpected(step, "Run", err)
	case err == nil && wantError != "":
		return nil, &Failure{Case: p.ID, Clauses: p.Clauses, Step: step, Detail: "Run: want an error about the " + wantError + ", got none"}
	case err != nil:
		return nil, nil // the contents of dst are not specified
	}
	for i := range out {
		if werr := out[i].checkWritten(names[i]); werr != nil {
			return nil, p.fail(step, clauseWritten, "%v", werr)
		}
	}
	return out, nil
}

// checkInputs compares inputs with what was put there, and their guards.
func (p *prepared) checkInputs(step int, role op.Role, after []arena, before []op.Tensor) error {
	names := argNames(p.op, role)
	for i := range after {
		if err := after[i].checkGuards(names[i]); err != nil {
			return p.fail(step, clauseOutside, "%v", err)
		}
		if at := differ(after[i].Tensor, before[i]); at >= 0 {
			return p.fail(step, clauseUnchanged, "%s%v was changed", names[i], unravel(at, before[i].Shape))
		}
	}
	return nil
}

func guardAll(ts []op.Tensor, shift int) ([]arena, []op.Tensor) {
	arenas, tensors := make([]arena, len(ts)), make([]op.Tensor, len(ts))
	for i, t := range ts {
		arenas[i] = guarded(t, shift)
		tensors[i] = arenas[i].Tensor
	}
	return arenas, tensors
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

// judge runs the case three times, once alone and twice at once, and holds the first results to the vectors and the others to the
// first. It returns the largest ratio of error to bound; err is a *Failure or wraps op.ErrUnsupported.
func (p *prepared) judge(factory Factory, formats op.Formats) (worst float64, err error) {
	impl := factory()
	first, err := p.trace(impl, 0, func() {})
	if err != nil {
		return 0, err
	}
	worst, failure := p.compare(first, formats)
	if failure != nil {
		return worst, p.orReferences(failure, impl, formats)
	}
	type replay struct {
		results [][]arena
		err     error
	}
	replays := make(chan replay, 2)
	var bothOpen sync.WaitGroup
	bothOpen.Add(2)
	for _, shift := range []int{1, 3} {
		go func() {
			results, err := p.trace(impl, shift, func() { bothOpen.Done(); bothOpen.Wait() })
			replays <- replay{results, err}
		}()
	}
	for range 2 {
		r := <-replays
		if err == nil && r.err != nil {
			err = r.err
		}
		if err == nil {
			err = p.sameBits(first, r.results, clauseConcurrent)
		}
	}
	if err != nil { // is it concurrency, or would one kernel after another differ as well?
		alone, aerr := p.trace(impl, 1, func() {})
		if aerr == nil {
			aerr = p.sameBits(first, alone, clauseReplay)
		}
		if aerr != nil {
			err = aerr
		}
	}
	return worst, err
}

// compare holds the results of a trace to the vectors. It returns the largest ratio of error to bound.
func (p *prepared) compare(results [][]arena, formats op.Formats) (worst float64, f *Failure) {
	for step, out := range results {
		for i := range out {
			t := tolerance{&p.Steps[step].Dst[i], p.Compare, formats}
			ratio, m := compareTensor(t, out[i].Tensor)
			if m != nil {
				return ratio, &Failure{Case: p.ID, Clauses: p.Clauses, Step: step, Mismatch: m}
			}
			worst = max(worst, ratio)
		}
	}
	return worst, nil
}

// orReferences returns the failure of a trace, or the one that explains it: the same trace is right where the sources of past steps are
// left alone.
func (p *prepared) orReferences(f *Failure, impl op.Implementation, formats op.Formats) error {
	if f.Step == 0 {
		return f
	}
	lenient := *p
	lenient.lenient = true
	if results, err := lenient.trace(impl, 0, func() {}); err != nil {
		return f
	} else if _, wrong := lenient.compare(results, formats); wrong != nil {
		return f
	}
	return p.fail(f.Step, clauseReferences, "%s is right only while the sources of earlier steps are left alone: the kernel kept a reference", f.Tensor)
}

func (p *prepared) sameBits(a, b [][]arena, clause string) error {
	for step := range a {
		for i := range a[step] {
			x, y := a[step][i].Tensor, b[step][i].Tensor
			if at := differ(x, y); at >= 0 {
				e := p.Steps[step].Dst[i]
				return p.fail(step, clause, "%s%v: %v in one run, %v in another", e.Name, unravel(at, e.Shape), x.At(at), y.At(at))
			}
		}
	}
	return nil
}

// judgeWithin is judge with a limit: a kernel that does not return fails, and its goroutine is left behind.
func (p *prepared) judgeWithin(limit time.Duration, factory Factory, formats op.Formats) (float64, error) {
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
		return 0, p.fail(0, clauseReturns, "did not return within %v", limit)
	}
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
