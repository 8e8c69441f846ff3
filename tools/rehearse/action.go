package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// action is a composite action as action.yml has it.
type action struct {
	inputs map[string]string // defaults
	names  []string          // of the inputs, in order
	steps  []*node
	root   *node
}

// readAction reads action.yml in dir.
func readAction(dir string) (*action, error) {
	name := filepath.Join(dir, "action.yml")
	source, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	a, err := parseAction(string(source))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return a, nil
}

var (
	expression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)
	reference  = regexp.MustCompile(`\b(inputs|steps|env|github|runner|vars|secrets)\.([\w-]+)`)
	pinned     = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
)

// parseAction reads an action and checks what actionlint does not: that the inputs used are declared and those declared used, that other actions are
// pinned by hash, and that no expression stands inside a script, where its value would be read as code.
func parseAction(source string) (*action, error) {
	root, err := parseYAML(source)
	if err != nil {
		return nil, err
	}
	a := &action{inputs: map[string]string{}, names: root.get("inputs").keys, steps: root.get("runs", "steps").list, root: root}
	if using := root.get("runs", "using").text; using != "composite" || len(a.steps) == 0 {
		return nil, fmt.Errorf("runs.using is %q with %d steps, want composite and some", using, len(a.steps))
	}
	for _, name := range a.names {
		if root.get("inputs", name, "description").text == "" {
			err = errors.Join(err, fmt.Errorf("input %s: no description", name))
		}
		a.inputs[name] = root.get("inputs", name, "default").text
	}
	used, earlier := map[string]bool{}, map[string]bool{}
	for _, s := range a.steps {
		err = errors.Join(err, a.checkStep(s, used, earlier))
		earlier[s.get("id").text] = true
	}
	for _, name := range a.names {
		if !used[name] {
			err = errors.Join(err, fmt.Errorf("input %s is not used", name))
		}
	}
	return a, err
}

// checkStep checks a step, given the ids of those before it, and adds the inputs that it uses.
func (a *action) checkStep(s *node, used, earlier map[string]bool) error {
	run, uses := s.get("run").text, s.get("uses").text
	var err error
	complain := func(format string, args ...any) {
		err = errors.Join(err, fmt.Errorf("line %d: "+format, append([]any{s.line}, args...)...))
	}
	switch {
	case (run == "") == (uses == ""):
		complain("a step has either run or uses")
	case run != "" && s.get("shell").text != "bash":
		complain("the shell of a step with run must be bash, which ends at the first failure also within a pipe")
	case strings.Contains(run, "${{"):
		complain("an expression inside a script: pass it by env")
	case uses != "" && !pinned.MatchString(uses):
		complain("%s is not pinned by its full hash", uses)
	}
	texts := []string{s.get("if").text, s.get("working-directory").text}
	for _, part := range []string{"env", "with"} {
		for _, key := range s.get(part).keys {
			texts = append(texts, s.get(part, key).text)
		}
	}
	for _, m := range reference.FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		switch name := m[2]; {
		case m[1] == "inputs":
			used[name] = true
			if !slices.Contains(a.names, name) {
				complain("the input %s is not declared", name)
			}
		case m[1] == "steps" && !earlier[name]:
			complain("no step before this one has the id %s", name)
		case m[1] == "vars" || m[1] == "secrets":
			complain("an action has no %s", m[1])
		}
	}
	return err
}

// workflow returns the action as a workflow of the same steps, whose syntax and expressions actionlint can check.
func (a *action) workflow() string {
	var b strings.Builder
	b.WriteString("on:\n  workflow_call:\n    inputs:\n")
	for _, name := range a.names {
		fmt.Fprintf(&b, "      %s:\n        type: string\n        default: '%s'\n", name, a.inputs[name])
	}
	b.WriteString("jobs:\n  action:\n    runs-on: ubuntu-latest\n    steps:\n")
	for _, s := range a.steps {
		write(&b, s, "      - ", "        ")
	}
	return b.String()
}

// write writes a map, its first line with the indentation first and the others with indent.
func write(b *strings.Builder, n *node, first, indent string) {
	for _, key := range n.keys {
		v := n.maps[key]
		if len(v.keys) > 0 {
			fmt.Fprintf(b, "%s%s:\n", first, key)
			write(b, v, indent+"  ", indent+"  ")
		} else {
			fmt.Fprintf(b, "%s%s: '%s'\n", first, key, strings.ReplaceAll(v.text, "'", "''"))
		}
		first = indent
	}
}
