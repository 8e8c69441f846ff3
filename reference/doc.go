// Package reference is the ground truth: what SPEC.md says, computed in float64 with the standard library, one equation a
// function. It is written to be read beside SPEC.md. Speed is not a goal; being obviously right is.
//
// # Conventions
//
// A matrix is row-major, a weight is stored [in, out], so that y = x W + b. Each function takes one sequence, or one head
// of it; batches are loops at the boundary where operations are served.
//
// # Gradients
//
// FGrad stands below F. It takes what F takes, and the gradient dy of some number with respect to F's result, and returns
// those with respect to F's arguments: the product of dy and F's Jacobian, written out by hand. Gradients of weights are
// weights. A composite's gradient evaluates the composite again, for the values on its way, and goes back from the last
// step to the first.
//
// # Faults
//
// Shapes are preconditions. A mismatch is a programming error and panics with a message such as
// "reference: MatMul: a is 2x3, b is 4x5"; whoever takes shapes from outside validates them before the call. Faults in
// data (an id, a position, a full cache) come back as errors that wrap [ErrIndex], [ErrPosition], [ErrCapacity],
// [ErrConfig] or [ErrNumber]. NaN and infinities are numbers with rules, stated at each function; only a function that
// cannot go on from one (no token can be chosen from NaN) calls it an [ErrNumber].
//
// # Accuracy
//
// Everything is evaluated in float64, products and sums rounded separately: a product is written float64(a*b), which
// forbids the compiler to fuse it into a sum (an assignment between the two does not), so that every architecture computes
// the same bits from the same elementary functions. Those come from package math, within 2 ulp of the exact value
// (math.Pow, which only the angles of sinusoids and length penalties need, within 5), and differ slightly between
// architectures. Where an equation as usually written would cancel (GELU of a negative number, the loss of a confident
// prediction), the function uses an identity that does not, and says which.
package reference

import (
	"errors"
	"fmt"
)

// The kinds of fault that data can have. Errors of this package wrap one of them.
var (
	ErrIndex    = errors.New("index out of range")
	ErrPosition = errors.New("position out of range")
	ErrCapacity = errors.New("cache capacity exceeded")
	ErrConfig   = errors.New("invalid configuration")
	ErrNumber   = errors.New("invalid number")
)

// require panics when a precondition does not hold.
func require(ok bool, format string, args ...any) {
	if !ok {
		panic("reference: " + fmt.Sprintf(format, args...))
	}
}
