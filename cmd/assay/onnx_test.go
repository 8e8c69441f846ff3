package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nodeTest writes a test of one operator with one input and one output, both the given TensorProto.
func nodeTest(t *testing.T, dir, name, operator, input, output string) {
	t.Helper()
	field := func(number byte, body string) string { return string([]byte{number<<3 | 2, byte(len(body))}) + body }
	node := field(1, "x") + field(2, "y") + field(4, operator)
	model := field(7, field(1, node)+field(11, field(1, "x"))+field(12, field(1, "y"))) + field(8, "\x10\x0d")
	set := filepath.Join(dir, name, "test_data_set_0")
	if err := os.MkdirAll(set, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string]string{filepath.Join(dir, name, "model.onnx"): model, filepath.Join(set, "input_0.pb"): input, filepath.Join(set, "output_0.pb"): output} {
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestONNX(t *testing.T) {
	const scalar = "\x10\x01\x4a\x04" // a float32 scalar, up to its bytes
	const one, two, minus = scalar + "\x00\x00\x80\x3f", scalar + "\x00\x00\x00\x40", scalar + "\x00\x00\x80\xbf"
	dir := t.TempDir()
	run := func(args ...string) (string, int) {
		t.Helper()
		stdout, stderr, code := assay(t, append([]string{"onnx", dir}, args...)...)
		return stdout + stderr, code
	}
	expect := func(want int, says string, args ...string) {
		t.Helper()
		if out, code := run(args...); code != want || !strings.Contains(out, says) {
			t.Errorf("onnx %v: exit %d, want %d and %q:\n%s", args, code, want, says, out)
		}
	}
	expect(exitNotJudged, "no tests")
	nodeTest(t, dir, "test_relu", "Relu", one, one)
	expect(exitHolds, "PASS optimized: 1 tests, 0 failed, 0 unsupported")
	expect(exitHolds, "PASS reference", "--impl", "reference")
	expect(exitNotJudged, "matches none", "--case", "test_x*")
	nodeTest(t, dir, "test_conv", "Conv", one, one)
	expect(exitNotJudged, "1 tests are unsupported")
	expect(exitHolds, "INCOMPLETE optimized: 1 tests", "--allow-unsupported")
	expect(exitNotJudged, "none of 1 tests could be judged", "--case", "test_conv", "--allow-unsupported")
	nodeTest(t, dir, "test_relu_wrong", "Relu", minus, two)
	expect(exitVerdict, "FAIL test_relu_wrong: output 0", "--allow-unsupported")
	expect(exitHolds, "PASS", "--case", "test_relu")

	out, code := run("--json")
	var r struct {
		Cases, Passed int
		Failed        []string
		Unsupported   []struct{ Name, Reason string }
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitVerdict {
		t.Fatalf("exit %d, %v:\n%s", code, err, out)
	}
	if r.Cases != 2 || r.Passed != 1 || len(r.Failed) != 1 || r.Failed[0] != "test_relu_wrong" || len(r.Unsupported) != 1 || r.Unsupported[0].Reason == "" {
		t.Errorf("got %+v", r)
	}
	nodeTest(t, dir, "test_relu", "Relu", one[:5], one)
	expect(exitNotJudged, "test_relu: test_relu/test_data_set_0/input_0.pb")
}
