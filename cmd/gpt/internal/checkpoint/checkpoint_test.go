package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/corpus/tokenizer"
)

func sample(t *testing.T) *Checkpoint {
	t.Helper()
	tok, err := tokenizer.Char("abc\n")
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
	path := filepath.Join(t.TempDir(), "c.safetensors")
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
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
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
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
	data, err := sample(t).encode()
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, damaged []byte) {
		t.Helper()
		if _, err := decode(damaged); err == nil {
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
	whole, err := sample(t).encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, says string }{
		{write(t, "empty", nil), "cut off"},
		{write(t, "text", []byte("This is a text and no checkpoint.")), "no safetensors file"},
		{write(t, "foreign", foreign), `its format is "", want "assaykit/gpt 1"`},
		{write(t, "cut", whole[:len(whole)-1]), "cut off"},
		{write(t, "changed", append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^0x80)), "the file was changed"},
		{t.TempDir(), "regular file"},
	} {
		_, err := Read(tt.path)
		if !errors.Is(err, ErrNotACheckpoint) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("%s: got %v, want an error that says %q", filepath.Base(tt.path), err, tt.says)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}

// A disk that fills up while a checkpoint is written leaves the one that was there, and nothing else.
func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	path := write(t, "c", []byte("old"))
	err := replace(path, func(w io.Writer) error {
		if _, err := w.Write([]byte("half of the n")); err != nil {
			return err
		}
		return syscall.ENOSPC
	})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "old" || len(entries) != 1 {
		t.Errorf("the file holds %q, %v, and the directory %d entries", data, err, len(entries))
	}
	if err := sample(t).Write(filepath.Join(t.TempDir(), "none", "c")); err == nil {
		t.Error("a checkpoint was written into a directory that does not exist")
	}
}
