package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// opCase is a case of an op.
type opCase struct {
	op string
	*vector.Case
}

// tensors are what a kernel is given for a case, in the storage format of the implementation.
type tensors struct {
	consts []op.Tensor
	src    [][]op.Tensor // of each step
	dst    [][]op.Tensor // shapes only: what Run is to fill
}

// tensorsIn makes a case's tensors in a storage format and checks them against the op table. An error means that the vectors are corrupt.
func (c opCase) tensorsIn(storage op.Format) (tensors, error) {
	convert := func(ins []vector.Input) []op.Tensor {
		out := make([]op.Tensor, len(ins))
		for i := range ins {
			if ins[i].DType != 0 {
				out[i] = ins[i].Tensor().Convert(storage.DType())
			}
		}
		return out
	}
	t := tensors{consts: convert(c.Const)}
	for i, step := range c.Steps {
		src := convert(step.Src)
		dst, err := op.Shapes(c.spec(t.consts), src, storage.DType())
		if (step.Error == "shape" || step.Error == "attributes") && err != nil { // destinations are needed all the same, to hand to Run
			dst, err = standIns(c.op, storage), nil
		}
		if err == nil {
			err = agree(&step, dst)
		}
		if err != nil {
			return tensors{}, fmt.Errorf("%w: case %s, step %d: %w", vector.ErrCorrupt, c.ID, i, err)
		}
		t.src, t.dst = append(t.src, src), append(t.dst, dst)
	}
	return t, nil
}

// spec returns what a kernel of the case is opened with.
func (c opCase) spec(consts []op.Tensor) op.Spec {
	return op.Spec{Op: c.op, Attrs: slices.Clone(c.Attrs), Const: consts}
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

// inputs returns all constants and sources.
func (t tensors) inputs() []op.Tensor {
	return slices.Concat(append(slices.Clone(t.src), t.consts)...)
}

// others returns the tensors with other numbers: see otherNumbers.
func (t tensors) others() tensors { return t.with(otherNumbers) }

// drawn returns the tensors with numbers that are in no vectors, and are none that an op refuses: see drawnNumbers.
func (t tensors) drawn(seed uint64) tensors {
	r := rand.New(rand.NewPCG(seed, 0))
	return t.with(func(ts []op.Tensor) []op.Tensor { return drawnNumbers(ts, r) })
}

// with returns the tensors with other numbers. Integers among the constants stay, for Open checks them.
func (t tensors) with(numbers func([]op.Tensor) []op.Tensor) tensors {
	other := tensors{consts: numbers(t.consts), dst: t.dst}
	for i, c := range t.consts {
		other.consts[i].I64 = c.I64
	}
	for _, src := range t.src {
		other.src = append(other.src, numbers(src))
	}
	return other
}

// repeats returns how often the kernel of a function takes a step of these tensors: a hundred times where that costs little, else nine times,
// and once where that would cost much.
func (t tensors) repeats() int {
	elements := 0
	for _, x := range slices.Concat(append(slices.Clone(t.dst), t.inputs())...) {
		if x.Present() {
			n, _ := op.Elements(x.Shape)
			elements += n
		}
	}
	switch {
	case elements <= 1<<8:
		return 100
	case elements <= 1<<12:
		return 9
	}
	return 1
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

// drawnNumbers returns tensors of floats drawn from those between 0 and 1; every integer is 0, the first of ids and positions, and every boolean true.
func drawnNumbers(ts []op.Tensor, r *rand.Rand) []op.Tensor {
	out := slices.Clone(ts)
	for i, t := range ts {
		out[i].F32 = moved(t.F32, func(float32) float32 { return r.Float32() })
		out[i].F64 = moved(t.F64, func(float64) float64 { return r.Float64() })
		out[i].I64 = make([]int64, len(t.I64))
		out[i].Bool = moved(t.Bool, func(bool) bool { return true })
	}
	return out
}
