package conformance

import (
	"fmt"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

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
