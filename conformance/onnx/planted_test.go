package onnx

import (
	"context"
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// diluted is a softmax with a constant added to its denominator.
func diluted(constant float64) func(x []float64) []float64 {
	return func(x []float64) []float64 {
		p := reference.Softmax(x)
		m := math.Inf(-1)
		for _, v := range x {
			m = math.Max(m, v)
		}
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(v - m)
		}
		for i := range p {
			p[i] *= sum / (sum + constant)
		}
		return p
	}
}

// dilutedAttention is attention whose weights are diluted.
func dilutedAttention(constant float64) func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
	return func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
		o := reference.Attention(q, k, v, scale, mask)
		for i := range q.Rows {
			var scores []float64
			for j := range k.Rows {
				if mask.Visible(i, j, q.Rows, k.Rows) {
					s := 0.0
					for n, x := range q.Row(i) {
						s += x * k.At(j, n)
					}
					scores = append(scores, mask.Score(scale*s, i, j, k.Rows))
				}
			}
			if len(scores) > 0 {
				factor := diluted(constant)(scores)[0] / reference.Softmax(scores)[0]
				for c := range o.Row(i) {
					o.Row(i)[c] *= factor
				}
			}
		}
		return o
	}
}

// topLeft is attention whose causal mask ignores the offset of the queries.
func topLeft(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
	if mask.Causal && k.Rows > q.Rows {
		allow := make([]bool, q.Rows*k.Rows)
		for i := range allow {
			allow[i] = i%k.Rows <= i/k.Rows && (mask.Allow == nil || mask.Allow[i])
		}
		mask.Causal, mask.Allow = false, allow
	}
	return reference.Attention(q, k, v, scale, mask)
}

func norm(f func(gamma []float64, eps *float64)) func(x reference.Matrix, gamma, beta []float64, eps float64) reference.Matrix {
	return func(x reference.Matrix, gamma, beta []float64, eps float64) reference.Matrix {
		f(gamma, &eps)
		return reference.LayerNormRows(x, gamma, beta, eps)
	}
}

// What these vectors catch of errors that are planted in the reference, with bounds that follow from the ops: the figures of the package's
// documentation, and, where many cases are within a quarter of the bound, a range around them. With a relative tolerance of 1e-3, as ONNX has it, the denominators and the eps of normalizations pass everywhere.
func TestPlantedErrors(t *testing.T) {
	cases := thirdParty(t)
	for _, tt := range []struct {
		name, op    string
		plant       func(f *reference.Primitives)
		least, most int // cases that catch it
		judged      int
	}{
		{"1e-5 added to the denominator", "Attention", func(f *reference.Primitives) { f.Attention = dilutedAttention(1e-5) }, 25, 43, 43},
		{"1e-6 added to the denominator", "Attention", func(f *reference.Primitives) { f.Attention = dilutedAttention(1e-6) }, 0, 12, 43},
		{"the offset of the causal mask ignored", "Attention", func(f *reference.Primitives) { f.Attention = topLeft }, 5, 5, 43},
		{"the soft cap ignored", "Attention", func(f *reference.Primitives) {
			f.Attention = func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
				mask.Softcap = 0
				return reference.Attention(q, k, v, scale, mask)
			}
		}, 5, 5, 43},
		{"1e-5 added to the denominator", "Softmax", func(f *reference.Primitives) { f.Softmax = diluted(1e-5) }, 4, 4, 4},
		{"1e-6 added to the denominator", "Softmax", func(f *reference.Primitives) { f.Softmax = diluted(1e-6) }, 0, 2, 4},
		{"tanh for erf", "Gelu", func(f *reference.Primitives) {
			f.Activate = func(_ reference.Activation, x reference.Matrix) reference.Matrix {
				return reference.ActGELUTanh.Apply(x)
			}
		}, 1, 1, 3},
		{"eps 1e-6 for 1e-5", "LayerNormalization", func(f *reference.Primitives) {
			f.LayerNorm = norm(func(_ []float64, eps *float64) {
				if *eps < 1e-4 {
					*eps = 1e-6
				}
			})
		}, 10, 10, 12},
		{"eps outside the root", "LayerNormalization", func(f *reference.Primitives) {
			f.LayerNorm = norm(func(_ []float64, eps *float64) { *eps *= *eps })
		}, 12, 12, 12},
		{"eps 1e-6 for 1e-5", "RMSNormalization", func(f *reference.Primitives) {
			f.RMSNorm = func(x reference.Matrix, gamma []float64, eps float64) reference.Matrix {
				if eps < 1e-4 {
					eps = 1e-6
				}
				return reference.RMSNormRows(x, gamma, eps)
			}
		}, 5, 8, 12},
		{"bias correction of Adam ignored", "Adam", func(f *reference.Primitives) {
			f.Adam = func(s reference.AdamState, grad []float64, lr float64, _ int, c reference.AdamConfig) reference.AdamState {
				return reference.Adam(s, grad, lr, 1<<40, c)
			}
		}, 0, 0, 1},
	} {
		f := reference.Exact
		tt.plant(&f)
		var chosen []Case
		for _, c := range cases {
			if c.Op == tt.op {
				chosen = append(chosen, c)
			}
		}
		r, err := Check(context.Background(), func() op.Implementation { return refimpl.With(f) }, chosen, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(r.Failed); n < tt.least || n > tt.most || r.Cases != tt.judged {
			t.Errorf("%s: %s: %d of %d cases catch it, want %d to %d of %d", tt.op, tt.name, n, r.Cases, tt.least, tt.most, tt.judged)
		}
		t.Logf("%d of %d cases catch %s: %s", len(r.Failed), r.Cases, tt.op, tt.name)
	}
}
