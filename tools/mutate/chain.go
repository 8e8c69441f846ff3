package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// binary is the compiled tests of one package.
type binary struct {
	pkg, path, dir string
	rapid          bool // its tests import pgregory.net/rapid
}

// unit is what is run together: a test, or one subtest of a test that takes long.
type unit struct {
	binary
	test    string // the argument of -test.run
	name    string // to print
	took    time.Duration
	reaches map[int]bool // the mutants that it runs into
}

// slow is how long a test takes that is cut into its subtests.
const slow = 300 * time.Millisecond

var failures = regexp.MustCompile(`(?m)^(panic:| *--- FAIL:|\s+\S+_test\.go:\d+:).*$`)

var passed = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL): (\S+) \(([0-9.]+)s\)`)

// units runs each test of a binary without a mutant, which must pass, and finds out which mutants it reaches. Those that take long are cut.
func (b binary) units(tmp string) ([]unit, error) {
	list, err := b.run("", time.Minute, nil, "-test.list", ".")
	if err != nil {
		return nil, fmt.Errorf("the tests of %s: %w\n%s", b.pkg, err, list)
	}
	var all []unit
	for _, name := range strings.Fields(string(list)) {
		if !strings.HasPrefix(name, "Test") {
			continue
		}
		u := unit{binary: b, test: exactly(name), name: name}
		subtests, err := u.trace(filepath.Join(tmp, "trace"))
		if err != nil {
			return nil, err
		}
		if u.took < slow || len(subtests) == 0 {
			all = append(all, u)
			continue
		}
		for _, sub := range subtests {
			u := unit{binary: b, test: exactly(name) + "/" + exactly(sub), name: name + "/" + sub}
			if _, err := u.trace(filepath.Join(tmp, "trace")); err != nil {
				return nil, err
			}
			all = append(all, u)
		}
	}
	return all, nil
}

func exactly(name string) string { return "^" + regexp.QuoteMeta(name) + "$" }

// trace finds out how long the unit takes, which mutants it reaches, and what its subtests are called.
func (u *unit) trace(file string) (subtests []string, err error) {
	defer os.Remove(file)
	start := time.Now()
	out, err := u.run(u.test, time.Hour, []string{"ASSAY_MUTANT_TRACE=" + file}, "-test.v")
	if err != nil {
		return nil, fmt.Errorf("%s of %s fails without a mutant: %w\n%s", u.name, u.pkg, err, bytes.Join(failures.FindAll(out, -1), []byte("\n")))
	}
	u.took = time.Since(start)
	for _, m := range passed.FindAllSubmatch(out, -1) {
		if parent, sub, ok := strings.Cut(string(m[2]), "/"); ok && parent == u.name && !strings.Contains(sub, "/") {
			subtests = append(subtests, sub)
		}
	}
	u.reaches = map[int]bool{}
	list, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return subtests, nil
	}
	for _, field := range bytes.Fields(list) {
		id, err := strconv.Atoi(string(field))
		if err != nil {
			return nil, err
		}
		u.reaches[id] = true
	}
	return subtests, err
}

// run runs tests of the binary in its package's directory.
func (b binary) run(test string, limit time.Duration, env []string, flags ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	flags = append([]string{"-test.run", test, "-test.failfast"}, flags...)
	if b.rapid { // a failing property is expected here, and not to be kept
		flags = append(flags, "-rapid.nofailfile")
	}
	cmd := exec.CommandContext(ctx, b.path, flags...)
	cmd.Dir = b.dir
	// Numbers that others computed are not everywhere: a mutant has to die without them.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "ASSAY_") }), env...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return out, fmt.Errorf("not done after %v", limit)
	}
	return out, err
}

// hunter judges mutants, and remembers which units killed the last ones of each function: they are likely to kill the next.
type hunter struct {
	units  []unit
	killer map[string][]string // of a function: names of units, the latest first
}

// kill runs the units that reach a mutant until one fails, and returns its name; empty: the mutant survives. Units that killed others of its
// function go first, then the quick ones.
func (h *hunter) kill(m mutant) string {
	var reaching []unit
	for _, u := range h.units {
		if u.reaches[m.ID] {
			reaching = append(reaching, u)
		}
	}
	rank := func(u unit) int {
		if i := slices.Index(h.killer[m.Func], u.name); i >= 0 {
			return i
		}
		return len(h.units)
	}
	slices.SortStableFunc(reaching, func(a, b unit) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.took, b.took)) })
	for len(reaching) > 0 {
		n := batch(reaching)
		if rank(reaching[0]) == 0 {
			n = 1
		}
		if name := runAll(reaching[:n], m); name != "" {
			if k := slices.IndexFunc(reaching[:n], func(u unit) bool { return u.name == name || strings.HasPrefix(name, u.name+"/") }); k >= 0 {
				others := slices.DeleteFunc(h.killer[m.Func], func(other string) bool { return other == reaching[k].name })
				h.killer[m.Func] = append([]string{reaching[k].name}, others...)
			}
			return name
		}
		reaching = reaching[n:]
	}
	return ""
}

// batch returns how many of the units, which are not empty, go together: whole tests of one binary that are quick.
func batch(units []unit) int {
	n, took := 1, units[0].took
	for n < len(units) && units[n].path == units[0].path && took+units[n].took < slow && !strings.Contains(units[0].test+units[n].test, "/") {
		took += units[n].took
		n++
	}
	return n
}

// runAll runs units of one binary on a mutant, and returns the name of the test that fails; empty: none does.
func runAll(units []unit, m mutant) string {
	var tests []string
	took := time.Duration(0)
	for _, u := range units {
		tests = append(tests, u.test)
		took += u.took
	}
	out, err := units[0].run(strings.Join(tests, "|"), 5*time.Second+20*took, []string{"ASSAY_MUTANT=" + strconv.Itoa(m.ID)})
	if err == nil {
		return ""
	}
	if failed := passed.FindSubmatch(out); failed != nil {
		return string(failed[2])
	}
	return units[0].name + " (" + reason(out, err) + ")"
}

// reason says in a few words why tests ended without a failed one.
func reason(out []byte, err error) string {
	if line, _, ok := strings.Cut(string(out), "\n"); ok && strings.HasPrefix(line, "panic: ") {
		return line
	}
	return err.Error()
}
