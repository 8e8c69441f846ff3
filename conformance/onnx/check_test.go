package onnx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	must "github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/internal/input"
	"github.com/assaykit/assay/reference"
)

// nodeTest is one test as files.
type nodeTest struct {
	op              string
	version         int64
	attrs           []message
	inputs, outputs []message // nil: absent
}

func intAttr(name string, i int64) message {
	return message(nil).text(1, name).varint(3, i).varint(20, 2)
}
func floatAttr(name string, x float32) message {
	return message(nil).text(1, name).float(2, x).varint(20, 1)
}
func textAttr(name, s string) message { return message(nil).text(1, name).text(4, s).varint(20, 3) }

func (n nodeTest) model() message {
	var node, graph message
	files := func(kind string, ms []message, at protoNumbers) {
		for i, m := range ms {
			name := ""
			if m != nil {
				name = fmt.Sprint(kind, i)
				graph = graph.sub(at.graph, message(nil).text(1, name))
			}
			node = node.text(at.node, name)
		}
	}
	files("in", n.inputs, protoNumbers{1, 11})
	files("out", n.outputs, protoNumbers{2, 12})
	node = node.text(4, n.op)
	for _, a := range n.attrs {
		node = node.sub(5, a)
	}
	return message(nil).varint(1, 8).sub(8, message(nil).text(1, "").varint(2, n.version)).sub(7, graph.sub(1, node))
}

type protoNumbers struct{ node, graph protowire.Number }

// write adds the test's files.
func (n nodeTest) write(fsys fstest.MapFS, name string) {
	fsys[name+"/model.onnx"] = &fstest.MapFile{Data: n.model()}
	for kind, ms := range map[string][]message{"input": n.inputs, "output": n.outputs} {
		i := 0
		for _, m := range ms {
			if m != nil {
				fsys[fmt.Sprintf("%s/test_data_set_0/%s_%d.pb", name, kind, i)] = &fstest.MapFile{Data: m}
				i++
			}
		}
	}
}

// attentionTest is one head of queries 0 over keys: the mean of the values of those that are seen.
func attentionTest(queries, keys int, want []float32, optional []message, attrs ...message) nodeTest {
	values := make([]float32, keys)
	for j := range values {
		values[j] = float32(int(1) << j)
	}
	n := nodeTest{op: "Attention", version: 24, attrs: attrs}
	n.inputs = append([]message{
		float32s(make([]float32, queries), 1, 1, int64(queries), 1), float32s(make([]float32, keys), 1, 1, int64(keys), 1),
		float32s(values, 1, 1, int64(keys), 1),
	}, optional...)
	n.outputs = []message{float32s(want, 1, 1, int64(queries), 1)}
	return n
}

// nodeTests holds translations to results that are plain to see. ONNX's own tests do so in breadth: TestNodeTests.
func nodeTests() map[string]nodeTest {
	causal := intAttr("is_causal", 1)
	bools := func(x ...byte) message { return tensorProto(boolType, 1, int64(len(x))).sub(9, x) }
	return map[string]nodeTest{
		"softmax":      {"Softmax", 13, []message{intAttr("axis", 0)}, []message{float32s([]float32{0, 5, 0, 5}, 2, 2)}, []message{float32s([]float32{.5, .5, .5, .5}, 2, 2)}},
		"softmax_flat": {"Softmax", 11, []message{intAttr("axis", 0)}, []message{float32s([]float32{7, 7, 7, 7}, 2, 2)}, []message{float32s([]float32{.25, .25, .25, .25}, 2, 2)}},
		"gemm": {"Gemm", 13, []message{floatAttr("alpha", 2), intAttr("transB", 1)}, []message{float32s([]float32{1, 2}, 1, 2), float32s([]float32{3, 4}, 1, 2), float32s([]float32{5}, 1)},
			[]message{float32s([]float32{27}, 1, 1)}},
		"argmax_last": {"ArgMax", 13, []message{intAttr("axis", 1), intAttr("keepdims", 0), intAttr("select_last_index", 1)}, []message{float32s([]float32{2, 2, 1}, 1, 3)},
			[]message{int64s([]int64{1}, 1)}},
		"gather": {"Gather", 13, []message{intAttr("axis", 1)}, []message{float32s([]float32{1, 2, 3, 4, 5, 6}, 2, 3), int64s([]int64{-1, 0}, 2)}, []message{float32s([]float32{3, 1, 6, 4}, 2, 2)}},
		"sce": {"SoftmaxCrossEntropyLoss", 13, []message{intAttr("ignore_index", 1), textAttr("reduction", "mean")},
			[]message{float32s([]float32{0, 0, 0, 9, 3, 3}, 3, 2), int64s([]int64{0, 1, 0}, 3), float32s([]float32{2, 8}, 2)}, []message{float32s([]float32{math.Ln2})}},
		"tanh_0": {"Tanh", 13, nil, []message{float32s([]float32{0, float32(math.Inf(1))}, 2)}, []message{float32s([]float32{0, 1}, 2)}},
		"rms_eps": {"RMSNormalization", 23, []message{floatAttr("epsilon", 7)}, []message{float32s([]float32{-3, 3}, 1, 2), float32s([]float32{1, 2}, 2)},
			[]message{float32s([]float32{-.75, 1.5}, 1, 2)}},
		"erf_0": {"Erf", 13, nil, []message{float32s([]float32{0, float32(math.Inf(-1))}, 2)}, []message{float32s([]float32{0, -1}, 2)}},

		// Of no elements: test_reduce_log_sum_exp_empty_set.
		"log_sum_exp_empty": {"ReduceLogSumExp", 18, []message{intAttr("keepdims", 1)}, []message{float32s(nil, 2, 0, 4), int64s([]int64{1}, 1)},
			[]message{float32s(minusInf(8), 2, 1, 4)}},
		"log_sum_exp_empty_flat": {"ReduceLogSumExp", 18, []message{intAttr("keepdims", 0)}, []message{float32s(nil, 0)}, []message{float32s(minusInf(1))}},

		"attention":                    attentionTest(2, 4, []float32{3.75, 3.75}, nil),
		"attention_causal_top_left":    attentionTest(2, 4, []float32{1, 1.5}, nil, causal),
		"attention_causal_few_keys":    attentionTest(3, 2, []float32{1, 1.5, 1.5}, nil, causal),
		"attention_short_mask":         attentionTest(1, 4, []float32{2}, []message{bools(0, 1)}),
		"attention_masked_row":         attentionTest(1, 4, []float32{0}, []message{bools(0, 0, 0, 0)}),
		"attention_past":               attentionTest(1, 2, []float32{13. / 3}, []message{nil, float32s([]float32{0}, 1, 1, 1, 1), float32s([]float32{10}, 1, 1, 1, 1)}),
		"attention_past_causal":        attentionTest(2, 2, []float32{5.5, 13. / 3}, []message{nil, float32s([]float32{0}, 1, 1, 1, 1), float32s([]float32{10}, 1, 1, 1, 1)}, causal),
		"attention_padded":             attentionTest(1, 4, []float32{1.5}, []message{nil, nil, nil, int64s([]int64{2}, 1)}),
		"attention_padded_causal":      attentionTest(2, 4, []float32{1.5, 7. / 3}, []message{nil, nil, nil, int64s([]int64{3}, 1)}, causal),
		"attention_padded_causal_long": attentionTest(3, 4, []float32{0, 0, 1}, []message{nil, nil, nil, int64s([]int64{1}, 1)}, causal),
	}
}

func minusInf(n int) []float32 { return slices.Repeat([]float32{float32(math.Inf(-1))}, n) }

func suiteFS() fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, n := range nodeTests() {
		n.write(fsys, "test_"+name)
	}
	return fsys
}

func check(t *testing.T, fsys fstest.MapFS, open func() op.Implementation) *Report {
	t.Helper()
	cases, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Check(context.Background(), open, cases, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTranslations(t *testing.T) {
	r := check(t, suiteFS(), refimpl.New)
	for _, f := range r.Failures {
		t.Errorf("%s: %s", f.Name, f.Detail)
	}
	if r.Passed != len(nodeTests()) || len(r.Unsupported) > 0 {
		t.Errorf("%d of %d pass, unsupported: %v", r.Passed, len(nodeTests()), r.Unsupported)
	}
}

// Each result, off by one part in a million, fails.
func TestWrongResultsFail(t *testing.T) {
	fsys := suiteFS()
	for name, n := range nodeTests() {
		for i, m := range n.outputs {
			wrong, err := decodeTensor(m)
			if err != nil {
				t.Fatal(err)
			}
			switch wrong.DType {
			case op.I64:
				n.outputs[i] = int64s([]int64{wrong.I64[0] + 1}, 1)
			default:
				var dims []int64
				for _, d := range wrong.Shape {
					dims = append(dims, int64(d))
				}
				data := make([]float32, len(wrong.F64))
				for j, x := range wrong.F64 {
					data[j] = float32(x)
				}
				last := len(data) - 1
				data[last] += 2e-6 * max(1, data[last], -data[last])
				n.outputs[i] = float32s(data, dims...)
			}
		}
		n.write(fsys, "test_"+name)
	}
	if r := check(t, fsys, refimpl.New); r.Passed > 0 {
		t.Errorf("%d of %d pass: failed %v", r.Passed, r.Cases, r.Failed)
	}
}

func TestPlantedErrorFails(t *testing.T) {
	f := reference.Exact
	f.Attention = func(q, k, v reference.Matrix, scale float64, mask reference.Mask) reference.Matrix {
		mask.Causal = false
		return reference.Attention(q, k, v, scale, mask)
	}
	r := check(t, suiteFS(), func() op.Implementation { return refimpl.With(f) })
	if len(r.Failed) < 4 || r.Passed == 0 {
		t.Errorf("attention that is never causal: %v fail, %d pass", r.Failed, r.Passed)
	}
}

func TestUnsupported(t *testing.T) {
	fsys := fstest.MapFS{}
	one := []message{float32s([]float32{1}, 1)}
	nodeTest{op: "Conv", version: 13, inputs: one, outputs: one}.write(fsys, "test_conv")
	nodeTest{op: "Relu", version: 13, inputs: []message{int64s([]int64{1}, 1)}, outputs: one}.write(fsys, "test_relu_int")
	nodeTest{op: "Relu", version: 13, inputs: []message{tensorProto(8, 1).text(6, "x")}, outputs: one}.write(fsys, "test_relu_string")
	none := []message{float32s(nil, 0)}
	nodeTest{op: "Relu", version: 13, inputs: none, outputs: none}.write(fsys, "test_relu_empty")
	nodeTest{op: "Relu", version: 13, inputs: one, outputs: one}.write(fsys, "test_relu")
	r := check(t, fsys, refimpl.New)
	if r.Cases != 1 || r.Passed != 1 || len(r.Unsupported) != 4 {
		t.Errorf("got %+v", r)
	}
	for _, u := range r.Unsupported {
		if u.Reason == "" || strings.Contains(u.Reason, "not translated") {
			t.Errorf("%s: reason %q", u.Name, u.Reason)
		}
	}
	noOps := func() op.Implementation { return op.Set() }
	if r := check(t, fsys, noOps); r.Cases != 0 || len(r.Unsupported) != 5 {
		t.Errorf("an implementation without ops: got %+v", r)
	}
}

func TestLoadErrors(t *testing.T) {
	if _, err := Load(fstest.MapFS{}); !errors.Is(err, ErrNoCases) {
		t.Errorf("an empty directory: got %v", err)
	}
	whole := suiteFS()
	for _, broken := range []string{"test_softmax/model.onnx", "test_softmax/test_data_set_0/input_0.pb", "test_softmax/test_data_set_0/output_0.pb"} {
		fsys := suiteFS()
		fsys[broken] = &fstest.MapFile{Data: whole[broken].Data[:len(whole[broken].Data)-1]}
		if _, err := Load(fsys); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "test_softmax") {
			t.Errorf("%s cut off: got %v", broken, err)
		}
		delete(fsys, broken)
		if _, err := Load(fsys); err == nil && !strings.HasSuffix(broken, "model.onnx") {
			t.Errorf("%s missing: loaded all the same", broken)
		}
	}
}

// What a data set holds and nothing would judge is an error, and so is an output that no node makes.
func TestNothingIsLeftOut(t *testing.T) {
	for _, extra := range []string{"input_1.pb", "output_1.pb", "output_00.pb", "notes.txt"} {
		fsys := suiteFS()
		fsys["test_softmax/test_data_set_0/"+extra] = fsys["test_softmax/test_data_set_0/input_0.pb"]
		_, err := Load(fsys)
		must.ErrorIs(t, err, ErrCorrupt)
		must.ErrorContains(t, err, "test_softmax/test_data_set_0 holds "+extra)
	}
	fsys := suiteFS()
	model := fsys["test_softmax/model.onnx"]
	model.Data = bytes.Replace(model.Data, []byte("out0"), []byte("outX"), 1) // of the node
	_, err := Load(fsys)
	must.ErrorIs(t, err, ErrCorrupt)
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	fsys := suiteFS()
	fsys["test_softmax/test_data_set_0/input_0.pb"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	_, err := Load(fsys)
	must.ErrorIs(t, err, input.ErrNotRegular)
}

// A test whose parts contradict each other says nothing about an implementation.
func TestContradictionsAreNotVerdicts(t *testing.T) {
	fsys := fstest.MapFS{}
	nodeTest{op: "MatMul", version: 13, inputs: []message{float32s([]float32{1, 2}, 1, 2), float32s([]float32{1}, 1, 1)}, outputs: []message{float32s([]float32{1}, 1, 1)}}.write(fsys, "test_x")
	cases, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Check(context.Background(), refimpl.New, cases, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %+v, %v, want ErrCorrupt", r, err)
	}
}

// Every prefix of every file, and every file with one byte changed, is an error, a verdict or unsupported: never a panic.
func TestDamagedFiles(t *testing.T) {
	for name, n := range nodeTests() {
		files := fstest.MapFS{}
		n.write(files, "test_x")
		for file, content := range files {
			for i := range content.Data {
				fsys := fstest.MapFS{}
				n.write(fsys, "test_x")
				for _, damaged := range [][]byte{content.Data[:i], append(append(append([]byte{}, content.Data[:i]...), content.Data[i]^0x41), content.Data[i+1:]...)} {
					fsys[file] = &fstest.MapFile{Data: damaged}
					survive(t, name, fsys)
				}
			}
		}
	}
}

// survive loads, evaluates and compares, and fails only where that panics.
func survive(t *testing.T, name string, fsys fstest.MapFS) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: panic: %v", name, r)
		}
	}()
	cases, err := Load(fsys)
	if err != nil {
		return
	}
	for _, c := range cases {
		for _, set := range c.sets {
			got, err := c.evaluate(newSession(refimpl.New()), inputs(set))
			for i := 0; err == nil && i < len(set.outputs); i++ {
				_, err = compare(set.outputs[i], got[i], func(int) float64 { return 0 })
			}
		}
	}
}

func FuzzCase(f *testing.F) {
	for _, n := range nodeTests() {
		in := func(i int) []byte {
			if i < len(n.inputs) {
				return n.inputs[i]
			}
			return nil
		}
		f.Add([]byte(n.model()), in(0), in(1), in(2), []byte(n.outputs[0]))
	}
	f.Fuzz(func(t *testing.T, model, in0, in1, in2, out []byte) {
		fsys := fstest.MapFS{"test_x/model.onnx": {Data: model}, "test_x/test_data_set_0/output_0.pb": {Data: out}}
		for i, data := range [][]byte{in0, in1, in2} {
			if len(data) > 0 {
				fsys[fmt.Sprintf("test_x/test_data_set_0/input_%d.pb", i)] = &fstest.MapFile{Data: data}
			}
		}
		survive(t, "fuzz", fsys)
	})
}
