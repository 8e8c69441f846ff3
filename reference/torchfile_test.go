package reference

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// torchCase is one file: PyTorch's inputs and outputs of one operation. Entries of Inputs may be nil.
type torchCase struct {
	Name, Op        string
	Attributes      map[string]any
	Inputs, Outputs []*torchTensor
	Grads           []*torchTensor // "d_" and the name of an input: with respect to it, where the result has the gradient of input grad_out
	Rows            []torchInitRow // of init_bounds alone
}

type torchTensor struct {
	Name  string
	Shape []int
	Data  []torchNumber
}

// torchNumber is a float64; infinities are strings.
type torchNumber float64

func (n *torchNumber) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"Infinity"`:
		*n = torchNumber(math.Inf(1))
		return nil
	case `"-Infinity"`:
		*n = torchNumber(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

func readTorchCase(t *testing.T, file string) torchCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := torchCase{Name: strings.TrimSuffix(filepath.Base(file), ".json")}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for i, r := range c.Rows {
		c.Outputs = append(c.Outputs, r.scale(i))
	}
	return c
}

func (c torchCase) find(name string) *torchTensor {
	for _, t := range slices.Concat(c.Inputs, c.Outputs, c.Grads) {
		if t != nil && t.Name == name {
			return t
		}
	}
	return nil
}

func (c torchCase) output(name string) []float64 { return c.find(name).floats() }

func (t *torchTensor) floats() []float64 {
	x := make([]float64, len(t.Data))
	for i, v := range t.Data {
		x[i] = float64(v)
	}
	return x
}

func (t *torchTensor) ints() []int {
	x := make([]int, len(t.Data))
	for i, v := range t.Data {
		x[i] = int(v)
	}
	return x
}

// matrices cuts a tensor [..., M, N] into matrices [M, N].
func (t *torchTensor) matrices() []Matrix {
	n := len(t.Shape)
	rows, cols := t.Shape[n-2], t.Shape[n-1]
	var cut []Matrix
	for data := t.floats(); len(data) > 0; data = data[rows*cols:] {
		cut = append(cut, Matrix{rows, cols, data[:rows*cols]})
	}
	return cut
}

// matrix flattens a tensor [..., N] to a matrix of its rows.
func (t *torchTensor) matrix() Matrix {
	cols := t.Shape[len(t.Shape)-1]
	return Matrix{len(t.Data) / cols, cols, t.floats()}
}

func (c torchCase) matrix(name string) Matrix    { return c.find(name).matrix() }
func (c torchCase) weight(name string) Matrix    { return c.matrix(name).T() } // PyTorch stores [out, in]
func (c torchCase) vector(name string) []float64 { return c.find(name).floats() }
func (c torchCase) integer(name string) int      { return int(c.Attributes[name].(float64)) }
func (c torchCase) activation() Activation       { return Activation(c.Attributes["activation"].(string)) }

// norm reads PyTorch's norm_first.
func (c torchCase) norm() Norm {
	if c.Attributes["norm_first"].(bool) {
		return PreNorm
	}
	return PostNorm
}

// mha reads PyTorch's MultiheadAttention, whose in_proj stacks Wq, Wk and Wv.
func (c torchCase) mha(prefix string) MHAWeights {
	in, bias := c.weight(prefix+"in_proj_weight"), c.vector(prefix+"in_proj_bias")
	d := in.Rows
	return MHAWeights{
		Wq: in.Columns(0, d), Wk: in.Columns(d, 2*d), Wv: in.Columns(2*d, 3*d), Wo: c.weight(prefix + "out_proj.weight"),
		Bq: bias[:d], Bk: bias[d : 2*d], Bv: bias[2*d:], Bo: c.vector(prefix + "out_proj.bias"),
	}
}

func (c torchCase) block(prefix string) BlockWeights {
	return BlockWeights{
		LN1Gamma: c.vector(prefix + "norm1.weight"), LN1Beta: c.vector(prefix + "norm1.bias"),
		LN2Gamma: c.vector(prefix + "norm2.weight"), LN2Beta: c.vector(prefix + "norm2.bias"),
		Attn: c.mha(prefix + "self_attn."),
		FFN: FFNWeights{
			W1: c.weight(prefix + "linear1.weight"), B1: c.vector(prefix + "linear1.bias"),
			W2: c.weight(prefix + "linear2.weight"), B2: c.vector(prefix + "linear2.bias"),
		},
	}
}
