package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The benchmark by which the gate is tried on this repository: a kernel whose loop is bound by arithmetic, in a package that links quickly.
const (
	kernelPackage = "./optimized/internal/kernel"
	kernelFile    = "optimized/internal/kernel/generic.go"
	kernelBench   = "^BenchmarkKernel$/^generic$/^2x4$"
)

// unrelated is code that every program with the package executes and no benchmark does.
const unrelated = `package kernel

// Unrelated makes the linker keep what follows.
var Unrelated = fibonacci(20)

func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}
`

// slower returns the kernel's source with a tile that does a fifth of its work twice.
func slower(source string) (string, error) {
	const was, is = "Tile: tile2x4,", "Tile: slower2x4,"
	if strings.Count(source, was) != 1 {
		return "", fmt.Errorf("%s does not have %q, which is to be replaced, once", kernelFile, was)
	}
	return strings.Replace(source, was, is, 1) + `
func slower2x4(kc int, a, b, c []float32, ldc int) {
	tile2x4(kc, a, b, c, ldc)
	var again [8]float32
	tile2x4(kc/5, a, b, again[:], 4)
}
`, nil
}

// gateInputs returns what bench.yml gives to the action, which the rehearsal requires to hold.
func gateInputs(workflow *node) (map[string]string, error) {
	inputs := map[string]string{}
	for _, s := range workflow.get("jobs", "gate", "steps").list {
		if s.get("uses").text != "./" {
			continue
		}
		for _, name := range s.get("with").keys {
			inputs[name] = s.get("with", name).text
		}
	}
	if len(inputs) == 0 {
		return nil, errors.New("bench.yml: no step of the job gate uses ./ with inputs")
	}
	inputs["required"] = "true"
	return inputs, nil
}

// rehearseGate runs the gate of bench.yml, and the gate alone, on changes to this repository.
func (s *stage) rehearseGate(ctx context.Context) error {
	source, err := os.ReadFile(filepath.Join(string(s.clone), ".github", "workflows", "bench.yml"))
	if err != nil {
		return err
	}
	workflow, err := parseYAML(string(source))
	if err != nil {
		return fmt.Errorf("bench.yml: %w", err)
	}
	inputs, err := gateInputs(workflow)
	if err != nil {
		return err
	}
	kernel, err := os.ReadFile(filepath.Join(string(s.clone), filepath.FromSlash(kernelFile)))
	if err != nil {
		return err
	}
	// A repository of one commit and the changes to it, as branches.
	origin, err := s.clone.checkout(ctx, "HEAD", filepath.Join(s.temp, "origin"))
	if err != nil {
		return err
	}
	slow, err := slower(string(kernel))
	if err != nil {
		return err
	}
	for _, c := range [][]string{
		{"comment", kernelFile, string(kernel) + "\n// A comment changes no code.\n"},
		{"unrelated", "optimized/internal/kernel/unrelated.go", unrelated},
		{"slow", kernelFile, slow},
	} {
		if err := origin.all(ctx, "checkout --quiet -B "+c[0]+" refs/remotes/pull/1/merge"); err != nil {
			return err
		}
		if err := origin.commit(ctx, c[1:]...); err != nil {
			return err
		}
	}
	if err := origin.all(ctx, "branch main refs/remotes/pull/1/merge"); err != nil {
		return err
	}
	workspace, err := origin.checkout(ctx, "comment", filepath.Join(s.temp, "workspace"))
	if err != nil {
		return err
	}
	failed := s.play(ctx, workspace, scene{name: "bench.yml's gate on a pull request that adds a comment", base: "main", inputs: inputs, exit: 0,
		prints: []string{"same code: github.com/assaykit/assay/"}, not: []string{"measuring", "::error"}, keeps: []string{"report.json"}})
	if failed != nil && !errors.Is(failed, errOutcome) {
		return failed
	}
	for _, c := range []scene{
		{name: "a kernel that takes 20 % longer", base: "slow", exit: 1, prints: []string{"REGRESSION Kernel/generic/2x4"}},
		{name: "a function that no benchmark calls", base: "unrelated", exit: 0, prints: []string{", 0 regression", ", 0 inconclusive"}, not: []string{"same code:"}},
	} {
		if err := s.measure(ctx, origin, c); err != nil {
			if !errors.Is(err, errOutcome) {
				return err
			}
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// attempts is how often the gate may say that the machine was too noisy to tell. A wrong verdict is not tried again.
const attempts = 3

// measure runs the gate alone on the branch that is named as the scene's base.
func (s *stage) measure(ctx context.Context, origin repository, c scene) error {
	if err := origin.all(ctx, "checkout --quiet "+c.base); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		start := time.Now()
		fmt.Fprintf(s.log, "\n%s\n", c.name)
		var output strings.Builder
		cmd := exec.CommandContext(ctx, s.assay, "gate", "--base", "main", "--bench", kernelBench, "--budget", "45s", "--resolution", "20%", // what is planted
			"--samples", "none", "--annotations=false", kernelPackage)
		cmd.Dir, cmd.Env = string(origin), clean(os.Environ())
		w := io.MultiWriter(&output, &quoting{w: s.log})
		cmd.Stdout, cmd.Stderr = w, w
		err := cmd.Run()
		var exit *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !errors.As(err, &exit):
			return err
		}
		took := time.Since(start).Seconds()
		if code := cmd.ProcessState.ExitCode(); code == 2 && attempt < attempts && strings.Contains(output.String(), ", 1 inconclusive") {
			fmt.Fprintf(s.log, "exit %d, %.0f s: once more\n", code, took)
			continue
		}
		err = c.holds(&outcome{exit: cmd.ProcessState.ExitCode(), output: output.String()})
		fmt.Fprintf(s.log, "exit %d, %.0f s: %s\n", cmd.ProcessState.ExitCode(), took, verdict(err))
		return err
	}
}
