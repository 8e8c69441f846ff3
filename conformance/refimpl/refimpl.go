// Package refimpl serves package reference as an op.Implementation in float64: the implementation that every golden vector comes from.
package refimpl

import (
	"errors"
	"fmt"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/reference"
)

// New returns the reference. It takes float tensors of F64 only; any other is an error that wraps op.ErrDType.
func New() op.Implementation { return With(reference.Exact) }

// With returns the ops computed with p in place of reference.Exact: this package's loops over batches, heads and caches, around functions
// that an error analysis has put there.
func With(p reference.Primitives) op.Implementation {
	var set []op.Implementation
	for _, name := range op.Names() {
		if of, ok := ops[name]; ok {
			set = append(set, of(functions{p}))
		}
	}
	return op.WithFormats(float64Only{op.Set(set...)}, op.Formats{Storage: op.Float64Format, Accumulate: op.Float64Format})
}

// functions compute the ops. Each family's file offers its own.
type functions struct{ reference.Primitives }

var ops = map[string]func(functions) op.Implementation{}

// offer enters what computes an op. It is called where the package initialises, and returns what a variable there can be set to.
func offer(name string, of func(functions) op.Implementation) struct{} {
	ops[name] = of
	return struct{}{}
}

// float64Only refuses float tensors that are not F64.
type float64Only struct{ op.Implementation }

func (i float64Only) Offers(name string) bool { return op.Offers(i.Implementation, name) }

func (i float64Only) Open(spec op.Spec) (op.Kernel, error) {
	if err := refuseF32(spec.Op, spec.Const); err != nil {
		return nil, err
	}
	k, err := i.Implementation.Open(spec)
	if err != nil {
		return nil, err
	}
	return float64Kernel{k, spec.Op}, nil
}

type float64Kernel struct {
	op.Kernel
	name string
}

func (k float64Kernel) Run(dst, src []op.Tensor) error {
	if err := refuseF32(k.name, src); err != nil {
		return err
	}
	if err := refuseF32(k.name, dst); err != nil {
		return err
	}
	return wrap(k.Kernel.Run(dst, src))
}

func refuseF32(name string, ts []op.Tensor) error {
	for i, t := range ts {
		if t.DType == op.F32 {
			return fmt.Errorf("%s: %w: tensor %d is F32: convert it to F64, in which the reference computes", name, op.ErrDType, i)
		}
	}
	return nil
}

// fault is an error of package reference that wraps the boundary's sentinel too.
type fault struct{ error }

// kinds maps the sentinels of package reference to those of the boundary.
var kinds = []struct{ reference, op error }{
	{reference.ErrIndex, op.ErrIndex},
	{reference.ErrPosition, op.ErrPosition},
	{reference.ErrCapacity, op.ErrCapacity},
	{reference.ErrConfig, op.ErrAttrs},
	{reference.ErrNumber, op.ErrNumber},
}

func (f fault) Unwrap() []error {
	wrapped := []error{f.error}
	for _, k := range kinds {
		if errors.Is(f.error, k.reference) {
			wrapped = append(wrapped, k.op)
		}
	}
	return wrapped
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fault{err}
}

// runner is a kernel that is no more than a function.
type runner[A op.Args] func(A) error

func (f runner[A]) Run(a A) error { return f(a) }
