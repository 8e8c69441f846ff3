package reference_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/corpus/tokenizer"
	"github.com/assaykit/assay/reference"
)

// pytorchCase is what PyTorch, or another whose libraries tools/torchgen asks, computed for an op, by the names of the op table.
type pytorchCase struct {
	Name  string
	Attrs json.RawMessage
	Const map[string]pytorchTensor
	Table string // of an encoding of text: the constants are that table's
	Steps []struct{ Src, Dst map[string]pytorchTensor }
	// Of a differentiable op: the gradient of its result, and those of its constants and sources.
	Upstream, Grads map[string]pytorchTensor
}

// pytorchTensor is a tensor; its floats are F64.
type pytorchTensor struct{ op.Tensor }

func (t *pytorchTensor) UnmarshalJSON(b []byte) error {
	var raw struct {
		DType string
		Shape []int
		Data  json.RawMessage
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	t.Shape = raw.Shape
	var err error
	switch raw.DType {
	case "F64":
		t.DType = op.F64
		var numbers []number
		err = json.Unmarshal(raw.Data, &numbers)
		for _, x := range numbers {
			t.F64 = append(t.F64, float64(x))
		}
	case "I64":
		t.DType = op.I64
		err = json.Unmarshal(raw.Data, &t.I64)
	case "BOOL":
		t.DType = op.Bool
		err = json.Unmarshal(raw.Data, &t.Bool)
	}
	if err != nil {
		return err
	}
	return t.Check()
}

// number is a float64; what is not finite is a string.
type number float64

func (n *number) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"NaN"`:
		*n = number(math.NaN())
		return nil
	case `"Infinity"`:
		*n = number(math.Inf(1))
		return nil
	case `"-Infinity"`:
		*n = number(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// TestPyTorch compares the reference, behind the boundary, with PyTorch: results and gradients of every op that has one, optimizers,
// schedules, initialization and training steps.
//
// Both sides evaluate the same formulas in float64 in different orders, so they differ by rounding only: the bound is
// pytorchTolerance * 2^-53 * (|want| + the largest |want| of the tensor). The worst cases measured are 14 of these units (sinusoids of
// position 77) and, of gradients, 35 (a layer's, where terms of both signs cancel).
func TestPyTorch(t *testing.T) {
	judged := map[string]int{}
	for name, cases := range readPyTorch(t) {
		for _, c := range cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				worst, err := c.holds(refimpl.New(), name)
				if err != nil {
					t.Error(err)
				}
				t.Logf("worst difference: %.2g units", worst)
				if judged[name]++; c.Grads != nil {
					judged[name+".grad"]++
				}
			})
		}
	}
	for _, name := range op.Names() {
		if none := slices.Contains(notAsked, name); none != (judged[name] == 0) {
			t.Errorf("%d cases of %s were judged; notAsked has it: %v", judged[name], name, none)
		}
	}
}

// pytorchTolerance is that of an op.
func pytorchTolerance(name string) float64 {
	if strings.HasSuffix(name, ".grad") {
		return 64
	}
	return 16
}

// notAsked are the ops that none of the libraries has: generation is their parts' (DEC-26), and the others' are cut and joined ids.
var notAsked = []string{"gpt.generate", "text.split", "text.pack", "text.batches"}

// Errors of one part in a million million are seen.
func TestPyTorchSeesErrors(t *testing.T) {
	const off = 1 + 1e-12
	files := readPyTorch(t)
	for name, plant := range map[string]func(f *reference.Primitives){
		"layernorm": func(f *reference.Primitives) {
			f.LayerNorm = func(x reference.Matrix, gamma, beta []float64, eps float64) reference.Matrix {
				return reference.LayerNormRows(x, gamma, beta, eps*(1+1e-6))
			}
		},
		"attention": func(f *reference.Primitives) {
			f.Attention = func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
				return reference.Attention(q, k, v, scale*off, mask)
			}
		},
		"attention.grad": func(f *reference.Primitives) {
			f.AttentionGrad = func(q, k, v, do reference.Matrix, scale float64, mask reference.Mask) (dq, dk, dv reference.Matrix) {
				return reference.AttentionGrad(q, k, v, do, scale*off, mask)
			}
		},
		"gpt.loss.grad": func(f *reference.Primitives) {
			f.LayerNormGrad = func(x reference.Matrix, gamma []float64, eps float64, dy reference.Matrix) (dx reference.Matrix, dgamma, dbeta []float64) {
				return reference.LayerNormRowsGrad(x, gamma, eps*(1+1e-6), dy)
			}
		},
		"adam": func(f *reference.Primitives) {
			f.Adam = func(s reference.AdamState, grad []float64, lr float64, t int, c reference.AdamConfig) reference.AdamState {
				c.Beta2 *= off
				return reference.Adam(s, grad, lr, t, c)
			}
		},
	} {
		f := reference.Exact
		plant(&f)
		seen := 0
		of := strings.TrimSuffix(name, ".grad")
		for _, c := range files[of] {
			if of == name {
				c.Grads = nil
			}
			if _, err := c.holds(refimpl.With(f), of); err != nil {
				seen++
			}
		}
		if seen == 0 {
			t.Errorf("%s: none of %d cases sees the error", name, len(files[of]))
		}
	}
}

// readPyTorch reads testdata/torch, whose manifest has the hash of each file.
func readPyTorch(t *testing.T) map[string][]pytorchCase {
	t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", "torch", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var manifest struct {
		Generator string `json:"generator_sha256"`
		Files     map[string]struct {
			Cases  int
			SHA256 string
		}
	}
	if err := json.Unmarshal(read("MANIFEST.json"), &manifest); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join("..", "tools", "torchgen", "generate.py"))
	if err != nil {
		t.Fatal(err)
	}
	if hash(script) != manifest.Generator {
		t.Error("tools/torchgen/generate.py is not the script that wrote testdata/torch: run it again")
	}
	files := map[string][]pytorchCase{}
	for name, entry := range manifest.Files {
		data := read(name)
		if hash(data) != entry.SHA256 {
			t.Fatalf("%s is not the file of the manifest", name)
		}
		var file struct {
			Op    string
			Cases []pytorchCase
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(file.Cases) != entry.Cases {
			t.Fatalf("%s has %d cases, the manifest says %d", name, len(file.Cases), entry.Cases)
		}
		files[file.Op] = file.Cases
	}
	return files
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// holds compares all that PyTorch computed for a case, and returns the largest difference.
func (c *pytorchCase) holds(impl op.Implementation, name string) (worst float64, err error) {
	spec := op.Spec{Op: name, Attrs: c.Attrs}
	if spec.Const, err = c.constants(name); err != nil {
		return 0, err
	}
	kernel, err := impl.Open(spec)
	if err != nil {
		return 0, err
	}
	for i, step := range c.Steps {
		dst, err := runStep(spec, kernel, step.Src)
		if err != nil {
			return 0, err
		}
		ratio, err := compare(name, dst, step.Dst)
		if worst = max(worst, ratio); err != nil {
			return worst, fmt.Errorf("step %d: %w", i, err)
		}
	}
	if c.Grads == nil {
		return worst, nil
	}
	ratio, err := c.backward(impl, name+".grad")
	return max(worst, ratio), err
}

// backward judges the op's gradient: the same constants and sources, and the upstream gradient.
func (c *pytorchCase) backward(impl op.Implementation, name string) (worst float64, err error) {
	src := maps.Clone(c.Steps[0].Src)
	maps.Copy(src, c.Upstream)
	spec := op.Spec{Op: name, Attrs: c.Attrs}
	if spec.Const, err = c.constants(name); err != nil {
		return 0, err
	}
	kernel, err := impl.Open(spec)
	if err != nil {
		return 0, err
	}
	dst, err := runStep(spec, kernel, src)
	if err != nil {
		return 0, err
	}
	present := 0
	for _, d := range dst {
		if d.Present() {
			present++
		}
	}
	if present != len(c.Grads) {
		return 0, fmt.Errorf("%s gives %d gradients, PyTorch %d", name, present, len(c.Grads))
	}
	return compare(name, dst, c.Grads)
}

// constants returns those of a case in table order.
func (c *pytorchCase) constants(name string) ([]op.Tensor, error) {
	if c.Table == "" {
		return arguments(name, op.Const, c.Const)
	}
	if c.Table != tokenizer.R50kName {
		return nil, fmt.Errorf("the table of %s is not here", c.Table)
	}
	bytes, merges, err := tokenizer.R50kTable()
	return []op.Tensor{
		{DType: op.I64, Shape: []int{len(bytes)}, I64: bytes}, {DType: op.I64, Shape: []int{len(merges) / 2, 2}, I64: merges},
	}, err
}

func runStep(spec op.Spec, kernel op.Kernel, sources map[string]pytorchTensor) ([]op.Tensor, error) {
	src, err := arguments(spec.Op, op.Src, sources)
	if err != nil {
		return nil, err
	}
	dst, err := op.Shapes(spec, src, op.F64)
	if err != nil {
		return nil, err
	}
	return dst, kernel.Run(dst, src)
}

// arguments returns the tensors of a role in table order.
func arguments(name string, role op.Role, tensors map[string]pytorchTensor) ([]op.Tensor, error) {
	table, err := op.Arguments(name)
	if err != nil {
		return nil, err
	}
	var out []op.Tensor
	used := 0
	for _, a := range table {
		if a.Role == role {
			tensor, ok := tensors[a.Name]
			if ok {
				used++
			}
			out = append(out, tensor.Tensor)
		}
	}
	if used != len(tensors) {
		return nil, fmt.Errorf("%s has %d of the %d arguments given", name, used, len(tensors))
	}
	return out, nil
}

// compare holds results to those that PyTorch has.
func compare(name string, dst []op.Tensor, wants map[string]pytorchTensor) (worst float64, err error) {
	table, err := op.Arguments(name)
	if err != nil {
		return 0, err
	}
	results := map[string]op.Tensor{}
	for _, a := range table {
		if a.Role == op.Dst {
			results[a.Name] = dst[len(results)]
		}
	}
	for arg, want := range wants {
		got := results[arg]
		if !slices.Equal(got.Shape, want.Shape) {
			return 0, fmt.Errorf("%s: %s has shape %v, PyTorch's %v", name, arg, got.Shape, want.Shape)
		}
		if !slices.Equal(got.I64, want.I64) {
			return math.Inf(1), fmt.Errorf("%s: %s = %v, want %v", name, arg, got.I64, want.I64)
		}
		scale := scaleOf(arg, wants)
		for i, w := range want.F64 {
			g := got.F64[i]
			if g == w || math.IsNaN(g) && math.IsNaN(w) {
				continue
			}
			ratio := math.Abs(g-w) / (0x1p-53 * (math.Abs(w) + scale))
			if !(ratio <= pytorchTolerance(name)) {
				return ratio, fmt.Errorf("%s: %s[%d] = %v, PyTorch has %v: %.3g units, %v allowed", name, arg, i, g, w, ratio, pytorchTolerance(name))
			}
			worst = max(worst, ratio)
		}
	}
	return worst, nil
}

// scaleOf returns the magnitude that a difference in a tensor is measured by: its largest element. The gradient of the biases of keys is 0
// in exact arithmetic, and what rounding leaves of it has the size of that of the biases of queries and values.
func scaleOf(arg string, wants map[string]pytorchTensor) float64 {
	of := []string{arg}
	if arg == "dbk" {
		of = append(of, "dbq", "dbv")
	}
	scale := 0.0
	for _, a := range of {
		for _, w := range wants[a].F64 {
			if !math.IsInf(w, 0) && !math.IsNaN(w) {
				scale = max(scale, math.Abs(w))
			}
		}
	}
	return scale
}
