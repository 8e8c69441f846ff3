package selftest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/assaykit/assay/gate/checkout"
	"github.com/assaykit/assay/gate/internal/child"
)

// Write makes dir a git repository with two commits of package kernels: as it is, and with kernels slowed (slow is parallel to kernels; nil slows
// none) and an unrelated function added, of a size that depends on variant.
func Write(ctx context.Context, dir string, slow []float64, variant int) error {
	files := map[string]string{"go.mod": "module example.com/kernels\n\ngo 1.24\n"}
	for _, name := range []string{"kernels.go", "kernels_test.go"} {
		data, err := sources.ReadFile("kernels/" + name)
		if err != nil {
			return err
		}
		files[name] = string(data)
	}
	if err := commit(ctx, dir, files, "base"); err != nil {
		return err
	}
	code := files["kernels.go"]
	for i, s := range slow {
		if s == 0 {
			continue
		}
		from := kernels[i].constant + strings.Repeat(" ", len("softmaxReps")-len(kernels[i].constant)) + " = 100"
		to := strings.Replace(from, "100", fmt.Sprintf("%.0f", 100*(1+s)), 1)
		if strings.Count(code, from) != 1 {
			return fmt.Errorf("self-test: %q is not in the kernels once", from)
		}
		code = strings.Replace(code, from, to, 1)
	}
	return commit(ctx, dir, map[string]string{"kernels.go": code, "unrelated.go": unrelated(variant)}, "head")
}

// unrelated is a file whose function runs once, before any benchmark.
func unrelated(variant int) string {
	var b strings.Builder
	b.WriteString("package kernels\n\nvar unrelated []int\n\nfunc init() {\n")
	for i := range 5 + 7*variant {
		fmt.Fprintf(&b, "\tunrelated = append(unrelated, len(unrelated)*%d)\n", i+3)
	}
	b.WriteString("}\n")
	return b.String()
}

// commit writes files and commits them.
func commit(ctx context.Context, dir string, files map[string]string, message string) error {
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "--all"},
		{"-c", "user.name=assay", "-c", "user.email=assay@example.com", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--message", message},
	} {
		cmd := child.Command(ctx, "git", args...)
		cmd.Dir, cmd.Env = dir, checkout.Environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}
