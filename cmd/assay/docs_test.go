package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every shell command of docs/gate.md is run as it stands, in order, in a repository with the branches that it speaks of. What is measured gets a budget
// that no verdict can be expected of: those are for the rehearsal, tools/rehearse.
func TestGateDocument(t *testing.T) {
	if os.Getenv("ASSAY_GATE") != "all" {
		t.Skip("not run: ASSAY_GATE=all runs it, as CI does")
	}
	doc, err := os.ReadFile("../../docs/gate.md")
	if err != nil {
		t.Fatal(err)
	}
	bin, dir := t.TempDir(), filepath.Join(t.TempDir(), "sum")
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "real")+string(filepath.Separator), ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	wrapper := "#!/bin/sh\ncase \"$*\" in\n*--base*) exec \"" + bin + "/real/assay\" \"$@\" --budget 20s ;;\nesac\nexec \"" + bin + "/real/assay\" \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "assay"), []byte(wrapper), 0o777); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"XDG_CACHE_HOME="+t.TempDir(), "GITHUB_ACTIONS=", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	env = append(env, "GOCACHE="+goEnv(t, "GOCACHE"))
	run := func(command string) (output string, code int) {
		t.Helper()
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", command)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if out, code := run(documentRepository); code != 0 {
		t.Fatalf("making the repository: %s", out)
	}

	same := regexp.MustCompile(`(?m)^same code: example.com/sum: 1 benchmark \(Sum\)$`)
	counts := regexp.MustCompile(`(?m)^\d+ pass, \d+ regression, \d+ improved, \d+ inconclusive`)
	gates := 0
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(doc), -1) {
		for _, command := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			out, code := run(command)
			t.Logf("%s\nexit %d\n%s", command, code, out)
			branch, _ := run("git branch --show-current")
			switch {
			case !strings.HasPrefix(command, "assay gate"):
				if code != 0 {
					t.Errorf("%s: exit %d:\n%s", command, code, out)
				}
				continue
			case strings.TrimSpace(branch) == "topic" && strings.Contains(command, "--base"): // a comment is all that changed
				if strings.Contains(command, "--json") {
					report, _ := run("cat ../report.json")
					if !strings.Contains(report, `"verdict": "same code"`) {
						t.Errorf("%s: %s", command, report)
					}
				} else if !same.MatchString(out) {
					t.Errorf("%s: not the same code:\n%s", command, out)
				}
				if code != exitHolds {
					t.Errorf("%s: exit %d:\n%s", command, code, out)
				}
			case !counts.MatchString(out) || !strings.Contains(out, "Sum"):
				t.Errorf("%s: exit %d and no verdicts:\n%s", command, code, out)
			}
			gates++
		}
	}
	if gates < 5 {
		t.Errorf("found %d commands of the gate: are they in blocks marked sh?", gates)
	}
	for _, name := range []string{"report.json", "report.md"} {
		if info, err := os.Stat(filepath.Join(dir, "..", "samples", name)); err != nil || info.Size() == 0 {
			t.Errorf("--samples kept no %s: %v", name, err)
		}
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// documentRepository makes main, topic, where a comment changed, and slower, which takes twice the time.
const documentRepository = `
git init --quiet --initial-branch=main
printf 'module example.com/sum\n\ngo 1.26\n' > go.mod
cat > sum.go <<'END'
package sum

// Sum returns the sum of x.
func Sum(x []float64) float64 {
	s := 0.0
	for range 1 {
		s = 0
		for _, v := range x {
			s += v
		}
	}
	return s
}
END
cat > sum_test.go <<'END'
package sum

import "testing"

var x = make([]float64, 4096)

func BenchmarkSum(b *testing.B) {
	for b.Loop() {
		Sum(x)
	}
}
END
git add . && git commit --quiet --message sum
git branch slower && git switch --quiet --create topic
sed -i.old 's,^// Sum,// Sum is quick.\n//\n// Sum,' sum.go && rm sum.go.old && git commit --quiet --all --message comment
git switch --quiet slower
sed -i.old 's/range 1 /range 2 /' sum.go && rm sum.go.old && git commit --quiet --all --message slower
git switch --quiet topic
`
