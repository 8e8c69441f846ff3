package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/corpus"
)

var word = regexp.MustCompile(`"[^"]*"|\S+`)

// Every example that help shows does what it says. Trainings are interrupted before their first step.
func TestExamples(t *testing.T) {
	text := []byte(corpus.Opticks[:20_000])
	file := filepath.Join(t.TempDir(), "book.txt")
	require.NoError(t, os.WriteFile(file, text, 0o666))
	model := filepath.Join(t.TempDir(), "gpt.safetensors")
	status, _, stderr := gpt(t, "", tiny(model, "--seq", "128", "--steps", "2", file)...)
	require.Equal(t, exitDone, status, stderr)
	checkpoint, err := os.ReadFile(model)
	require.NoError(t, err)

	var examples []string
	root := newRoot()
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {
		examples = append(examples, strings.Split(c.Example, "\n")...)
	}
	require.Greater(t, len(examples), 10)
	for _, example := range examples {
		t.Run(strings.TrimSpace(example), func(t *testing.T) {
			var words []string
			for _, w := range word.FindAllString(example, -1) {
				words = append(words, strings.Trim(w, `"`))
			}
			stdin := ""
			if pipe := slices.Index(words, "|"); pipe > 0 {
				require.Equal(t, "echo", words[0])
				stdin, words = strings.Join(words[1:pipe], " ")+"\n", words[pipe+1:]
			}
			require.Equal(t, "gpt", words[0])

			t.Chdir(t.TempDir())
			require.NoError(t, os.WriteFile("book.txt", text, 0o666))
			ctx, want := t.Context(), exitDone
			if words[1] == "train" {
				stopped, stop := context.WithCancel(ctx)
				stop()
				ctx, want = stopped, exitInterrupted
			}
			if words[1] != "train" || slices.Contains(words, "--resume") {
				require.NoError(t, os.WriteFile("gpt.safetensors", checkpoint, 0o666))
			}
			var stdout, stderr shared
			status := execute(ctx, words[1:], strings.NewReader(stdin), &stdout, &stderr)
			require.Equal(t, want, status, stderr.String())
			require.Equal(t, want == exitDone, stdout.String() != "")
		})
	}
}
