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
)

// runner executes a composite action as GitHub's runner does: each step in a shell of its own, with the environment, files and expressions that
// it gets there. Other actions are not executed.
type runner struct {
	action    *action
	dir       string            // the action's own
	workspace string            // where the user's repository is checked out
	temp      string            // for RUNNER_TEMP and the runner's files
	env       []string          // of the event, beside what the runner sets
	context   map[string]string // what expressions may name beside inputs and steps, such as github.event.before
	log       io.Writer
}

// outcome is what a run of the action left behind.
type outcome struct {
	exit     int // of the step that failed, 0 if none did
	output   string
	summary  string
	uploaded string // directory
}

// run executes the steps with the inputs given.
func (r *runner) run(ctx context.Context, inputs map[string]string) (*outcome, error) {
	values := map[string]string{"runner.temp": r.temp}
	for name, value := range r.context {
		values[name] = value
	}
	for name, value := range r.action.inputs {
		values["inputs."+name] = value
	}
	for name, value := range inputs {
		if _, ok := r.action.inputs[name]; !ok {
			return nil, fmt.Errorf("action.yml has no input %s", name)
		}
		values["inputs."+name] = value
	}
	if err := os.MkdirAll(r.temp, 0o777); err != nil {
		return nil, err
	}
	o := &outcome{}
	for i, s := range r.action.steps {
		goes, err := condition(s.get("if").text, values, o.exit != 0)
		if err != nil {
			return nil, err
		}
		if !goes {
			continue
		}
		if s.get("uses").text != "" {
			if o.uploaded, err = expand(s.get("with", "path").text, values); err != nil {
				return nil, err
			}
			continue
		}
		if err := r.step(ctx, i, s, values, o); err != nil {
			return nil, err
		}
	}
	summary, err := os.ReadFile(filepath.Join(r.temp, "summary"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	o.summary = string(summary)
	return o, nil
}

// step executes one script and adds its outputs to values.
func (r *runner) step(ctx context.Context, i int, s *node, values map[string]string, o *outcome) error {
	output := filepath.Join(r.temp, fmt.Sprintf("output-%d", i))
	if err := os.WriteFile(output, nil, 0o666); err != nil {
		return err
	}
	script := filepath.Join(r.temp, fmt.Sprintf("step-%d.sh", i))
	if err := os.WriteFile(script, []byte(s.get("run").text+"\n"), 0o666); err != nil {
		return err
	}
	dir, err := expand(s.get("working-directory").text, values)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	cmd.Dir = filepath.Join(r.workspace, dir)
	cmd.Env = append(clean(os.Environ()), "CI=true", "GITHUB_ACTIONS=true", "GITHUB_ACTION_PATH="+r.dir, "GITHUB_WORKSPACE="+r.workspace, "RUNNER_TEMP="+r.temp,
		"GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+filepath.Join(r.temp, "summary"))
	cmd.Env = append(cmd.Env, r.env...)
	for _, key := range s.get("env").keys {
		value, err := expand(s.get("env", key).text, values)
		if err != nil {
			return err
		}
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	var b strings.Builder
	w := io.MultiWriter(&b, r.log)
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Run()
	o.output += b.String()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit):
		o.exit = exit.ExitCode()
	case err != nil:
		return err
	}
	outputs, err := os.ReadFile(output)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(outputs)), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			values["steps."+s.get("id").text+".outputs."+name] = value
		}
	}
	return nil
}

// clean leaves out what a runner or git around this process has set, so that the rehearsal is the same anywhere.
func clean(env []string) []string {
	var kept []string
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); !strings.HasPrefix(name, "GITHUB_") && !strings.HasPrefix(name, "RUNNER_") && !strings.HasPrefix(name, "GIT_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// expand replaces the expressions in s. What is known has a value, inputs, outputs of steps and properties of the event that are not there are empty.
func expand(s string, values map[string]string) (string, error) {
	var err error
	s = expression.ReplaceAllStringFunc(s, func(e string) string {
		for _, operand := range strings.Split(expression.FindStringSubmatch(e)[1], "||") {
			operand = strings.TrimSpace(operand)
			if reference.FindString(operand) == "" {
				err = fmt.Errorf("the rehearsal cannot evaluate %s", e)
			}
			if v := values[operand]; v != "" {
				return v
			}
		}
		return ""
	})
	return s, err
}

// condition evaluates a step's if: comparisons with the empty string, joined by &&, and always().
func condition(s string, values map[string]string, failed bool) (bool, error) {
	goes := !failed
	if rest, ok := strings.CutPrefix(s, "always()"); ok {
		goes, s = true, strings.TrimPrefix(rest, " && ")
	}
	if s == "" {
		return goes, nil
	}
	for _, term := range strings.Split(s, " && ") {
		operand, ok := strings.CutSuffix(term, " != ''")
		if !ok {
			return false, fmt.Errorf("the rehearsal cannot evaluate the condition %s", term)
		}
		goes = goes && values[operand] != ""
	}
	return goes, nil
}
