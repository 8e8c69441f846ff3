package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/conformance/vector"
)

// Every command of every Example: is run, where what it names is there. What takes long is interrupted once it has begun.
func TestExamplesRun(t *testing.T) {
	t.Chdir(t.TempDir())
	prepareExamples(t)
	words := regexp.MustCompile(`'[^']*'|\S+`)
	ran := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, line := range regexp.MustCompile(`\n|&&|;|>`).Split(c.Example, -1) {
			args := words.FindAllString(strings.TrimSpace(line), -1)
			if len(args) == 0 || args[0] != "assay" {
				continue
			}
			for i := range args {
				args[i] = strings.Trim(args[i], "'")
			}
			ran++
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			_, stderr, code := interrupted(ctx, args[1:]...)
			cancel()
			switch {
			case strings.Contains(line, "mutant:"):
				require.Contains(t, []int{exitVerdict, exitInterrupted}, code, "%s: %s", line, stderr)
			default:
				require.Contains(t, []int{exitHolds, exitInterrupted}, code, "%s: %s", line, stderr)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(rootCommand())
	require.Greater(t, ran, 20)
}

// prepareExamples makes in the current directory what the examples name.
func prepareExamples(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("bash", "-euc", `
		git init --quiet --initial-branch=main
		mkdir codec && printf 'module example.com/m\n\ngo 1.26\n' > go.mod && printf 'package codec\n' > codec/codec.go
		cat > codec/codec_test.go <<-'EOF'
			package codec

			import "testing"

			func BenchmarkEncode(b *testing.B) {
				b.Run("size=1k", func(b *testing.B) {
					for b.Loop() {
					}
				})
			}
		EOF
		git add . && git -c user.name=a -c user.email=a@example.com commit --quiet --message m && git tag v1.2.0 && git update-ref refs/remotes/origin/main HEAD
		for x in 1000 1001 1002 1003 999 998 997 1004 1005 996; do echo "BenchmarkX 100 $x ns/op" >> old.txt; echo "BenchmarkX 100 $x.5 ns/op" >> new.txt; done
	`).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	one := op.New(op.F32, 1, 1, 2, 2)
	data, err := vector.EncodeSafetensors(map[string]op.Tensor{"q": one, "k": one, "v": one})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("x.safetensors", data, 0o600))
	const scalar = "\x10\x01\x4a\x04\x00\x00\x80\x3f"
	nodeTest(t, filepath.Join("onnx", "backend", "test", "data", "node"), "test_attention_x", "Relu", scalar, scalar)
	_, stderr, code := assay(t, "vectors", "export", "vectors")
	require.Equal(t, exitHolds, code, stderr)
	t.Setenv(conformance.RecordVariable, "record.jsonl")
	t.Run("recorded", func(t *testing.T) { conformance.Run(t, refimpl.New, conformance.Ops("relu")) })
}
