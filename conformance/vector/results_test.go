package vector

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assaykit/assay/conformance/op"
)

// probe is an op with results of every kind: integers, floats, and one that belongs to an argument.
var probe = []op.Argument{
	{Name: "w", Role: op.Const, Types: "float", Optional: true},
	{Name: "x", Role: op.Src, Types: "float"},
	{Name: "token", Role: op.Dst, Types: "i64"},
	{Name: "score", Role: op.Dst, Types: "float"},
	{Name: "dw", Role: op.Dst, Types: "float", Of: "w"},
}

// tokens are the results of a step of the probe, that of w absent.
func tokens(token int64, score float64) []Expect {
	return []Expect{
		{Name: "token", Type: "I64", Shape: []int{2}, Ints: []int64{token, -1 << 62}},
		{Name: "score", Shape: []int{}, Want: []float64{score}, Acc: []float64{1}, In: []float64{2}},
		{Name: "dw"},
	}
}

func probeFile() *File {
	return &File{Format: FormatVersion, Op: "probe", Flags: []Flag{}, Cases: []*Case{{
		ID: "probe/case", Comment: "A case.", Clauses: []string{"DEC-1"}, Attrs: json.RawMessage("{}"), Compare: Bound,
		Const: []Input{{Name: "w"}},
		Steps: []Step{{
			Src: []Input{{Name: "x", DType: op.F32, Type: "F32", Shape: []int{1}, Data: op.Float32([]float32{1}, 1)}},
			Dst: tokens(1, 0.5), Or: [][]Expect{tokens(2, 0.25), tokens(3, 0.125)},
		}},
	}}}
}

// read decodes the probe's two files.
func read(meta, tensors []byte) (*File, error) {
	f := new(File)
	if err := op.DecodeJSON(meta, f); err != nil {
		return nil, err
	}
	all, err := DecodeSafetensors(tensors)
	if err != nil {
		return nil, err
	}
	d := decoder{file: f, args: probe, tensors: all}
	if err := d.link(f.Cases[0]); err != nil {
		return nil, err
	}
	if len(all) > 0 {
		return nil, errors.New("tensors are left")
	}
	return f, nil
}

func TestResultsRoundTrip(t *testing.T) {
	meta, tensors, err := Encode(probeFile())
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(meta, tensors)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(probeFile(), got); diff != "" {
		t.Errorf("read back (-written +read):\n%s", diff)
	}
	if !got.Cases[0].Steps[0].Dst[1].Present() || got.Cases[0].Steps[0].Dst[2].Present() {
		t.Error("a scalar is taken for absent, or what is absent for a scalar")
	}
}

func TestBadResultsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*Step)
		meta func(string) string // of the file's text
		want string
	}{
		{"floats for tokens", func(s *Step) {
			s.Dst[0].Type = ""
			s.Dst[0].Want = []float64{1, 2}
			s.Dst[0].Acc, s.Dst[0].In = s.Dst[0].Want, s.Dst[0].Want
		},
			nil, `token: dtype "": want "I64"`},
		{"tokens for floats", func(s *Step) { s.Dst[1].Type, s.Dst[1].Ints = "I64", []int64{1} }, nil, `score: dtype "I64": want ""`},
		{"absent without an argument that it belongs to", func(s *Step) { s.Dst[1].Shape = nil }, nil, "score: shape []: want positive dimensions"},
		{"an alternative with a result less", func(s *Step) { s.Or[1] = s.Or[1][:2] }, nil, "has 2 dst tensors, probe has 3"},
		{"an alternative with bad tokens", func(s *Step) { s.Or[1][0] = s.Or[1][1]; s.Or[1][0].Name = "token" }, nil, `token: dtype "": want "I64"`},
		{"an alternative that is not stored", nil, func(s string) string {
			return strings.Replace(s, `"or":[`, `"or":[[{"name":"token","dtype":"I64","shape":[2]},{"name":"score","shape":[]},{"name":"dw"}],`, 1)
		},
			"tensor case/0/or/2/token is not there as 2 elements of I64"},
		{"too few tokens", func(s *Step) { s.Dst[0].Ints = s.Dst[0].Ints[:1]; s.Dst[0].Shape = []int{1} },
			func(s string) string {
				return strings.Replace(s, `"dtype":"I64","shape":[1]`, `"dtype":"I64","shape":[2]`, 1)
			}, "as 2 elements of I64"},
		{"alternatives of an error", func(s *Step) { s.Dst, s.Error = nil, "number" }, nil, `expects error "number" and 2 results`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := probeFile()
			if tt.edit != nil {
				tt.edit(&f.Cases[0].Steps[0])
			}
			meta, tensors, err := Encode(f)
			if err != nil {
				t.Fatal(err)
			}
			if tt.meta != nil {
				changed := tt.meta(string(meta))
				if changed == string(meta) {
					t.Fatal("the edit changes nothing")
				}
				meta = []byte(changed)
			}
			if _, err := read(meta, tensors); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that says %q", err, tt.want)
			}
		})
	}
}
