package corpus_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ path, says string }{
		{filepath.Join(dir, "none"), "no such file"},
		{dir, "is a directory: name the files in it"},
		{file("empty", ""), "empty is empty"},
		{file("long", strings.Repeat("a", 101)), "long has more than 100 bytes"},
		{file("latin1", "one\ntwo \xe9t\xe9\n"), "latin1: not UTF-8: byte 0xe9 at offset 8, line 2"},
	} {
		if _, err := corpus.ReadFile(tt.path, 100); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("got %v, want an error that says %q", err, tt.says)
		}
	}
	text := strings.Repeat("\u00e9", 50)
	if got, err := corpus.ReadFile(file("text", text), 100); err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := corpus.Read(strings.NewReader(strings.Repeat("a", 101)), "standard input", 100); err == nil {
		t.Error("a stream that is too long was read")
	}
}

func TestCleanLeavesItsArgument(t *testing.T) {
	text := []byte("a\r\n\xff\u212b  b\x00\n\n\na\n\na")
	before := bytes.Clone(text)
	once, report := corpus.Clean(text, corpus.AllRules)
	if !bytes.Equal(text, before) {
		t.Errorf("the text became %q", text)
	}
	if want := (corpus.Report{Invalid: 1, LineEndings: 1, Controls: 1, NFC: 1, Whitespace: 2, Duplicates: 1}); report != want {
		t.Errorf("got %+v, want %+v", report, want)
	}
	if twice, again := corpus.Clean(once, corpus.AllRules); !bytes.Equal(once, twice) || again != (corpus.Report{}) {
		t.Errorf("%q became %q, %+v", once, twice, again)
	}
}

func TestSplit(t *testing.T) {
	ids := make([]int64, 100)
	for fraction, want := range map[float64]int{0.1: 10, 0.29: 28, 0.001: 1, 0.9999: 99} {
		train, validation := corpus.Split(ids, fraction)
		if len(validation) != want || len(train) != 100-want {
			t.Errorf("fraction %v: %d and %d ids, want %d to validate with", fraction, len(train), len(validation), want)
		}
		if cap(train) != len(train) {
			t.Error("appending to train would overwrite validation")
		}
	}
}

func TestAppendDocument(t *testing.T) {
	both := corpus.Delimiters{Start: 8, End: 9, HasStart: true}
	packed, err := corpus.AppendDocument(nil, []int64{1, 2}, both)
	if err == nil {
		packed, err = corpus.AppendDocument(packed, nil, both)
	}
	if want := []int64{8, 1, 2, 9, 8, 9}; err != nil || !slices.Equal(packed, want) {
		t.Errorf("got %v, %v, want %v", packed, err, want)
	}
	for _, document := range [][]int64{{8}, {1, 9}, {-1}} {
		if _, err := corpus.AppendDocument(nil, document, both); !errors.Is(err, op.ErrIndex) {
			t.Errorf("%v: got %v", document, err)
		}
	}
}

// Starts are a function of seed and step, and every window has its targets.
func TestStarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seq := rapid.IntRange(1, 20).Draw(t, "seq")
		n := rapid.IntRange(seq+1, 60).Draw(t, "n")
		seed, step := rapid.Uint64().Draw(t, "seed"), rapid.Uint64().Draw(t, "step")
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = int64(i)
		}
		starts, again := make([]int64, 6), make([]int64, 6)
		corpus.Starts(starts, n, seq, seed, step)
		corpus.Starts(again, n, seq, seed, step)
		if !slices.Equal(starts, again) {
			t.Fatalf("%v, and then %v", starts, again)
		}
		x, y := make([]int64, 6*seq), make([]int64, 6*seq)
		if err := corpus.Batch(x, y, ids, starts, seq); err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if y[i] != x[i]+1 {
				t.Fatalf("x %v, y %v", x, y)
			}
		}
	})
	reached := map[int64]bool{}
	starts := make([]int64, 8)
	for step := range uint64(40) {
		corpus.Starts(starts, 12, 4, 1, step)
		for _, s := range starts {
			reached[s] = true
		}
	}
	if len(reached) != 8 || reached[8] {
		t.Errorf("of 8 starts %d were drawn", len(reached))
	}
}
