package op

import (
	"fmt"
	"math"
)

// DType is the element type of a Tensor. The zero DType marks an absent tensor.
type DType uint8

// The element types that cross the boundary.
const (
	F32 DType = iota + 1
	F64
	I64
	Bool
)

// String returns the name that safetensors gives the type.
func (d DType) String() string {
	switch d {
	case F32:
		return "F32"
	case F64:
		return "F64"
	case I64:
		return "I64"
	case Bool:
		return "BOOL"
	}
	return "absent"
}

// Tensor is a dense row-major array. Exactly the slice that belongs to DType is set, and its length is the product of Shape. A
// scalar has an empty Shape and one element. The zero Tensor stands for an absent optional argument.
type Tensor struct {
	DType DType
	Shape []int
	F32   []float32
	F64   []float64
	I64   []int64
	Bool  []bool
}

// Float32 returns a tensor over data. It panics unless data has as many elements as shape says.
func Float32(data []float32, shape ...int) Tensor {
	return mustCheck(Tensor{DType: F32, Shape: shape, F32: data})
}

// Float64 returns a tensor over data. It panics unless data has as many elements as shape says.
func Float64(data []float64, shape ...int) Tensor {
	return mustCheck(Tensor{DType: F64, Shape: shape, F64: data})
}

// Int64 returns a tensor over data. It panics unless data has as many elements as shape says.
func Int64(data []int64, shape ...int) Tensor {
	return mustCheck(Tensor{DType: I64, Shape: shape, I64: data})
}

// Bools returns a tensor over data. It panics unless data has as many elements as shape says.
func Bools(data []bool, shape ...int) Tensor {
	return mustCheck(Tensor{DType: Bool, Shape: shape, Bool: data})
}

// New returns a zeroed tensor.
func New(d DType, shape ...int) Tensor {
	n, ok := Elements(shape)
	if !ok {
		panic(fmt.Sprintf("op: New: shape %v is not one of positive dimensions", shape))
	}
	t := Tensor{DType: d, Shape: shape}
	switch d {
	case F32:
		t.F32 = make([]float32, n)
	case F64:
		t.F64 = make([]float64, n)
	case I64:
		t.I64 = make([]int64, n)
	case Bool:
		t.Bool = make([]bool, n)
	default:
		panic(fmt.Sprintf("op: New: dtype %d does not exist", d))
	}
	return t
}

func mustCheck(t Tensor) Tensor {
	if err := t.Check(); err != nil {
		panic("op: " + err.Error())
	}
	return t
}

// Present reports whether the tensor is there: an optional argument that was not given is not.
func (t Tensor) Present() bool { return t.DType != 0 }

// Len returns the number of elements that the tensor holds.
func (t Tensor) Len() int {
	switch t.DType {
	case F32:
		return len(t.F32)
	case F64:
		return len(t.F64)
	case I64:
		return len(t.I64)
	case Bool:
		return len(t.Bool)
	}
	return 0
}

// Check reports whether the tensor is well formed: positive dimensions whose product is the number of elements.
func (t Tensor) Check() error {
	if err := t.checkShape(); err != nil {
		return err
	}
	if n, _ := Elements(t.Shape); t.Len() != n {
		return fmt.Errorf("%w: %v needs %d elements of %v, got %d", ErrShape, t.Shape, n, t.DType, t.Len())
	}
	return nil
}

func (t Tensor) checkShape() error {
	if _, ok := Elements(t.Shape); !ok {
		return fmt.Errorf("%w: %v must have positive dimensions and fewer than 2^40 elements", ErrShape, t.Shape)
	}
	return nil
}

// maxElements bounds the size of a tensor, so that products of dimensions cannot overflow.
const maxElements = min(1<<40, math.MaxInt)

// Elements returns the product of the dimensions, 1 for a scalar; ok is false where one is not positive or the product is absurd.
func Elements(shape []int) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d <= 0 || d > maxElements/n {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// At returns element i as a float64, whatever the element type; true is 1.
func (t Tensor) At(i int) float64 {
	switch t.DType {
	case F32:
		return float64(t.F32[i])
	case F64:
		return t.F64[i]
	case I64:
		return float64(t.I64[i])
	case Bool:
		if t.Bool[i] {
			return 1
		}
		return 0
	}
	return math.NaN()
}

// Convert returns the tensor in the wanted float type, rounding to nearest; integers, booleans and absent tensors come back as they
// are. The result shares memory with t where nothing had to change.
func (t Tensor) Convert(d DType) Tensor {
	switch {
	case t.DType == F32 && d == F64:
		out := New(F64, t.Shape...)
		for i, v := range t.F32 {
			out.F64[i] = float64(v)
		}
		return out
	case t.DType == F64 && d == F32:
		out := New(F32, t.Shape...)
		for i, v := range t.F64 {
			out.F32[i] = float32(v)
		}
		return out
	}
	return t
}
