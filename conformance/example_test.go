package conformance_test

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
)

// A kernel that looks right: its rows sum to 1, and on small logits nobody sees the difference.
func softmaxWithoutMaximum(a op.SoftmaxArgs) error {
	n := a.X.Shape[len(a.X.Shape)-1]
	for lo := 0; lo < len(a.X.F32); lo += n {
		x, y := a.X.F32[lo:lo+n], a.Y.F32[lo:lo+n]
		sum := float32(0)
		for i, v := range x {
			y[i] = float32(math.Exp(float64(v)))
			sum += y[i]
		}
		for i := range y {
			y[i] /= sum
		}
	}
	return nil
}

func ExampleCheck() {
	report, err := conformance.Check(func() op.Implementation { return op.Softmax(softmaxWithoutMaximum) }, conformance.Ops("softmax"))
	if err != nil {
		fmt.Println(err) // nothing was judged
		return
	}
	for _, f := range report.Failures {
		if f.Case == "softmax/wide-1e4" {
			fmt.Println(f.Case, f.Clauses, f.Why)
		}
	}
	// Output: softmax/wide-1e4 [SM-1 SM-2] got NaN
}
