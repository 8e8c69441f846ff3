package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// fail is the failure of a case that violates a clause of BUF.
func (c opCase) fail(step int, clause, format string, args ...any) *Failure {
	return &Failure{Case: c.ID, Clauses: []string{clause}, Step: step, Detail: fmt.Sprintf(format, args...)}
}

// unexpected is the failure of a case that the kernel refuses: BUF-6, and the clauses that it refuses to compute.
func (c opCase) unexpected(step int, where string, err error) *Failure {
	f := c.fail(step, clauseReturns, "%s: unexpected error: %v", where, err)
	f.Clauses = append(f.Clauses, c.Clauses...)
	return f
}

// rightKind reports an error that says of itself that it is of another kind than the step wants. One that wraps no sentinel passes.
func (c opCase) rightKind(step int, err error) error {
	want := c.Steps[step].Error
	if errors.Is(err, vector.ErrorKinds[want]) {
		return nil
	}
	for _, sentinel := range vector.ErrorKinds {
		if errors.Is(err, sentinel) {
			return &Failure{Case: c.ID, Clauses: c.Clauses, Step: step, Detail: fmt.Sprintf("want an error about the %s, got: %v", want, err)}
		}
	}
	return nil
}

// openKinds are the kinds of error that constants and attributes can have, so that Open may report them.
var openKinds = []string{"shape", "attributes", "index"}

// checkOpen holds an error of Open to what the case wants: none, or that of its only step.
func (c opCase) checkOpen(err error) error {
	switch {
	case errors.Is(err, op.ErrUnsupported):
		return err
	case len(c.Steps) == 1 && slices.Contains(openKinds, c.Steps[0].Error):
		return c.rightKind(0, err)
	}
	return c.unexpected(0, "Open", err)
}

// checkInputs compares inputs with what was put there, their guards, and the shapes that the kernel was shown.
func (c opCase) checkInputs(step int, after []arena, shown, before []op.Tensor) error {
	for i, a := range after {
		if err := a.checkGuards(); err != nil {
			return c.fail(step, clauseOutside, "%v", err)
		}
		if !slices.Equal(shown[i].Shape, before[i].Shape) {
			return c.fail(step, clauseUnchanged, "the shape of %s was changed from %v to %v", a.name, before[i].Shape, shown[i].Shape)
		}
		if at := differ(a.Tensor, before[i]); at >= 0 {
			return c.fail(step, clauseUnchanged, "%s%v was changed", a.name, unravel(at, before[i].Shape))
		}
	}
	return nil
}

// checkOutside reports what a step wrote outside the destinations that it was given, to their shapes, or to one that is absent.
func (c opCase) checkOutside(step int, out []arena, shown []op.Tensor) error {
	for i, a := range out {
		if err := a.checkGuards(); err != nil {
			return c.fail(step, clauseOutside, "%v", err)
		}
		if !a.Present() && shown[i].Present() {
			return c.fail(step, clauseOutside, "%s was written, and is absent in this call", a.name)
		}
		if !slices.Equal(shown[i].Shape, a.Shape) {
			return c.fail(step, clauseOutside, "the shape of %s was changed from %v to %v", a.name, a.Shape, shown[i].Shape)
		}
	}
	return nil
}

// checkReturn holds what Run returned to what the step wants: no error, or one of a kind.
func (c opCase) checkReturn(step int, err error) error {
	want := c.Steps[step].Error
	switch {
	case errors.Is(err, op.ErrUnsupported):
		return err
	case err != nil && want == "":
		return c.unexpected(step, "Run", err)
	case err == nil && want != "":
		return &Failure{Case: c.ID, Clauses: c.Clauses, Step: step, Detail: "Run: want an error about the " + want + ", got none"}
	case err != nil:
		return c.rightKind(step, err)
	}
	return nil
}

// checkWritten reports an element of a result that a step did not write.
func (c opCase) checkWritten(step int, out []arena) error {
	for _, a := range out {
		if err := a.checkWritten(); err != nil {
			return c.fail(step, clauseWritten, "%v", err)
		}
	}
	return nil
}

// checkAgain reports where the results of a further call of a kernel differ from those of its first.
func (c opCase) checkAgain(step, n int, first []op.Tensor, out []arena) error {
	for i, a := range out {
		if at := differ(first[i], a.Tensor); at >= 0 {
			return c.fail(step, clauseReplay, "%s%v: %v in the first call of a kernel, %v in call %d", a.name, unravel(at, a.Shape), first[i].At(at), a.At(at), n+1)
		}
	}
	return nil
}

// argNames returns the names of an op's arguments of a role.
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

// verdict holds the results of a trace to the vectors. It returns the largest ratio of error to bound.
func (c opCase) verdict(results [][]op.Tensor, formats op.Formats) (worst float64, f *Failure) {
	for step, out := range results {
		ratio, m := c.verdictOfStep(&c.Steps[step], out, formats)
		if m != nil {
			return ratio, &Failure{Case: c.ID, Clauses: c.Clauses, Step: step, Mismatch: m}
		}
		worst = max(worst, ratio)
	}
	return worst, nil
}

// verdictOfStep accepts results that are all those of one list; where there are several lists, the mismatch is that with the first.
func (c opCase) verdictOfStep(s *vector.Step, out []op.Tensor, formats op.Formats) (worst float64, first *Mismatch) {
	lists := s.Results()
	for n, list := range lists {
		ratio, m := 0.0, (*Mismatch)(nil)
		for i := 0; i < len(out) && m == nil; i++ {
			var r float64
			r, m = compareTensor(tolerance{&list[i], c.Compare, formats}, out[i])
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

// sameBits reports where the results of two traces differ.
func (c opCase) sameBits(a, b [][]op.Tensor, clause string) error {
	if len(a) != len(b) {
		return c.fail(0, clause, "%d steps in one run, %d in another", len(a), len(b))
	}
	for step := range a {
		for i := range a[step] {
			x, y := a[step][i], b[step][i]
			if at := differ(x, y); at >= 0 {
				return c.fail(step, clause, "%s%v: %v in one run, %v in another", c.Steps[step].Dst[i].Name, unravel(at, x.Shape), x.At(at), y.At(at))
			}
		}
	}
	return nil
}
