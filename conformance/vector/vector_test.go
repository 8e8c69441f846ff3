package vector_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// sample is a file with one of everything: constants, a recipe, an absent tensor, two steps, a sampled result, an expected error.
func sample() *vector.File {
	return &vector.File{
		Format: vector.FormatVersion,
		Op:     "linear",
		Flags:  []vector.Flag{{Name: "bias", Bug: "forgets the bias", See: "https://example.com/1"}},
		Cases: []*vector.Case{{
			ID:      "linear/two-steps",
			Comment: "a comment with <angle> & ampersand",
			Clauses: []string{"LIN-1"},
			Flags:   []string{"bias"},
			Attrs:   json.RawMessage("{}"),
			Compare: vector.Bound,
			Const: []vector.Input{
				{Name: "w", DType: op.F32, Type: "F32", Shape: []int{2, 3}, Recipe: &vector.Recipe{Kind: "sum4", Seed: 7, Scale: 0.5}},
				{Name: "b", DType: op.F32, Type: "F32", Shape: []int{3}, Data: op.Float32([]float32{1, -2, float32(math.Inf(1))}, 3)},
			},
			Steps: []vector.Step{
				{
					Src: []vector.Input{{Name: "x", DType: op.F32, Type: "F32", Shape: []int{1, 2}, Data: op.Float32([]float32{3, 4}, 1, 2)}},
					Dst: []vector.Expect{{Name: "y", Shape: []int{1, 3}, Eta: 2, Want: []float64{1, math.Pi, math.Inf(-1)}, Acc: []float64{0, 1, 2}, In: []float64{3, 4, 5}}},
				},
				{
					Src: []vector.Input{{Name: "x", DType: op.F32, Type: "F32", Shape: []int{1, 2}, Data: op.Float32([]float32{5, 6}, 1, 2)}},
					Dst: []vector.Expect{{Name: "y", Shape: []int{1, 3}, Sampled: true, Index: []int64{0, 2}, Want: []float64{1, 2}, Acc: []float64{0.5, 1}, In: []float64{1, 2}}},
				},
			},
		}, {
			ID:      "linear/rejects",
			Comment: "an error",
			Clauses: []string{"LIN-2"},
			Attrs:   json.RawMessage("{}"),
			Compare: vector.Exact,
			Const: []vector.Input{
				{Name: "w", DType: op.F32, Type: "F32", Shape: []int{1, 1}, Data: op.Float32([]float32{1}, 1, 1)},
				{Name: "b"},
			},
			Steps: []vector.Step{{Src: []vector.Input{{Name: "x", DType: op.F32, Type: "F32", Shape: []int{3}, Data: op.Float32([]float32{1, 2, 3}, 3)}}, Error: "shape"}},
		}},
	}
}

// directory returns the files of a set that holds f.
func directory(t testing.TB, f *vector.File) fstest.MapFS {
	t.Helper()
	meta, tensors, err := vector.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	m := vector.Manifest{Format: vector.FormatVersion, Spec: "1", Generator: "test", Cases: len(f.Cases), Clauses: []string{"LIN-1", "LIN-2"},
		Files: map[string]vector.FileEntry{"linear.json": vector.Entry(meta), "linear.safetensors": vector.Entry(tensors)}}
	manifest, err := vector.EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"linear.json":        {Data: meta},
		"linear.safetensors": {Data: tensors},
		"MANIFEST.json":      {Data: manifest},
	}
}

func TestRoundTrip(t *testing.T) {
	set, err := vector.Load(directory(t, sample()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*vector.File{sample()}, set.Files); diff != "" {
		t.Errorf("read back (-written +read):\n%s", diff)
	}
}

func TestGaugesAreRoundedUp(t *testing.T) {
	f := sample()
	f.Cases[0].Steps[0].Dst[0].Acc[1] = 0.1 // not a float32
	set, err := vector.Load(directory(t, f))
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Files[0].Cases[0].Steps[0].Dst[0].Acc[1]; got < 0.1 || got > 0.1000001 {
		t.Errorf("gauge 0.1 came back as %v", got)
	}
}

// Every way in which a set can be broken must be refused by name.
func TestLoadRefuses(t *testing.T) {
	edit := func(name string, f func([]byte) []byte) func(fstest.MapFS) {
		return func(m fstest.MapFS) { m[name].Data = f(slices.Clone(m[name].Data)) }
	}
	// sealed edits a file and then mends the manifest, so that only the contents can give the edit away.
	sealed := func(name string, f func([]byte) []byte) func(fstest.MapFS) {
		return func(m fstest.MapFS) {
			edit(name, f)(m)
			var man vector.Manifest
			if err := json.Unmarshal(m["MANIFEST.json"].Data, &man); err != nil {
				t.Fatal(err)
			}
			man.Files[name] = vector.Entry(m[name].Data)
			m["MANIFEST.json"].Data, _ = vector.EncodeManifest(man)
		}
	}
	// resealed edits the manifest and gives it the digest of what it is then.
	resealed := func(f func([]byte) []byte) func(fstest.MapFS) {
		return func(m fstest.MapFS) {
			var man vector.Manifest
			edit("MANIFEST.json", f)(m)
			text := m["MANIFEST.json"].Data
			if err := json.Unmarshal(text, &man); err != nil {
				t.Fatal(err)
			}
			text = bytes.ReplaceAll(text, []byte(man.SHA256), []byte(strings.Repeat("0", 64)))
			m["MANIFEST.json"].Data = bytes.ReplaceAll(text, []byte(strings.Repeat("0", 64)), []byte(vector.Entry(text).SHA256))
		}
	}
	replace := func(old, with string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("%q is not in the file", old)
			}
			return bytes.Replace(b, []byte(old), []byte(with), 1)
		}
	}
	truncate := func(b []byte) []byte { return b[:len(b)-1] }
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	tests := []struct {
		name    string
		corrupt func(fstest.MapFS)
		want    string
	}{
		{"no manifest", func(m fstest.MapFS) { delete(m, "MANIFEST.json") }, "MANIFEST.json"},
		{"manifest is not JSON", edit("MANIFEST.json", truncate), "MANIFEST.json"},
		{"manifest with an unknown field", resealed(replace(`"spec"`, `"speck"`)), "speck"},
		{"later format", resealed(replace(`"format": 1`, `"format": 2`)), "this program reads format 1"},
		{"manifest without a digest", edit("MANIFEST.json", func(b []byte) []byte { return append(b[:bytes.LastIndex(b, []byte(","))], '}') }), "export the vectors again"},
		{"no files at all", resealed(func(b []byte) []byte {
			return regexp.MustCompile(`(?s)"files": \{.*?\n \}`).ReplaceAll(b, []byte(`"files": {}`))
		}), "linear.json: is not listed"},
		{"wrong count", resealed(replace(`"cases": 2`, `"cases": 3`)), "counts 3 cases, the files hold 2"},
		{"path that leaves the directory", resealed(replace(`"linear.json"`, `"../linear.json"`)), "linear.json"},
		{"clause gone", resealed(replace(`"LIN-1",`, ``)), "clause LIN-1 is not among those of MANIFEST.json"},
		{"no clauses", resealed(func(b []byte) []byte {
			return regexp.MustCompile(`(?s)"clauses": \[.*?\]`).ReplaceAll(b, []byte(`"clauses": []`))
		}), "none of its clauses"},
		{"clause twice", resealed(replace(`"LIN-1",`, `"LIN-1", "LIN-1",`)), "lists clause LIN-1 twice"},
		{"no spec", resealed(replace(`"spec": "1"`, `"spec": ""`)), "names no spec"},
		{"member of the manifest twice", resealed(replace(`"format": 1`, `"format": 2, "format": 1`)), `"format" is there twice`},
		{"member in other letter case", resealed(replace(`"spec"`, `"SPEC"`)), `unknown "SPEC"`},
		{"negative size", resealed(replace(`"bytes": `, `"bytes": -`)), "bytes"},
		{"sizes beyond any set", resealed(replace(`"bytes": `, `"bytes": 999999999`)), "more than 134217728 bytes"},
		{"sealed: member of a case twice", sealed("linear.json", replace(`"compare":"bound"`, `"compare":"exact","compare":"bound"`)), `"compare" is there twice`},
		{"sealed: attribute twice", sealed("linear.json", replace(`"attrs":{}`, `"attrs":{"a":1,"a":1}`)), `"a" is there twice`},
		{"sealed: unknown attribute", sealed("linear.json", replace(`"attrs":{}`, `"attrs":{"a":1}`)), `unknown "a"`},
		{"sealed: shape of a result", sealed("linear.json", replace(`"shape":[1,3],"eta":2`, `"shape":[3,1],"eta":2`)), "the op table gives it [1 3]"},
		{"missing file", func(m fstest.MapFS) { delete(m, "linear.json") }, "linear.json"},
		{"unlisted file", func(m fstest.MapFS) { m["extra.json"] = &fstest.MapFile{} }, "extra.json: is not listed"},
		{"truncated json", edit("linear.json", truncate), "linear.json: has"},
		{"truncated tensors", edit("linear.safetensors", truncate), "linear.safetensors: has"},
		{"flipped bit in json", edit("linear.json", flip), "linear.json: has SHA-256"},
		{"flipped bit in tensors", edit("linear.safetensors", flip), "linear.safetensors: has SHA-256"},
		{"sealed: truncated tensors", sealed("linear.safetensors", truncate), "linear.safetensors"},
		{"sealed: header length beyond the file", sealed("linear.safetensors", func(b []byte) []byte { copy(b, "\xff\xff\xff\xff\xff\xff\xff\x7f"); return b }), "linear.safetensors"},
		{"sealed: header length below the header", sealed("linear.safetensors", func(b []byte) []byte { b[0]--; return b }), "linear.safetensors"},
		{"sealed: huge shape", sealed("linear.safetensors", replace(`"shape":[1,2]`, `"shape":[1,9]`)), "linear.safetensors"},
		{"sealed: unknown dtype", sealed("linear.safetensors", replace(`"F32"`, `"F33"`)), "linear.safetensors"},
		{"sealed: schema", sealed("linear.json", replace(`"comment"`, `"remark"`)), "remark"},
		{"sealed: trailing data", sealed("linear.json", func(b []byte) []byte { return append(b, "{}"...) }), "after top-level value"},
		{"sealed: another op", sealed("linear.json", replace(`"op": "linear"`, `"op": "matmul"`)), `want format 1 of "linear"`},
		{"sealed: case twice", sealed("linear.json", replace("linear/rejects", "linear/two-steps")), "linear/two-steps is there twice"},
		{"sealed: foreign id", sealed("linear.json", replace("linear/rejects", "gelu/rejects")), `want linear/name`},
		{"sealed: no clause", sealed("linear.json", replace(`"LIN-2"`, ``)), "covers no clause"},
		{"sealed: unknown comparison", sealed("linear.json", replace(`"bound"`, `"loose"`)), `compare "loose"`},
		{"sealed: unknown accumulation", sealed("linear.json", replace(`"compare":"bound"`, `"compare":"bound","accumulate":"float8"`)), `accumulate: unknown format "float8"`},
		{"sealed: unexplained flag", sealed("linear.json", replace(`"name":"bias"`, `"name":"basis"`)), `flag "bias" is not explained`},
		{"sealed: renamed tensor", sealed("linear.json", replace(`"name":"x"`, `"name":"z"`)), `"z"`},
		{"sealed: shape of an input", sealed("linear.safetensors", replace(`"two-steps/0/x":{"dtype":"F32","shape":[1,2]`, `"two-steps/0/x":{"dtype":"F32","shape":[2,1]`)), "two-steps/0/x is F32 [2 1]"},
		{"sealed: tensor gone", sealed("linear.safetensors", replace("two-steps/0/y.acc", "two-steps/0/y.acx")), "y.acc"},
		{"sealed: recipe kind", sealed("linear.json", replace("sum4", "sum5")), `recipe kind "sum5"`},
		{"sealed: recipe size", sealed("linear.json", replace(`"shape":[2,3]`, `"shape":[2000000,3000000]`)), "recipe for F32"},
		{"sealed: error kind", sealed("linear.json", replace(`"error":"shape"`, `"error":"any"`)), `expects error "any"`},
		{"sealed: negative eta", sealed("linear.json", replace(`"eta":2`, `"eta":-2`)), "eta -2"},
		{"sealed: null case", sealed("linear.json", replace("\"cases\": [\n", "\"cases\": [\nnull,")), "case 0 is null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := directory(t, sample())
			tt.corrupt(dir)
			_, err := vector.Load(dir)
			if !errors.Is(err, vector.ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want ErrCorrupt that says %q", err, tt.want)
			}
		})
	}
}

// A tensor that no case uses is a case that was lost.
func TestTensorOfNoCaseIsRefused(t *testing.T) {
	meta, tensors, err := vector.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	all, err := vector.DecodeSafetensors(tensors)
	if err != nil {
		t.Fatal(err)
	}
	all["gone/0/x"] = op.Float32([]float32{1}, 1)
	if tensors, err = vector.EncodeSafetensors(all); err != nil {
		t.Fatal(err)
	}
	_, err = vector.DecodeFile("linear", meta, tensors)
	if !errors.Is(err, vector.ErrCorrupt) || !strings.Contains(err.Error(), `"gone/0/x" belongs to no case`) {
		t.Errorf("got %v", err)
	}
}

func TestBadNumbersAreRefused(t *testing.T) {
	tests := []struct {
		name string
		edit func(*vector.Expect)
		want string
	}{
		{"NaN gauge", func(e *vector.Expect) { e.Acc[0] = math.NaN() }, "y.acc[0] is NaN"},
		{"negative gauge", func(e *vector.Expect) { e.In[1] = -1 }, "y.in[1] is -1"},
		{"infinite gauge", func(e *vector.Expect) { e.Acc[1] = math.Inf(1) }, "y.acc[1] is +Inf"},
		{"index outside", func(e *vector.Expect) { e.Index[1] = 3 }, "index[1] = 3"},
		{"index not ascending", func(e *vector.Expect) { e.Index[1] = 0 }, "index[1] = 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := sample()
			tt.edit(&f.Cases[0].Steps[1].Dst[0])
			_, err := vector.Load(directory(t, f))
			if !errors.Is(err, vector.ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want ErrCorrupt that says %q", err, tt.want)
			}
		})
	}
}

// hugeFS claims a size that it does not have.
type hugeFS struct{ fstest.MapFS }

type hugeFile struct{ fs.File }

type hugeInfo struct{ fs.FileInfo }

func (hugeInfo) Size() int64 { return 1 << 60 }

func (f hugeFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return hugeInfo{info}, err
}

func (h hugeFS) Open(name string) (fs.File, error) {
	f, err := h.MapFS.Open(name)
	if err == nil && name == "MANIFEST.json" {
		f = hugeFile{f}
	}
	return f, err
}

func TestHugeFileIsRefusedBeforeItIsRead(t *testing.T) {
	_, err := vector.Load(hugeFS{directory(t, sample())})
	if !errors.Is(err, vector.ErrCorrupt) || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
}

// Whatever the two files hold, the answer is a file or an error that names it.
func FuzzDecodeFile(f *testing.F) {
	meta, tensors, err := vector.Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(meta, tensors)
	f.Add(meta[:len(meta)/2], tensors)
	f.Add(meta, tensors[:len(tensors)/2])
	f.Add([]byte(`{"format":1,"op":"linear","cases":[{"id":"linear/x","clauses":["A-1"],"compare":"exact","steps":[{}]}]}`), tensors)
	f.Add([]byte("null"), []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, meta, tensors []byte) {
		if _, err := vector.DecodeFile("linear", meta, tensors); err != nil && !errors.Is(err, vector.ErrCorrupt) && !errors.Is(err, vector.ErrLimit) {
			t.Errorf("error %v wraps neither ErrCorrupt nor ErrLimit", err)
		}
	})
}

func FuzzDecodeSafetensors(f *testing.F) {
	_, tensors, err := vector.Encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tensors)
	f.Add([]byte{})
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\x3d\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, err := vector.DecodeSafetensors(data)
		if err != nil {
			return
		}
		again, err := vector.EncodeSafetensors(tensors)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if back, err := vector.DecodeSafetensors(again); err != nil || len(back) != len(tensors) {
			t.Errorf("written and read again: %d tensors of %d, %v", len(back), len(tensors), err)
		}
	})
}

// One flipped bit of the manifest, whichever it is, is seen.
func TestManifestProtectsItself(t *testing.T) {
	dir := directory(t, sample())
	whole := dir["MANIFEST.json"].Data
	for i := range 8 * len(whole) {
		flipped := slices.Clone(whole)
		flipped[i/8] ^= 1 << (i % 8)
		dir["MANIFEST.json"].Data = flipped
		if _, err := vector.LoadManifest(dir); !errors.Is(err, vector.ErrCorrupt) {
			t.Fatalf("bit %d of byte %d (%q): got %v", i%8, i/8, whole[i/8], err)
		}
	}
}

// What a case may ask for is bounded, by inputs and by results, and a caller raises the bound. Nothing is generated to find out.
func TestElementsAreLimited(t *testing.T) {
	f := sample()
	c := f.Cases[0]
	const rows = 1 << 26
	c.Const[0].Shape, c.Const[1] = []int{2, rows}, vector.Input{Name: "b"}
	for i := range c.Steps {
		e := &c.Steps[i].Dst[0]
		e.Shape, e.Sampled, e.Index, e.Want, e.Acc, e.In = []int{1, rows}, true, []int64{rows - 1}, []float64{1}, []float64{1}, []float64{1}
	}
	dir := directory(t, f)
	_, err := vector.Load(dir)
	require.ErrorIs(t, err, vector.ErrLimit)
	require.NotErrorIs(t, err, vector.ErrCorrupt)
	require.ErrorContains(t, err, "linear.json: case linear/two-steps: too many elements: its tensors have 268435460, at most 16777216 are allowed")
	_, err = vector.LoadWithin(dir, 1<<29)
	require.NoError(t, err)
}
