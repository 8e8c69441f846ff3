package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/corpus/tokenizer"
	"github.com/assaykit/assay/internal/input"
)

func sample(t testing.TB) *Checkpoint {
	t.Helper()
	tok, err := tokenizer.Char([]byte("abc\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := &Checkpoint{Config: json.RawMessage(`{"layers":1}`), Tokenizer: tok, Steps: 3, Losses: []float64{3, 2.5, 2.25}, Validated: []Validation{{2, 2.75}}}
	for k, w := range []*op.GPTWeights{&c.W, &c.M, &c.V} {
		w.Wte, w.Bq = op.New(op.F32, 6, 4), op.New(op.F32, 1, 4)
		for i := range w.Wte.F32 {
			w.Wte.F32[i] = float32(100*k + i)
		}
	}
	return c
}

func encode(t testing.TB, c *Checkpoint) []byte {
	t.Helper()
	var data bytes.Buffer
	if err := c.Write(&data); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadGivesWhatWasWritten(t *testing.T) {
	c := sample(t)
	data := encode(t, c)
	got, err := Read(write(t, "c.safetensors", data))
	if err != nil {
		t.Fatal(err)
	}
	if got.Tokenizer.Vocab() != c.Tokenizer.Vocab() {
		t.Error("the tokenizer is another")
	}
	got.Tokenizer, c.Tokenizer = nil, nil
	if diff := cmp.Diff(c, got); diff != "" {
		t.Error(diff)
	}
	tensors, err := vector.DecodeSafetensors(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wte", "bq", "adam.m.wte", "adam.v.bq", "losses"} {
		if !tensors[name].Present() {
			t.Errorf("there is no tensor %s", name)
		}
	}
}

// However a file is cut, and whichever byte of it changes, it is not taken for a checkpoint.
func TestDamageIsFound(t *testing.T) {
	data := encode(t, sample(t))
	refused := func(what string, damaged []byte) {
		t.Helper()
		if _, err := read(bytes.NewReader(damaged), int64(len(damaged))); err == nil {
			t.Errorf("%s: read without an error", what)
		}
	}
	for n := range data {
		refused("cut", data[:n])
	}
	refused("longer", append(bytes.Clone(data), 0))
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 1
		refused(fmt.Sprintf("byte %d of %d changed", i, len(data)), damaged)
	}
}

func TestReadRefuses(t *testing.T) {
	foreign, err := vector.EncodeSafetensors(map[string]op.Tensor{"wte": op.New(op.F32, 2, 2)})
	if err != nil {
		t.Fatal(err)
	}
	whole := encode(t, sample(t))
	sparse := func(name string, begin []byte) string { // 6 GB, of which none but the beginning is on the disk
		path := write(t, name, begin)
		if err := os.Truncate(path, 6<<30); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ path, says string }{
		{write(t, "empty", nil), "it has 0 bytes"},
		{sparse("zeros", nil), "no safetensors file"},
		{sparse("longer", whole), "it has 6442450944 bytes, and its header says"},
		{write(t, "text", []byte("This is a text and no checkpoint.")), "no safetensors file"},
		{write(t, "foreign", foreign), `its format is "", want "assaykit/gpt 1"`},
		{write(t, "cut", whole[:len(whole)-1]), "cut off"},
		{write(t, "changed", append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^0x80)), "the file was changed"},
	} {
		_, err := Read(tt.path)
		if !errors.Is(err, ErrNotACheckpoint) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("%s: got %v, want an error that says %q", filepath.Base(tt.path), err, tt.says)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, input.ErrNotRegular) {
		t.Errorf("a directory: got %v", err)
	}
}

// Whatever a file holds, the answer is an error, or a checkpoint that holds what was written. No changed file has the right hash: that what
// stands behind it may be anything, too, the second file shows, whose hash is made for it.
func FuzzRead(f *testing.F) {
	whole := encode(f, sample(f))
	for _, data := range [][]byte{whole, whole[:len(whole)/2], []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}")} {
		f.Add(data, `{"type":"char","characters":"ab"}`, "1")
		f.Add(data, "{}", "-1")
	}
	tok, err := json.Marshal(sample(f).Tokenizer)
	require.NoError(f, err)
	f.Add(whole, string(tok), "1")
	f.Fuzz(func(t *testing.T, data []byte, tokenizer, steps string) {
		if c, err := read(bytes.NewReader(data), int64(len(data))); err == nil {
			require.Equal(t, whole, encode(t, c), "a changed file was read")
		}
		tensors := map[string]op.Tensor{"losses": op.New(op.F64, 1), "wte": op.New(op.F32, 2, 2)}
		meta := map[string]string{"format": format, "config": "{}", "tokenizer": tokenizer, "steps": steps}
		meta["sha256"] = sum(tensors, meta)
		var signed bytes.Buffer
		require.NoError(t, vector.WriteSafetensors(&signed, tensors, meta))
		if c, err := read(bytes.NewReader(signed.Bytes()), int64(signed.Len())); err == nil {
			again, err := decode(encode(t, c))
			require.NoError(t, err)
			require.Equal(t, c.Losses, again.Losses)
		}
	})
}
