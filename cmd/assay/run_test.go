package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// written writes a safetensors file of tensors and returns its path.
func written(t *testing.T, tensors map[string]op.Tensor) string {
	t.Helper()
	data, err := vector.EncodeSafetensors(tensors)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "in.safetensors")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// raw writes a safetensors file with tensors that the encoder does not write: each is its name, dtype, shape and bytes.
func raw(t *testing.T, tensors ...rawTensor) string {
	t.Helper()
	var header []string
	var data []byte
	for _, r := range tensors {
		header = append(header, fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, r.name, r.dtype, r.shape, len(data), len(data)+len(r.data)))
		data = append(data, r.data...)
	}
	text := "{" + strings.Join(header, ",") + "}"
	path := filepath.Join(t.TempDir(), "in.safetensors")
	require.NoError(t, os.WriteFile(path, append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), data...), 0o600))
	return path
}

type rawTensor struct{ name, dtype, shape, data string }

// Cases that people met faults with, rebuilt with numbers of our own: a kernel with the fault gives another value.
func TestRunFieldCases(t *testing.T) {
	f32 := func(shape []int, x ...float32) op.Tensor { return op.Float32(x, shape...) }
	for _, c := range []struct {
		name, op, attrs string
		in              map[string]op.Tensor
		out             string
		want            []float64 // the first elements of the result
	}{
		{"a tile without visible keys, and scores far below 0", "attention", `{"causal":true}`, map[string]op.Tensor{
			"q": f32([]int{1, 1, 2, 1}, 1, 1), "k": f32([]int{1, 1, 2, 1}, -200, -200), "v": f32([]int{1, 1, 2, 1}, 3, 5)}, "out", []float64{3, 4}},
		{"a negative scale", "attention", `{"scale":-1}`, map[string]op.Tensor{
			"q": f32([]int{1, 1, 1, 1}, 1), "k": f32([]int{1, 1, 2, 1}, 0, 200), "v": f32([]int{1, 1, 2, 1}, 3, 5)}, "out", []float64{3}},
		{"a nucleus so small that 1 - p is 1", "distribution", `{"top_p":1e-8}`, map[string]op.Tensor{"logits": f32([]int{1, 2}, 0, 0)}, "probs", []float64{1, 0}},
		{"a row whose variance overflows float32", "layernorm", `{}`, map[string]op.Tensor{
			"gamma": f32([]int{4}, 1, 1, 1, 1), "beta": f32([]int{4}, 0, 0, 0, 0), "x": f32([]int{1, 4}, 1e30, 2e30, -1e30, -2e30)}, "y",
			[]float64{0.6324555320, 1.2649110641, -0.6324555320, -1.2649110641}},
	} {
		for _, impl := range []string{"reference", "optimized", "gonum"} {
			if impl == "gonum" && c.op == "distribution" { // which it does not offer
				continue
			}
			t.Run(c.name+"/"+impl, func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "y")
				_, stderr, code := assay(t, "run", c.op, "--impl", impl, "--attrs", c.attrs, "--in", written(t, c.in), "--out", out)
				require.Equal(t, exitHolds, code, stderr)
				got := readTensors(t, out)[c.out]
				for i, want := range c.want {
					require.InDelta(t, want, got.At(i), 1e-6*max(1, want), "element %d", i)
				}
			})
		}
	}
}

// What other programs write is read where its numbers are those of a type that the op takes: floats, integers and masks of all widths.
func TestRunWidens(t *testing.T) {
	const x = `[1,4]`
	table := rawTensor{"table", "F32", "[2,1]", "\x00\x00\x80\x3f\x00\x00\x00\x40"}
	qkv := func(mask ...rawTensor) []rawTensor {
		one := "\x00\x00\x80\x3f"
		return append([]rawTensor{{"q", "F32", "[1,1,1,1]", one}, {"k", "F32", "[1,1,2,1]", one + one}, {"v", "F32", "[1,1,2,1]", one + "\x00\x00\x40\x40"}}, mask...)
	}
	for _, c := range []struct {
		op   string
		in   []rawTensor
		out  string
		want []float64
		says string
	}{
		{op: "relu", in: []rawTensor{{"x", "F16", x, "\x00\x3e\x00\xc0\x00\x34\x00\x42"}}, out: "y", want: []float64{1.5, 0, 0.25, 3}},
		{op: "relu", in: []rawTensor{{"x", "BF16", x, "\xc0\x3f\x00\xc0\x80\x3e\x40\x40"}}, out: "y", want: []float64{1.5, 0, 0.25, 3}},
		{op: "relu", in: []rawTensor{{"x", "I32", "[1]", "\x01\x00\x00\x00"}}, says: "x is I64, want float"},
		{op: "relu", in: []rawTensor{{"x", "F32", "[0]", ""}}, says: "[0] must have positive dimensions"},
		{op: "embedding", in: []rawTensor{table, {"ids", "I32", "[2]", "\x01\x00\x00\x00\x00\x00\x00\x00"}}, out: "y", want: []float64{2, 1}},
		{op: "embedding", in: []rawTensor{table, {"ids", "U8", "[2]", "\x01\x00"}}, out: "y", want: []float64{2, 1}},
		{op: "embedding", in: []rawTensor{table, {"ids", "I16", "[1]", "\xff\xff"}}, says: "index out of range"},
		{op: "embedding", in: []rawTensor{table, {"ids", "BOOL", "[1]", "\x01"}}, says: "ids is BOOL, want i64"},
		{op: "attention", in: qkv(rawTensor{"mask", "U8", "[1,1,1,2]", "\x00\x01"}), out: "out", want: []float64{3}},
		{op: "attention", in: qkv(rawTensor{"mask", "BOOL", "[1,1,1,2]", "\x01\x00"}), out: "out", want: []float64{1}},
		{op: "attention", in: qkv(rawTensor{"mask", "F16", "[1,1,1,2]", "\x00\xfc\x00\x00"}), out: "out", want: []float64{3}},
		{op: "attention", in: qkv(rawTensor{"mask", "U8", "[1,1,1,2]", "\x00\x02"}), says: "element 1 of mask is 2: want 0 or 1"},
	} {
		t.Run(c.op+" "+c.in[len(c.in)-1].dtype, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "y")
			_, stderr, code := assay(t, "run", c.op, "--in", raw(t, c.in...), "--out", out)
			if c.says != "" {
				require.Equal(t, exitNotJudged, code)
				require.Contains(t, stderr, c.says)
				require.NoFileExists(t, out)
				return
			}
			require.Equal(t, exitHolds, code, stderr)
			for i, want := range c.want {
				require.Equal(t, want, readTensors(t, out)[c.out].At(i), "element %d", i)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	one := op.Float32([]float32{1}, 1)
	x := map[string]op.Tensor{"x": one}
	wide := func() map[string]op.Tensor { // 512 KB of scores' arguments: 16 GB of scores
		return map[string]op.Tensor{"q": op.New(op.F32, 1, 1, 1<<16, 1), "k": op.New(op.F32, 1, 1, 1<<16, 1)}
	}
	for _, c := range []struct {
		name string
		op   string
		in   map[string]op.Tensor
		args []string
		says string
	}{
		{"results that multiply", "attention.scores", wide(), nil, "the tensors have 4295098368, at most 33554432 are allowed: --max-elements allows more"},
		{"more steps' results than are allowed", "relu", map[string]op.Tensor{"0/x": one, "1/x": one}, []string{"--max-elements", "3"}, "step 1: relu: too many elements"},
		{"more elements than are allowed", "relu", x, []string{"--max-elements", "1"}, "the tensors have 2, at most 1 are allowed"},
		{"attribute twice", "gelu", x, []string{"--attrs", `{"approximate":"none","approximate":"tanh"}`}, `"approximate" is there twice`},
		{"attribute in other letter case", "gelu", x, []string{"--attrs", `{"Approximate":"tanh"}`}, `unknown "Approximate": did you mean approximate?`},
		{"attribute of another type", "gelu", x, []string{"--attrs", `{"approximate":1}`}, "approximate: want a string, got number"},
		{"attribute that JSON does not have", "clip_value", map[string]op.Tensor{"g": one}, []string{"--attrs", `{"limit":NaN}`}, "clip_value: invalid attributes: invalid character 'N'"},
		{"steps with a gap", "relu", map[string]op.Tensor{"0/x": one, "2/x": one}, nil, "step 1 has no tensors"},
		{"step of no number", "relu", map[string]op.Tensor{"0/x": one, "01/x": one}, nil, `has a tensor "01/x"`},
		{"the first of several unknown tensors", "relu", map[string]op.Tensor{"x": one, "c": one, "b": one, "d": one}, nil, `has a tensor "b"`},
		{"the first of several in a step", "relu", map[string]op.Tensor{"0/x": one, "0/c": one, "0/b": one}, nil, `step 0: relu: the input file has a tensor "0/b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "y")
			_, stderr, code := assay(t, append([]string{"run", c.op, "--in", written(t, c.in), "--out", out}, c.args...)...)
			require.Equal(t, exitNotJudged, code)
			require.Contains(t, stderr, c.says)
			require.NotContains(t, stderr, "Attrs", "a Go type is named")
			require.NoFileExists(t, out)
		})
	}
}

func TestRunAllowsWhatIsAskedFor(t *testing.T) {
	out := filepath.Join(t.TempDir(), "y")
	_, stderr, code := assay(t, "run", "relu", "--in", written(t, map[string]op.Tensor{"x": op.New(op.F32, 4)}), "--out", out, "--max-elements", "8")
	require.Equal(t, exitHolds, code, stderr)
}

func TestRunHelpShowsTheOp(t *testing.T) {
	stdout, _, code := assay(t, "run", "attention", "--help")
	require.Equal(t, exitHolds, code)
	for _, part := range []string{"[B|1 H|1 Tq Tk]", "optional", "softcap", "default 0", "a finite number of at least 0", "ATT-1", "--max-elements"} {
		require.Contains(t, stdout, part)
	}
	ops, _, code := assay(t, "ops", "attention")
	require.Equal(t, exitHolds, code)
	require.True(t, strings.HasPrefix(stdout, ops), "run OP --help begins as ops OP")
	stdout, _, _ = assay(t, "run", "--help")
	require.Contains(t, stdout, "  matmul: a[... M K] b[... K N] -> c[... M N]\n", "run --help lists the ops")
}
