package main

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/assaykit/assay/conformance/vector"
)

// opsOf names the ops of families.
func opsOf(fams []family) string {
	var names []string
	for _, f := range fams {
		names = append(names, f.op)
	}
	return strings.Join(names, " ")
}

func TestChoice(t *testing.T) {
	_, all := little()
	for _, tt := range []struct {
		arguments string
		want      string // the ops, or after "!" a part of the error
	}{
		{"", "softmax ffn"},
		{"-op softmax", "softmax"},
		{"-op *", "softmax ffn"},
		{"-op s*x", "softmax"},
		{"-op ffn -op softmax", "softmax ffn"},
		{"-op ffn,softmax", "softmax ffn"},
		{"-case softmax/second", "softmax"},
		{"-op f* -case softmax/second", "!no such case among the chosen ops: the nearest is ffn/"},
		{"-op sofmax*", "!-op sofmax* matches no op: the nearest is softmax"},
		{"-op ffn -op nothing", "!-op nothing matches no op"},
		{"-op [", "!syntax error in pattern"},
		{"-case softmax/secnd", "!-case softmax/secnd: no such case among the chosen ops: the nearest is softmax/second"},
		{"-case second", "!the nearest is softmax/second"},
	} {
		var c choice
		fields := strings.Fields(tt.arguments)
		for i := 0; i < len(fields); i += 2 {
			if err := map[string]*list{"-op": &c.ops, "-case": &c.cases}[fields[i]].Set(fields[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		fams, err := c.of(all)
		want, fails := strings.CutPrefix(tt.want, "!")
		switch {
		case fails && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got error %v, want one that says %q", tt.arguments, err, want)
		case !fails && (err != nil || opsOf(fams) != want):
			t.Errorf("%s: got %s, error %v, want %s", tt.arguments, opsOf(fams), err, want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"gelu", "gelu", 0}, {"gelu", "relu", 1}, {"", "sgd", 3}, {"adam", "", 4}, {"greedy", "gredy", 1}, {"mha", "ffn", 3}, {"kitten", "sitting", 3}} {
		if got := edits(tt.a, tt.b); got != tt.want {
			t.Errorf("%q becomes %q in %d edits, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// watched is the little set in a directory, with a case that fails the test if ffn is computed.
func watched(t *testing.T) (dir string, s spec, all []family) {
	t.Helper()
	dir = t.TempDir()
	if err := write(dir, generateLittle(t)); err != nil {
		t.Fatal(err)
	}
	s, all = little()
	all[1].cases[0].clauses, all[1].cases[0].flags = "SM-1", ""
	all[1].cases[0].prepare = func(*testCase) error {
		t.Error("ffn is computed, and was not chosen")
		return nil
	}
	return dir, s, all
}

// do runs the generator for what the arguments choose and counts the cases that it finished.
func do(o options, s spec, all []family) (finished int, out string, err error) {
	var b bytes.Buffer
	var count atomic.Int64 // of calls: cases finish on several processors
	err = o.do(s, all, &b, io.Discard, func(int, int) { count.Add(1) })
	return int(count.Load()), b.String(), err
}

// snapshot holds the files of a directory.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

func TestOnlyWhatIsChosenIsComputed(t *testing.T) {
	dir, s, all := watched(t)
	before := snapshot(t, dir)
	for _, tt := range []struct {
		name     string
		o        options
		finished int
	}{
		{"check of an op", options{checking: true, choice: choice{ops: list{"softmax"}}}, 2},
		{"check of a case", options{checking: true, choice: choice{cases: list{"softmax/second"}}}, 1},
		{"report of a case", options{choice: choice{cases: list{"softmax/first"}}}, 1},
		{"an op is written", options{choice: choice{ops: list{"soft*"}}}, 2},
	} {
		tt.o.dir = dir
		finished, out, err := do(tt.o, s, all)
		if err != nil || finished != tt.finished {
			t.Errorf("%s: %d cases were computed, want %d; error %v", tt.name, finished, tt.finished, err)
		}
		if got := snapshot(t, dir); !maps.Equal(got, before) {
			t.Errorf("%s: the directory is not what it was", tt.name)
		}
		if isReport := strings.Contains(out, "softmax/first is admitted") && strings.Contains(out, "Nothing is written"); isReport != (tt.name == "report of a case") {
			t.Errorf("%s: printed %q", tt.name, out)
		}
	}
}

// A case that cannot be judged is named by every way to choose it, and nothing is written.
func TestBadCaseIsNamed(t *testing.T) {
	dir, s, all := watched(t)
	s.clauses = append(s.clauses, "SM-9")
	all[0].cases = append(slices.Clone(all[0].cases), testCase{name: "bad", comment: "A case.", clauses: "SM-9", src: args{"x": normal(2, 2, 3), "z": normal(1, 2)}})
	before := snapshot(t, dir)
	for name, o := range map[string]options{
		"an op": {choice: choice{ops: list{"softmax"}}}, "a check of an op": {checking: true, choice: choice{ops: list{"softmax"}}},
		"a case": {choice: choice{cases: list{"softmax/bad"}}}, "a check of a case": {checking: true, choice: choice{cases: list{"softmax/bad"}}},
	} {
		o.dir = dir
		if _, _, err := do(o, s, all); err == nil || !strings.Contains(err.Error(), "softmax/bad") || exitStatus(err) != 2 {
			t.Errorf("%s: got error %v, want one that names softmax/bad", name, err)
		}
	}
	for name, edit := range map[string]func(){
		"clause SM-99 is not":           func() { all[0].cases[2].clauses = "SM-99" },
		"no case carries the flag rows": func() { all[0].cases[0].flags, all[0].cases[1].flags = "", "" },
	} {
		_, all = little()
		all[0].cases = append(slices.Clone(all[0].cases), all[0].cases[0])
		all[0].cases[2].name, all[0].cases[2].flags = "third", ""
		edit()
		for _, c := range []choice{{ops: list{"softmax"}}, {cases: list{"softmax/first"}}} {
			finished, _, err := do(options{dir: dir, checking: true, choice: c}, s, all)
			if err == nil || !strings.Contains(err.Error(), name) || finished > 0 {
				t.Errorf("%v: got error %v after %d cases, want one that says %q", c, err, finished, name)
			}
		}
	}
	if !maps.Equal(snapshot(t, dir), before) {
		t.Error("something was written")
	}
}

func TestReport(t *testing.T) {
	dir, s, all := watched(t)
	all[0].op, all[0].flags = "embedding", nil
	all[0].cases = []testCase{
		{name: "nan", comment: "A case.", clauses: "SM-1", consts: args{"table": normal(1, 3, 2).set(nan, 0)}, src: args{"ids": ids(0, 1)}, compare: vector.Exact},
		{name: "range", comment: "A case.", clauses: "SM-1", consts: args{"table": normal(1, 3, 2)}, src: args{"ids": ids(3)}, err: "index"},
	}
	_, out, err := do(options{dir: dir, choice: choice{cases: list{"embedding/nan", "embedding/range"}}}, s, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"embedding/nan is admitted, compare exact\n  step 0: y [2 2]: 4 stored, 1 of them not finite, wanted ",
		"embedding/range is admitted, compare bound\n  step 0: an error about the index\n", "Nothing is written"} {
		if !strings.Contains(out, part) {
			t.Errorf("the report is %q: it lacks %q", out, part)
		}
	}
}
