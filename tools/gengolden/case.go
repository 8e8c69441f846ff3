package main

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/conformance/vector"
)

// family is the cases of one op.
type family struct {
	op    string // as it is registered
	flags []vector.Flag
	cases []testCase
	wide  []testCase // beyond a block: see wide.go
	// accumulate is the format of the arithmetic where the op's clauses prescribe one: PE-2, INIT-6, LR-7.
	accumulate op.Format
}

// testCase is a case before its results are known.
type testCase struct {
	name    string // the id without the op
	comment string
	clauses string // separated by spaces
	flags   string // separated by spaces
	attrs   attrs
	consts  args
	src     args   // the one step of a stateless op
	steps   []step // of a trace, in place of src
	err     string // the kind of error that src must give
	compare vector.Compare
	// accumulate is the family's.
	accumulate op.Format
	// or are changes to the case under each of which the reference's results are as right: the attributes that it names, and the sources.
	or []change
	// settled: rounding does not decide here, though the numbers that decide are close. They are equal in every correct order of operations.
	settled bool
	// samples gives the positions to store of a result of some shape; nil for all.
	samples func(shape []int) []int64
	whole   int // results of up to so many elements are stored whole in spite of samples; 0: fullBelow
	// prepare, where it is not nil, sets steps and results of a case that is too large for the usual evaluation.
	prepare func(*testCase) error
	results [][]vector.Expect // of each step
}

type attrs map[string]any

// args are the arguments of a call by name. Those that the op has and args does not are absent.
type args map[string]draw

// change is what a case has different where rounding may decide otherwise.
type change struct {
	attrs attrs
	src   args
}

// step is one Run of a trace.
type step struct {
	src args
	err string
}

// biasedSum is the flag of cases whose sums have terms that are equal or lognormal: their rounding errors drift, so the gauges use the
// proved growth.
const biasedSum = "biased-sum"

// build draws the inputs of a case. The draws depend on the case's id and the argument alone, so that a new case changes no other.
func (t *testCase) build(opName string) (*vector.Case, error) {
	c := &vector.Case{ID: opName + "/" + t.name, Comment: t.comment, Clauses: slices.Compact(strings.Fields(t.clauses)), Flags: strings.Fields(t.flags),
		Compare: t.compare, Accumulate: t.accumulate}
	if c.Compare == "" {
		c.Compare = vector.Bound
	}
	if t.attrs == nil {
		t.attrs = attrs{}
	}
	var err error
	if c.Attrs, err = json.Marshal(t.attrs); err != nil {
		return nil, err
	}
	if c.Const, err = t.consts.build(opName, op.Const, c.ID+"/const"); err != nil {
		return nil, err
	}
	steps := t.steps
	if steps == nil {
		steps = []step{{t.src, t.err}}
	}
	for i, s := range steps {
		src, err := s.src.build(opName, op.Src, fmt.Sprintf("%s/%d", c.ID, i))
		if err != nil {
			return nil, err
		}
		c.Steps = append(c.Steps, vector.Step{Src: src, Error: s.err})
	}
	return c, nil
}

func (a args) build(opName string, role op.Role, prefix string) ([]vector.Input, error) {
	table, err := op.Arguments(opName)
	if err != nil {
		return nil, err
	}
	var ins []vector.Input
	used := 0
	for _, arg := range table {
		if arg.Role != role {
			continue
		}
		in := vector.Input{}
		if d, ok := a[arg.Name]; ok {
			in = d(newSource(prefix + "/" + arg.Name))
			used++
		}
		in.Name = arg.Name
		ins = append(ins, in)
	}
	if used != len(a) {
		return nil, fmt.Errorf("%s: %s takes %d of the %d arguments that the case gives", prefix, opName, used, len(a))
	}
	return ins, nil
}

// use is what the case does with its op.
func use(c *vector.Case, opName string) oracle.Use {
	u := oracle.Use{Spec: op.Spec{Op: opName, Attrs: c.Attrs, Const: vector.Tensors(c.Const)}}
	for i := range c.Steps {
		u.Steps = append(u.Steps, oracle.Step{Src: vector.Tensors(c.Steps[i].Src), Fails: c.Steps[i].Fails()})
	}
	return u
}

// exactly runs the case on the reference and returns the results of each step.
func exactly(c *vector.Case, opName string) ([][]op.Tensor, error) {
	return use(c, opName).Trace(refimpl.New(), func(t op.Tensor) op.Tensor { return t })
}

// with returns the arguments with another or one more.
func (a args) with(name string, d draw) args {
	b := args{name: d}
	for n, v := range a {
		if n != name {
			b[n] = v
		}
	}
	return b
}

// only returns the named arguments.
func (a args) only(names string) args {
	b := args{}
	for _, n := range strings.Fields(names) {
		b[n] = a[n]
	}
	return b
}

// sorted goes through a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// twice is two steps of the same kind, the second with other draws.
func twice(src func() args) []step { return []step{{src: src()}, {src: src()}} }

// The flags that several gradients have.
var (
	edgesFlag = vector.Flag{Name: "edges", Bug: "a kernel's remainder loops: lengths one below, at and above a block's"}
	addsFlag  = vector.Flag{Name: "overwrite", Bug: "a second step adds to the gradients of the first",
		See: "torch.Tensor.backward accumulates into grad"}
	upstreamFlag = vector.Flag{Name: "upstream", Bug: "the upstream gradient is taken to be 1, or all its elements to be equal"}
	biasFlag     = vector.Flag{Name: "bias", Bug: "a bias' gradient is that of one row, a mean, or is written where there is no bias"}
	drift        = vector.Flag{Name: biasedSum, Bug: "sums over many terms drift more than their length explains"}
)
