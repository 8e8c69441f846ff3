package conformance_test

import (
	"os/exec"
	"strings"
	"testing"
)

// gonumStat is what gonum.org/v1/gonum/stat/distuv brings with it.
var gonumStat = strings.Fields("gonum.org/v1/gonum/" + strings.Join(strings.Fields(`floats/scalar internal/asm/f64 floats mathext/internal/amos
	mathext/internal/gonum mathext/internal/cephes mathext blas internal/asm/c128 internal/math32 internal/cmplx64 internal/asm/c64 internal/asm/f32
	blas/gonum blas/blas64 blas/cblas128 lapack lapack/gonum lapack/lapack64 mat optimize/convex/lp stat stat/combin stat/distuv`), " gonum.org/v1/gonum/"))

// A kernel author who imports the suite gets the suite: no command-line library, no plots, no tokenizer, no schema validator, no generator.
func TestDependencies(t *testing.T) {
	const module = "github.com/assaykit/assay/"
	tests := []struct {
		pkg     string
		allowed []string // beyond the standard library
	}{
		{"reference", nil},
		{"conformance/op", nil},
		{"conformance/vector", []string{module + "conformance/op", module + "internal/input", "github.com/nlpodyssey/safetensors"}},
		{"conformance", []string{module + "conformance/op", module + "conformance/vector", module + "golden", module + "internal/input", "github.com/nlpodyssey/safetensors", "golang.org/x/sys/unix"}},
		{"conformance/sampling", append([]string{module + "conformance/op", module + "conformance/vector", module + "golden", module + "internal/input", "github.com/nlpodyssey/safetensors", "golang.org/x/sys/unix"}, gonumStat...)},
		{"conformance/internal/precise", []string{module + "conformance/internal/bigmath", module + "conformance/op", module + "conformance/vector", module + "internal/input", "github.com/nlpodyssey/safetensors"}},
		{"conformance/oracle", []string{"golang.org/x/text/transform", "golang.org/x/text/unicode/norm", module + "conformance/op",
			module + "conformance/refimpl", module + "reference"}},
		{"corpus", []string{module + "conformance/op", module + "corpus/philox", module + "internal/input", "golang.org/x/text/transform", "golang.org/x/text/unicode/norm"}},
		{"optimized", []string{module + "conformance/op", module + "optimized/internal/kernel", module + "corpus", module + "corpus/bpe", module + "corpus/philox", module + "internal/input",
			"golang.org/x/text/transform", "golang.org/x/text/unicode/norm", "golang.org/x/sys/cpu"}},
		{"conformance/mutant", []string{"golang.org/x/text/transform", "golang.org/x/text/unicode/norm", module + "conformance", module + "conformance/op", module + "conformance/vector", module + "golden", module + "internal/input", "github.com/nlpodyssey/safetensors", "golang.org/x/sys/unix"}},
	}
	for _, tt := range tests {
		t.Run(tt.pkg, func(t *testing.T) {
			out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+tt.pkg).CombinedOutput()
			if err != nil {
				t.Fatalf("go list: %v\n%s", err, out)
			}
			allowed := map[string]bool{module + tt.pkg: true}
			for _, a := range tt.allowed {
				allowed[a] = true
			}
			for _, dep := range strings.Fields(string(out)) {
				if !allowed[dep] {
					t.Errorf("imports %s", dep)
				}
			}
		})
	}
}
