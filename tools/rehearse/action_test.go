package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

const top = "../.."

// What actionlint does not check of action.yml and the workflows holds.
func TestAction(t *testing.T) {
	a, err := readAction(top)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parseYAML(a.workflow())
	if err != nil {
		t.Fatalf("the workflow made of action.yml: %v", err)
	}
	if got := len(again.get("jobs", "action", "steps").list); got != len(a.steps) {
		t.Errorf("the workflow made of action.yml has %d steps, want %d", got, len(a.steps))
	}
	workflows, err := filepath.Glob(filepath.Join(top, ".github", "workflows", "*.yml"))
	if err != nil || len(workflows) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	uses := regexp.MustCompile(`(?m)^ +(?:- )?uses: (\S+)`)
	for _, name := range workflows {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range uses.FindAllStringSubmatch(string(source), -1) {
			if m[1] != "./" && !pinned.MatchString(m[1]) {
				t.Errorf("%s: %s is not pinned by its full hash", name, m[1])
			}
		}
		if filepath.Base(name) == "bench.yml" {
			root, err := parseYAML(string(source))
			if err != nil {
				t.Fatal(err)
			}
			inputs, err := gateInputs(root)
			if err != nil {
				t.Fatal(err)
			}
			for input := range inputs {
				if _, ok := a.inputs[input]; !ok {
					t.Errorf("%s: action.yml has no input %s", name, input)
				}
			}
		}
	}
}

// The example in the documentation has inputs that there are.
func TestDocumentedInputs(t *testing.T) {
	a, err := readAction(top)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(top, "docs", "gate.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(string(doc), -1)
	if len(examples) == 0 {
		t.Fatal("docs/gate.md has no example in YAML")
	}
	for _, example := range examples {
		root, err := parseYAML(example[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range root.list {
			if !strings.HasPrefix(step.get("uses").text, "assaykit/assay@") || len(step.get("with").keys) == 0 {
				t.Errorf("line %d of the example does not use the action with inputs", step.line)
			}
			for _, input := range step.get("with").keys {
				if _, ok := a.inputs[input]; !ok {
					t.Errorf("action.yml has no input %s", input)
				}
			}
		}
	}
}

// What is planted in the kernel for the rehearsal can be planted.
func TestSlower(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(kernelFile)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slower(string(source)); err != nil {
		t.Error(err)
	}
	if _, err := slower("package kernel"); err == nil {
		t.Error("nothing to slow down is accepted")
	}
}

// A scene fails for each thing that is not as it must be, and quotes what the action printed.
func TestScene(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kept"), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	o := &outcome{exit: 1, output: "one two", summary: "three", uploaded: dir}
	good := scene{exit: 1, prints: []string{"two", "three"}, not: []string{"four"}, keeps: []string{"kept"}}
	if err := good.holds(o); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]scene{
		"status": {exit: 0}, "missing": {exit: 1, prints: []string{"four"}}, "present": {exit: 1, not: []string{"three"}}, "no file": {exit: 1, keeps: []string{"base.txt"}},
	} {
		if err := bad.holds(o); !errors.Is(err, errOutcome) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var b strings.Builder
	q := &quoting{w: &b}
	for _, s := range []string{"::err", "or::x\n", "::warning::y\n"} {
		if _, err := io.WriteString(q, s); err != nil {
			t.Fatal(err)
		}
	}
	if want := "| ::error::x\n| ::warning::y\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// Each check of an action can fail.
func TestParseActionRefuses(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(top, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"interpolated", `bash "$GITHUB_ACTION_PATH/.github/gate.sh"`, `bash gate.sh ${{ inputs.bench }}`, "an expression inside a script"},
		{"by tag", "@ea165f8d65b6e75b540449e92b4886f43607fa02", "@v4", "not pinned"},
		{"undeclared", "${{ inputs.bench }}", "${{ inputs.benches }}", "the input benches is not declared"},
		{"unused", "ASSAY_BENCH: ${{ inputs.bench }}", "ASSAY_BENCH: x", "input bench is not used"},
		{"unknown step", "${{ steps.base.outputs.commit }}", "${{ steps.bases.outputs.commit }}", "no step before this one has the id bases"},
		{"no shell", "shell: bash", "shell: sh", "the shell"},
		{"secrets", "${{ inputs.flags }}", "${{ inputs.flags || secrets.X }}", "no secrets"},
		{"no description", "description: the module's directory", "required: false", "input directory: no description"},
		{"run and uses", "run: bash", "uses: a/b@0123456789012345678901234567890123456789\n      run: bash", "either run or uses"},
		{"several lines", `run: bash "$GITHUB_ACTION_PATH/.github/conformance.sh"`, "run: |\n        go test\n        go vet", "a string on one line"},
		{"not composite", "using: composite", "using: node20", "want composite"},
		{"a key twice", "  using: composite", "  using: composite\n  using: composite", "a second \"using\""},
		{"indentation", "  using: composite", "  using: composite\n     x: y", "mapping values are not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Replace(string(source), tt.old, tt.new, 1)
			if changed == string(source) {
				t.Fatalf("action.yml does not have %q", tt.old)
			}
			if _, err := parseAction(changed); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// The merge base is found from a checkout of any depth, for pull requests of branches and forks, and pushes.
func TestMergeBase(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	origin := repository(filepath.Join(dir, "origin"))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	hash := func(r repository, ref string) string {
		t.Helper()
		h, err := r.git(ctx, "rev-parse", ref)
		must(err)
		return h
	}
	add := func(file string, n int) {
		t.Helper()
		for i := range n {
			must(origin.commit(ctx, file, fmt.Sprint(i)))
		}
	}
	must(origin.initialize(ctx))
	add("main", 25)
	must(origin.all(ctx, "tag v1 HEAD~3", "branch fork", "checkout --quiet -b topic"))
	fork := hash(origin, "HEAD")
	add("topic", 5)
	must(origin.all(ctx, "checkout --quiet main"))
	add("main", 1)
	before := hash(origin, "HEAD")
	// What GitHub makes of a pull request. A fork's branch is not in the repository, only these refs are.
	must(origin.all(ctx, "checkout --quiet --detach main", "merge --quiet --no-ff topic", "update-ref refs/pull/1/merge HEAD", "update-ref refs/pull/1/head topic",
		"branch --quiet -D topic", "checkout --quiet main"))
	add("main", 1)
	// Two branches to which v1 is near and fork, the better ancestor, is far.
	for _, b := range []string{"one", "two"} {
		must(origin.all(ctx, "checkout --quiet -b far-"+b+" fork"))
		add("far-"+b, 12)
		must(origin.all(ctx, "checkout --quiet -b "+b+" v1"))
		add(b, 1)
		must(origin.all(ctx, "merge --quiet --no-ff far-"+b))
	}
	must(origin.all(ctx, "checkout --quiet --orphan other"))
	add("other", 1)
	tests := []struct {
		name, ref, base, before, event string
		depth                          []string
		want                           string
	}{
		{"pull request", "refs/pull/1/merge", "", "", "main", nil, before},
		{"pull request, the branch itself", "refs/pull/1/head", "", "", "main", nil, fork},
		{"complete clone", "refs/pull/1/head", "", "", "main", []string{"--tags"}, fork},
		{"deeper clone", "refs/pull/1/head", "", "", "main", []string{"--depth=3"}, fork},
		{"named branch", "refs/pull/1/head", "fork", "", "main", nil, fork},
		{"named as the clone has it", "refs/pull/1/head", "origin/fork", "", "main", nil, fork},
		{"tag", "refs/pull/1/head", "v1", "", "main", nil, hash(origin, "v1")},
		{"hash", "refs/pull/1/head", before, "", "main", nil, fork},
		{"near ancestors", "refs/heads/one", "two", "", "main", nil, fork},
		{"push", "refs/heads/main", "", before, "", nil, before},
		{"push of a new branch", "refs/heads/main", "", strings.Repeat("0", 40), "", nil, ""},
		{"neither", "refs/heads/main", "", "", "", nil, ""},
		{"unknown", "refs/heads/main", "gone", "", "main", nil, ""},
		{"an option", "refs/heads/main", "--upload-pack=touch evil", "", "main", nil, ""},
		{"unrelated", "refs/heads/main", "other", "", "main", nil, ""},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clone, err := origin.checkout(ctx, tt.ref, filepath.Join(dir, fmt.Sprintf("clone-%d", i)), tt.depth...)
			must(err)
			shallow, head := hash(clone, "--is-shallow-repository"), hash(clone, "HEAD")
			output := filepath.Join(dir, fmt.Sprintf("output-%d", i))
			script, err := filepath.Abs(filepath.Join(top, ".github", "merge-base.sh"))
			must(err)
			cmd := exec.Command("bash", script)
			cmd.Dir = string(clone)
			cmd.Env = append(clean(os.Environ()), "ASSAY_BASE="+tt.base, "ASSAY_BEFORE="+tt.before, "GITHUB_BASE_REF="+tt.event, "GITHUB_OUTPUT="+output)
			printed, err := cmd.CombinedOutput()
			if tt.want == "" {
				if err == nil || !strings.Contains(string(printed), "::error title=assay::") {
					t.Errorf("got %v:\n%s", err, printed)
				}
				return
			}
			got, _ := os.ReadFile(output)
			if err != nil || string(got) != "commit="+tt.want+"\n" {
				t.Errorf("got %s, want %s; %v:\n%s", got, tt.want, err, printed)
			}
			if shallow == "false" && hash(clone, "--is-shallow-repository") != shallow {
				t.Error("the complete clone is shallow now")
			}
			if hash(clone, "HEAD") != head {
				t.Error("HEAD moved")
			}
			if all := hash(clone, "--is-shallow-repository"); all == "false" && tt.name == "pull request" {
				t.Error("everything was fetched")
			}
		})
	}
}

// gate.sh passes the exit status on where that is required, and in any case where nothing was judged.
func TestGateStatus(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for assay is a script")
	}
	tests := []struct {
		name     string
		status   int
		report   bool
		required string
		want     int
		says     string
	}{
		{"holds", 0, true, "true", 0, ""},
		{"holds, advisory", 0, true, "false", 0, ""},
		{"regression", 1, true, "true", 1, ""},
		{"regression, advisory", 1, true, "false", 0, "::warning title=assay gate::exit status 1"},
		{"inconclusive", 2, true, "true", 2, ""},
		{"inconclusive, advisory", 2, true, "false", 0, "::warning title=assay gate::exit status 2"},
		{"not judged", 2, false, "true", 2, ""},
		{"not judged, advisory", 2, false, "false", 2, ""},
		{"no report", 0, false, "false", 2, ""},
		{"neither true nor false", 0, true, "yes", 2, "neither true nor false"},
	}
	script, err := filepath.Abs(filepath.Join(top, ".github", "gate.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			temp := t.TempDir()
			bin, output, summary := filepath.Join(temp, "assay", "bin"), filepath.Join(temp, "output"), filepath.Join(temp, "summary")
			if err := os.MkdirAll(bin, 0o777); err != nil {
				t.Fatal(err)
			}
			stub := "#!/bin/sh\nprintf '%s\\n' \"$@\"\necho '::error file=f::slower' >&2\n"
			if tt.report {
				stub += `mkdir -p "$5"; echo '{}' > "$5/report.json"; echo the report > "$5/report.md"` + "\n"
			}
			stub += fmt.Sprintf("exit %d\n", tt.status)
			if err := os.WriteFile(filepath.Join(bin, "assay"), []byte(stub), 0o777); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("bash", script)
			cmd.Dir = temp
			cmd.Env = append(clean(os.Environ()), "RUNNER_TEMP="+temp, "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+summary, "ASSAY_COMMIT=abc",
				"ASSAY_PACKAGES=./a ./b/...", "ASSAY_BENCH=A|B c", "ASSAY_BUDGET=1m", "ASSAY_REQUIRE_RESOLUTION=5%", "ASSAY_REQUIRED="+tt.required,
				"ASSAY_FLAGS=--tags x,y --allow-removed *")
			printed, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != tt.want || !strings.Contains(string(printed), tt.says) {
				t.Fatalf("exit %d, want %d and %q; %v\n%s", code, tt.want, tt.says, err, printed)
			}
			if tt.required == "yes" {
				return
			}
			level := map[string]string{"true": "error", "false": "warning"}[tt.required]
			if !strings.Contains(string(printed), "\n::"+level+" file=f::slower\n") {
				t.Errorf("want the annotation as a %s:\n%s", level, printed)
			}
			want := strings.Join([]string{"gate", "--base", "abc", "--samples", filepath.Join(temp, "assay", "report"), "--budget", "1m", "--bench", "A|B c",
				"--require-resolution", "5%", "--tags", "x,y", "--allow-removed", "*", "--", "./a", "./b/..."}, "\n") + "\n"
			if !strings.HasPrefix(string(printed), want) {
				t.Errorf("assay got\n%s\nwant\n%s", printed, want)
			}
			if got, _ := os.ReadFile(output); string(got) != fmt.Sprintf("status=%d\n", tt.status) {
				t.Errorf("outputs: %s", got)
			}
			if got, _ := os.ReadFile(summary); strings.Contains(string(got), "the report") != tt.report || len(got) == 0 {
				t.Errorf("summary: %s", got)
			}
		})
	}
}

// The runner of the rehearsal does with steps what GitHub's does.
func TestRunner(t *testing.T) {
	a, err := parseAction(`inputs:
  name:
    description: x
    default: default
runs:
  using: composite
  steps:
    - id: a
      run: echo "value=$NAME" >> "$GITHUB_OUTPUT"; echo told >> "$GITHUB_STEP_SUMMARY"; pwd
      shell: bash
      env:
        NAME: ${{ inputs.name }}
    - if: steps.a.outputs.none != ''
      run: echo never
      shell: bash
    - id: b
      run: 'echo "got $VALUE $EVENT." ; false | true; echo never'
      shell: bash
      env:
        VALUE: ${{ steps.a.outputs.value }}
        EVENT: ${{ github.event.none || github.event.before }}
    - run: echo never
      shell: bash
    - if: always() && steps.a.outputs.value != ''
      uses: a/b@0123456789012345678901234567890123456789
      with:
        path: ${{ runner.temp }}/x
`)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := &runner{action: a, workspace: dir, temp: filepath.Join(dir, "temp"), context: map[string]string{"github.event.before": "b4"}, log: io.Discard}
	o, err := r.run(context.Background(), map[string]string{"name": "$(touch x) y"})
	if err != nil {
		t.Fatal(err)
	}
	if o.exit != 1 || !strings.HasSuffix(o.output, "got $(touch x) y b4.\n") || o.summary != "told\n" || o.uploaded != filepath.Join(dir, "temp")+"/x" {
		t.Errorf("got %+v", o)
	}
	if _, err := r.run(context.Background(), map[string]string{"other": ""}); err == nil {
		t.Error("an input that is not declared is accepted")
	}
}

// The conformance step passes where the tests pass and the suite's own record of them holds, and only there.
func TestConformanceScript(t *testing.T) {
	script, err := filepath.Abs(filepath.Join(top, ".github", "conformance.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, input         string
		tests, record, want int // exit statuses
		says                string
	}{
		{"passes", "-run ^TestX ./a ./...", 0, 0, 0, "verdict of "},
		{"fails", "./a", 1, 1, 1, "verdict of "},
		{"fails beside the suite", "./a", 1, 0, 1, "verdict of "},
		{"does not build", "./a", 1, 2, 1, "not judged to its end"},
		{"passes, and its cases failed", "./a", 0, 1, 1, "verdict of "},
		{"passes, and did not come to its end", "./a", 0, 2, 2, "not judged to its end"},
		{"a quote", "-run '^TestX$' ./a", 0, 0, 2, "has a quote"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			temp := t.TempDir()
			bin, record := filepath.Join(temp, "assay", "bin"), filepath.Join(temp, "assay", "record.jsonl")
			if err := os.MkdirAll(bin, 0o777); err != nil {
				t.Fatal(err)
			}
			for name, stub := range map[string]string{
				record:                      "of an earlier run",
				filepath.Join(temp, "go"):   fmt.Sprintf("#!/bin/sh\necho \"$@\" > args\necho of this run >> \"$ASSAY_RECORD\"\nexit %d\n", tt.tests),
				filepath.Join(bin, "assay"): fmt.Sprintf("#!/bin/sh\necho \"verdict of $1 $(cat \"$2\")\"\nexit %d\n", tt.record),
			} {
				if err := os.WriteFile(name, []byte(stub), 0o777); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("bash", script)
			cmd.Dir = temp
			cmd.Env = append(clean(os.Environ()), "RUNNER_TEMP="+temp, "ASSAY_CONFORMANCE="+tt.input, "PATH="+temp+string(filepath.ListSeparator)+os.Getenv("PATH"))
			printed, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != tt.want || !strings.Contains(string(printed), tt.says) {
				t.Fatalf("exit %d, want %d and %q; %v\n%s", code, tt.want, tt.says, err, printed)
			}
			if strings.Contains(tt.input, "'") {
				return
			}
			if !strings.Contains(string(printed), "verdict of record of this run\n") {
				t.Errorf("the record is not that of this run:\n%s", printed)
			}
			if args, _ := os.ReadFile(filepath.Join(temp, "args")); string(args) != "test -count=1 "+tt.input+"\n" {
				t.Errorf("go got %s", args)
			}
		})
	}
}
