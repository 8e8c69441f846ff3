package corpus_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/internal/input"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		return path
	}
	for _, tt := range []struct{ path, says string }{
		{filepath.Join(dir, "none"), "no such file"},
		{dir, "is a directory: want a regular file"},
		{os.DevNull, "is a device: want a regular file"},
		{file("empty", ""), "empty is empty"},
		{file("long", strings.Repeat("a", 101)), "too large: it has 101 bytes, at most 100 are read"},
		{file("latin1", "one\ntwo \xe9t\xe9\n"), "latin1: not UTF-8: byte 0xe9 at offset 8, line 2"},
	} {
		_, _, err := corpus.ReadFile(tt.path, 100, corpus.AllRules)
		require.ErrorContains(t, err, tt.says)
	}
	text := strings.Repeat("\u00e9", 50)
	got, _, err := corpus.ReadFile(file("text", text), 100, corpus.Rules{})
	require.NoError(t, err)
	require.Equal(t, text, string(got))
	_, _, err = corpus.Read(strings.NewReader(strings.Repeat("a", 101)), "standard input", 100, corpus.Rules{})
	require.ErrorIs(t, err, input.ErrTooLarge)
}

// However a text is cut where it is read, it is found to be UTF-8, or where it is not.
func TestReadInParts(t *testing.T) {
	parts := rapid.SampledFrom([]string{"a", "\n", "\u00e9", "\u20ac", "\U0001f642", "\ufffd", "\xff", "\xe2\x82", "\xf0\x9f\x99", "\xc0\x80", "\xed\xa0\x80", "\x80"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(parts, 1, 20).Draw(t, "text"), "")
		size := rapid.IntRange(1, 5).Draw(t, "size")
		got, _, err := corpus.Read(&cut{[]byte(text), size}, "text", 1000, corpus.Rules{})
		if utf8.ValidString(text) {
			require.NoError(t, err)
			require.Equal(t, text, string(got))
			return
		}
		at := 0
		for r, size := utf8.DecodeRuneInString(text); r != utf8.RuneError || size > 1; r, size = utf8.DecodeRuneInString(text[at:]) {
			at += size
		}
		require.ErrorIs(t, err, corpus.ErrNotUTF8)
		require.ErrorContains(t, err, fmt.Sprintf("byte %#02x at offset %d, line %d:", text[at], at, 1+strings.Count(text[:at], "\n")))
		require.ErrorContains(t, corpus.Valid([]byte(text)), fmt.Sprintf("at offset %d,", at))
	})
}

// cut gives a text in reads of so many bytes.
type cut struct {
	text []byte
	size int
}

func (c *cut) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.text[:min(c.size, len(c.text))])
	c.text = c.text[n:]
	return n, nil
}

// However a text is cut where it is read, it is cleaned as the whole is.
func TestCleanInParts(t *testing.T) {
	dirty := rapid.SampledFrom(strings.Split("a,b,e,\u0301, ,\t,\n,\n,\n\n,\na\n\n,\r,\r\n,\x00,\ufeff,\u00a0,\u2028,\u212b", ","))
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(strings.Join(rapid.SliceOfN(dirty, 1, 40).Draw(t, "text"), ""))
		on := rapid.Bool()
		rules := corpus.Rules{LineEndings: on.Draw(t, "line endings"), Controls: on.Draw(t, "controls"), NFC: on.Draw(t, "nfc"),
			Whitespace: on.Draw(t, "whitespace"), Duplicates: on.Draw(t, "duplicates")}
		want, report := corpus.Clean(text, rules)
		got, parts, err := corpus.Read(&cut{text, rapid.IntRange(1, 7).Draw(t, "size")}, "text", 1000, rules)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		require.Equal(t, report, parts)
	})
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

// IDs of every width are what was appended, across blocks.
func TestIDs(t *testing.T) {
	for _, vocab := range []int{1, 2, 256, 257, 1 << 16, 1<<16 + 1, 1 << 31} {
		ids := corpus.NewIDs(vocab)
		const n = 1<<16 + 100
		id := func(i int) int64 { return int64(i) * 2654435761 % int64(vocab) }
		for i := range n - 1 {
			ids.Append(id(i))
		}
		ids.Append(int64(vocab - 1))
		require.Equal(t, n, ids.Len())
		train, validation := ids.Split(0.1)
		require.Equal(t, n, train.Len()+validation.Len())
		all := slices.AppendSeq(slices.Collect(train.All()), validation.All())
		for i := range n - 1 {
			if all[i] != id(i) || ids.At(i) != id(i) {
				t.Fatalf("vocabulary %d: id %d is %d, want %d", vocab, i, all[i], id(i))
			}
		}
		require.EqualValues(t, vocab-1, ids.At(n-1))
		x, y := make([]int64, 6), make([]int64, 6)
		validation.Batch(x, y, []int64{0, int64(validation.Len() - 4)}, 3)
		first := all[train.Len():]
		require.Equal(t, slices.Concat(first[:3], all[n-4:n-1]), x)
		require.Equal(t, slices.Concat(first[1:4], all[n-3:]), y)
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
