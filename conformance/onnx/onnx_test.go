package onnx

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

func TestNodeTests(t *testing.T) {
	cases := thirdParty(t)
	for name, open := range map[string]func() op.Implementation{
		"reference": refimpl.New, "optimized": func() op.Implementation { return optimized.New() },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Check(context.Background(), open, cases, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Failures {
				t.Errorf("%s: %s", f.Name, f.Detail)
			}
			for _, u := range r.Unsupported {
				t.Errorf("%s is not judged: %s", u.Name, u.Reason)
			}
			for _, w := range r.Worst {
				t.Logf("%-26s %3d cases, at most %.2f of the bound: %s", w.Op, w.Cases, w.Ratio, w.Name)
				if w.Ratio > 0.5 {
					t.Errorf("%s: %.2f of the bound at %s: the bound is meant to hold correct implementations with room to spare", w.Op, w.Ratio, w.Name)
				}
			}
			for operator := range operators {
				if !slices.ContainsFunc(r.Worst, func(w Worst) bool { return w.Op == operator }) {
					t.Errorf("no case of operator %s", operator)
				}
			}
		})
	}
}

// thirdParty loads ONNX's own tests from $ASSAY_THIRDPARTY/onnx-node. They are not in the repository: where they are absent, the tests
// that need them say so, unless ASSAY_REQUIRE_THIRDPARTY=1 makes that a failure.
func thirdParty(t *testing.T) []Case {
	t.Helper()
	dir := os.Getenv("ASSAY_THIRDPARTY")
	if dir != "" {
		dir = filepath.Join(dir, "onnx-node")
	}
	if _, err := os.Stat(dir); dir == "" || err != nil {
		if os.Getenv("ASSAY_REQUIRE_THIRDPARTY") == "1" {
			t.Fatalf("ASSAY_REQUIRE_THIRDPARTY=1, and ASSAY_THIRDPARTY=%q holds no onnx-node", os.Getenv("ASSAY_THIRDPARTY"))
		}
		t.Skip("not run: 158 ONNX node tests: set ASSAY_THIRDPARTY to a directory that holds onnx-node")
	}
	cases, err := Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}
