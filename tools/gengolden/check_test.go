package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

func TestCheckFindsWhatChanged(t *testing.T) {
	files := generateLittle(t)
	tensors, err := vector.DecodeSafetensors(files["softmax.safetensors"])
	if err != nil {
		t.Fatal(err)
	}
	const key = "first/0/y"
	edited := func(f func(want []float64)) func(string) error {
		return func(dir string) error {
			changed := map[string]op.Tensor{}
			for k, v := range tensors {
				changed[k] = v
			}
			y := op.New(op.F64, tensors[key].Shape...)
			copy(y.F64, tensors[key].F64)
			f(y.F64)
			changed[key] = y
			data, err := vector.EncodeSafetensors(changed)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "softmax.safetensors"), data, 0o666)
		}
	}
	for _, c := range []struct {
		name         string
		edit         func(dir string) error
		exactly      []string // what the message must hold; nil where there must be none
		withinULPs   []string
		isDifference bool
	}{
		{"nothing", func(string) error { return nil }, nil, nil, false},
		{"a value by one ulp", edited(func(y []float64) { y[4] = math.Nextafter(y[4], 2) }), []string{"softmax.safetensors", key, "element 4"}, nil, true},
		{"a value", edited(func(y []float64) { y[4] *= 1 + 1e-9 }), []string{"softmax.safetensors", key, "element 4"},
			[]string{"softmax.safetensors", key, "element 4"}, true},
		{"a comment", replaceIn("softmax.json", "Another.", "Different."), []string{"softmax.json", "case softmax/second:"},
			[]string{"softmax.json", "case softmax/second:"}, true},
		{"a byte of the schema", replaceIn(vector.SchemaName, "One sentence", "One Sentence"), []string{vector.SchemaName}, []string{vector.SchemaName}, true},
		{"the manifest", replaceIn(vector.ManifestName, `"cases": 3`, `"cases": 4`), []string{vector.ManifestName}, nil, true},
		{"a missing file", func(dir string) error { return os.Remove(filepath.Join(dir, "ffn.json")) }, []string{"ffn.json is missing"},
			[]string{"ffn.json is missing"}, true},
		{"a stale file", func(dir string) error { return os.WriteFile(filepath.Join(dir, "old.json"), nil, 0o666) }, []string{"old.json"},
			[]string{"old.json"}, true},
		{"a cut file", func(dir string) error { return os.Truncate(filepath.Join(dir, "softmax.safetensors"), 100) }, []string{"softmax.safetensors"},
			[]string{"softmax.safetensors"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := write(dir, files); err != nil {
				t.Fatal(err)
			}
			if err := c.edit(dir); err != nil {
				t.Fatal(err)
			}
			for exactly, want := range map[bool][]string{true: c.exactly, false: c.withinULPs} {
				err := check(dir, files, exactly)
				if (err != nil) != (want != nil) {
					t.Fatalf("exactly %v: got error %v, want one that holds %q", exactly, err, want)
				}
				if err != nil && exitStatus(err) != 1 {
					t.Errorf("exit status %d, want 1", exitStatus(err))
				}
				for _, part := range want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error %q does not name %q", err, part)
					}
				}
			}
		})
	}
	if err := check(filepath.Join(t.TempDir(), "nowhere"), files, true); exitStatus(err) != 2 {
		t.Errorf("a directory that is not there: error %v, want exit status 2", err)
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

func replaceIn(name, old, new string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		changed := bytes.Replace(data, []byte(old), []byte(new), 1)
		if bytes.Equal(changed, data) {
			return os.ErrNotExist
		}
		return os.WriteFile(path, changed, 0o666)
	}
}
