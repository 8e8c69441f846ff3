package main

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	err = o.do(s, all, &b, io.Discard, func(done, _ int) { finished = max(finished, done) })
	return finished, b.String(), err
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

func TestCheckOfSomeFindsWhatChanged(t *testing.T) {
	files := generateLittle(t)
	softmax := options{checking: true, choice: choice{ops: list{"softmax"}}}
	second := options{checking: true, choice: choice{cases: list{"softmax/second"}}}
	swap := func(name string) func(string) error { // the file as it is where x is drawn otherwise
		return func(dir string) error {
			s, all := little()
			all[0].cases[1].src = args{"x": normal(2, 2, 3).set(nan, 2)}
			changed, err := generate(s, all[:1], nil, quiet)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, name), changed[name], 0o666)
		}
	}
	for _, tt := range []struct {
		name                string
		edit                func(dir string) error
		ofSoftmax, ofSecond string // what the message must hold; empty where there must be none
	}{
		{"nothing", func(string) error { return nil }, "", ""},
		{"a comment", replaceIn("softmax.json", "Another.", "Different."), "case softmax/second", "softmax.json: case softmax/second"},
		{"a comment of another case", replaceIn("softmax.json", "A case.", "B case."), "case softmax/first", ""},
		{"the case's id", replaceIn("softmax.json", "softmax/second", "softmax/zecond"), "softmax.json", "case softmax/second is missing"},
		{"a flag", replaceIn("softmax.json", "rows are confused", "rows are lost"), "softmax.json: line", ""},
		{"the tensors of the case", swap("softmax.safetensors"), "second/0/", "softmax.safetensors: tensor second/0/"},
		{"a cut file", func(dir string) error { return os.Truncate(filepath.Join(dir, "softmax.safetensors"), 100) }, "softmax.safetensors", "softmax.safetensors"},
		{"no text", func(dir string) error { return os.WriteFile(filepath.Join(dir, "softmax.json"), nil, 0o666) }, "softmax.json", "softmax.json"},
		{"a missing file", func(dir string) error { return os.Remove(filepath.Join(dir, "softmax.safetensors")) }, "softmax.safetensors is missing",
			"softmax.safetensors is missing"},
		{"the manifest", replaceIn(vector.ManifestName, vector.Entry(files["softmax.json"]).SHA256, strings.Repeat("0", 64)), "does not list softmax.json as it is", ""},
		{"another op", func(dir string) error { return os.Remove(filepath.Join(dir, "ffn.json")) }, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, s, all := watched(t)
			if err := tt.edit(dir); err != nil {
				t.Fatal(err)
			}
			for want, o := range map[*string]options{&tt.ofSoftmax: softmax, &tt.ofSecond: second} {
				o.dir = dir
				_, _, err := do(o, s, all)
				switch {
				case *want == "" && err != nil:
					t.Errorf("%+v: got error %v, want none", o.choice, err)
				case *want != "" && (exitStatus(err) != 1 || !strings.Contains(err.Error(), *want) || !strings.Contains(err.Error(), "-op softmax`")):
					t.Errorf("%+v: got error %v, want a difference that says %q, and what to run", o.choice, err, *want)
				}
			}
		})
	}
}

func TestWriteOfSome(t *testing.T) {
	dir, s, all := watched(t)
	for _, name := range []string{"softmax.json", "softmax.safetensors"} { // what is to be replaced may be damaged
		if err := os.Truncate(filepath.Join(dir, name), 10); err != nil {
			t.Fatal(err)
		}
	}
	s.clauses = append(s.clauses, "SM-2")
	all[0].cases = append(slices.Clone(all[0].cases), testCase{name: "third", comment: "A third.", clauses: "SM-2", src: args{"x": normal(1, 4)}})
	all = append(all, family{op: "relu", cases: []testCase{{name: "new", comment: "Of an op without files.", clauses: "SM-1", src: args{"x": normal(1, 4)}}}})
	if _, _, err := do(options{dir: dir, choice: choice{ops: list{"softmax", "relu"}}}, s, all); err != nil {
		t.Fatal(err)
	}
	all[1].cases[0].prepare = nil
	want, err := generate(s, all, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(dir, want, true); err != nil {
		t.Errorf("the directory is not what a whole run writes: %v", err)
	}
}

func TestWriteOfSomeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(dir string) error
		want string
	}{
		"no manifest":             {func(dir string) error { return os.Remove(filepath.Join(dir, vector.ManifestName)) }, vector.ManifestName},
		"a manifest of no JSON":   {func(dir string) error { return os.Truncate(filepath.Join(dir, vector.ManifestName), 20) }, vector.ManifestName},
		"another generator":       {replaceIn(vector.ManifestName, version, "gengolden 0"), "is of gengolden 0"},
		"another schema":          {replaceIn(vector.SchemaName, "One sentence", "One Sentence"), "schema.json is not the generator's"},
		"another op is altered":   {replaceIn("ffn.json", `"comment":"`, `"comment":"B`), "ffn.json"},
		"another op is half gone": {func(dir string) error { return os.Remove(filepath.Join(dir, "ffn.safetensors")) }, "ffn.safetensors"},
		"a file of no op":         {func(dir string) error { return os.WriteFile(filepath.Join(dir, "old.json"), []byte("{}"), 0o666) }, "old.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, s, all := watched(t)
			if err := tt.edit(dir); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, dir)
			all[0].cases[0].comment = "A comment that is new."
			_, _, err := do(options{dir: dir, choice: choice{ops: list{"softmax"}}}, s, all)
			if exitStatus(err) != 2 || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "run gengolden without -op") {
				t.Errorf("got error %v, want one that says %q, and what to run", err, tt.want)
			}
			if !maps.Equal(snapshot(t, dir), before) {
				t.Error("something was written")
			}
		})
	}
	dir, s, all := watched(t)
	s.clauses = []string{"SM-2"} // ffn's clause is gone
	all[0].cases = []testCase{{name: "first", comment: "A case.", clauses: "SM-2", flags: "rows", src: args{"x": normal(2, 2, 3)}}}
	_, _, err := do(options{dir: dir, choice: choice{ops: list{"softmax"}}}, s, all)
	if err == nil || !strings.Contains(err.Error(), "clause SM-1 is not in the specification") {
		t.Errorf("another op cites a clause that is gone: got error %v", err)
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
