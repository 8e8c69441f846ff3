package reference

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
	tiktokenloader "github.com/pkoukk/tiktoken-go-loader"
	"pgregory.net/rapid"

	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/tokenizer"
)

// inOrder is the identity as the ids of the bytes.
var inOrder = func() (ids [256]int) {
	for b := range ids {
		ids[b] = b
	}
	return ids
}()

// r50k is the encoding of GPT-2 and GPT-3.
func r50k(t *testing.T) *BPE {
	t.Helper()
	e, err := loadR50k()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var loadR50k = sync.OnceValues(func() (*BPE, error) {
	bytes, flat, err := tokenizer.R50kTable()
	if err != nil {
		return nil, err
	}
	var ids [256]int
	for b, id := range bytes {
		ids[b] = int(id)
	}
	merges := make([][2]int, len(flat)/2)
	for r := range merges {
		merges[r] = [2]int{int(flat[2*r]), int(flat[2*r+1])}
	}
	return NewBPE(ids, merges)
})

// tiktokens is the same encoding by tiktoken-go.
func tiktokens(t *testing.T) *tiktoken.Tiktoken {
	t.Helper()
	tiktoken.SetBpeLoader(tiktokenloader.NewOfflineLoader())
	e, err := tiktoken.GetEncoding(tokenizer.R50kName)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// encodeWords is what text.encode with pretokenize = gpt2 computes.
func encodeWords(e *BPE, text []byte) []int {
	ids := []int{}
	for _, piece := range Pretokenize(text) {
		ids = append(ids, e.Encode(piece)...)
	}
	return ids
}

// Hugging Face's toy vocabulary (transformers, tests/models/gpt2/test_tokenization_gpt2.py) has these four merges, and cuts " lower newer" so.
func TestBPEOfHuggingFace(t *testing.T) {
	e, err := NewBPE(inOrder, [][2]int{{' ', 'l'}, {256, 'o'}, {257, 'w'}, {'e', 'r'}})
	if err != nil {
		t.Fatal(err)
	}
	const text = " lower newer"
	var got []string
	for _, id := range encodeWords(e, []byte(text)) {
		got = append(got, string(e.expand(nil, id, len(text))))
	}
	if want := []string{" low", "er", " ", "n", "e", "w", "er"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBPEOfOpticksIsTiktokens(t *testing.T) {
	text := corpus.Opticks
	if testing.Short() {
		text = text[:50_000]
	}
	want := tiktokens(t).EncodeOrdinary(text)
	got := encodeWords(r50k(t), []byte(text))
	if len(got) != len(want) {
		t.Errorf("%d ids, tiktoken has %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("id %d is %d, tiktoken has %d", i, got[i], want[i])
		}
	}
}

func TestPretokenize(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a", []string{"a"}},
		{"Hello world", []string{"Hello", " world"}},
		{"we've don't I'll you'd he's I'm they're", []string{"we", "'ve", " don", "'t", " I", "'ll", " you", "'d", " he", "'s", " I", "'m", " they", "'re"}},
		{"CAN'T 'tis", []string{"CAN", "'", "T", " '", "tis"}},
		{"'stop", []string{"'s", "top"}},
		{"'lend", []string{"'", "lend"}},
		{"a  b", []string{"a", " ", " b"}},
		{"a \n b", []string{"a", " \n", " b"}},
		{"a\n\nb", []string{"a", "\n", "\n", "b"}},
		{"a \nb", []string{"a", " ", "\n", "b"}},
		{"a   ", []string{"a", "   "}},
		{" ", []string{" "}},
		{"\tx", []string{"\t", "x"}},
		{"x2 22a ½", []string{"x", "2", " 22", "a", " ½"}},
		{"a\u00a0b", []string{"a", "\u00a0", "b"}},
		{"a\u00a0 b", []string{"a", "\u00a0", " b"}},
		{"a \u3000b", []string{"a", " ", "\u3000", "b"}},
		{"a\u200bb", []string{"a", "\u200b", "b"}},
		{"a\x1c\x1db", []string{"a", "\x1c\x1d", "b"}}, // separators that Python counts as white space, and Unicode does not
		{"e\u0301te", []string{"e", "\u0301", "te"}},
		{"a\xff\xfe b\xc3", []string{"a", "\xff\xfe", " b", "\xc3"}},
		{" \xff", []string{" \xff"}},
		{"  \xff", []string{" ", " \xff"}},
		{"one, two", []string{"one", ",", " two"}},
		{"...'s", []string{"...'", "s"}},
	} {
		var got []string
		for _, piece := range Pretokenize([]byte(tt.text)) {
			got = append(got, string(piece))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestBPEFaults(t *testing.T) {
	twice := inOrder
	twice[7] = 8
	outside := inOrder
	outside[0] = 256
	for name, table := range map[string]struct {
		bytes  [256]int
		merges [][2]int
	}{
		"an id twice":                 {twice, nil},
		"an id outside":               {outside, nil},
		"a merge of itself":           {inOrder, [][2]int{{1, 2}, {257, 1}}},
		"a merge of what comes later": {inOrder, [][2]int{{1, 258}}},
		"a negative id":               {inOrder, [][2]int{{-1, 2}}},
	} {
		if _, err := NewBPE(table.bytes, table.merges); !errors.Is(err, ErrIndex) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	e, err := NewBPE(inOrder, [][2]int{{'a', 'b'}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int{-1, 257} {
		if _, err := e.Decode([]int{97, id}, 9); !errors.Is(err, ErrIndex) {
			t.Errorf("id %d: got %v", id, err)
		}
	}
	if _, err := e.Decode([]int{256, 97}, 2); !errors.Is(err, ErrCapacity) {
		t.Errorf("3 bytes in 2: got %v", err)
	}
	if text, err := e.Decode(nil, 0); err != nil || len(text) > 0 {
		t.Errorf("nothing decodes to %q, %v", text, err)
	}
	if text, err := e.Decode([]int{256, 97}, 3); err != nil || string(text) != "aba" {
		t.Errorf("got %q, %v", text, err)
	}
}

// An id may stand for more bytes than any memory holds: that is a fault only of a text that has it.
func TestBPEDoubles(t *testing.T) {
	merges := [][2]int{{'a', 'a'}}
	for id := 256; len(merges) < 80; id++ {
		merges = append(merges, [2]int{id, id})
	}
	e, err := NewBPE(inOrder, merges)
	if err != nil {
		t.Fatal(err)
	}
	if ids := e.Encode([]byte("aaaaaaaaa")); !slices.Equal(ids, []int{258, 'a'}) {
		t.Errorf("got %v", ids)
	}
	if text, err := e.Decode([]int{258, 'b', 256}, 11); err != nil || string(text) != "aaaaaaaabaa" {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := e.Decode([]int{'b', 335}, 100); !errors.Is(err, ErrCapacity) {
		t.Errorf("2^80 bytes in 99: got %v", err)
	}
}

// Merges are by rank, and of one rank from the left.
func TestBPEOrder(t *testing.T) {
	e, err := NewBPE(inOrder, [][2]int{{'b', 'c'}, {'a', 'b'}, {'a', 'a'}, {'a', 256}, {'a', 'b'}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int{
		"": nil, "abc": {259}, "ab": {257}, "aaa": {258, 'a'}, "aab": {'a', 257}, "aaaa": {258, 258}, "abab": {257, 257}, "aabc": {258, 256}, "cb": {'c', 'b'},
	} {
		if got := e.Encode([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

// drawBPE draws a small encoding of few letters, in which merges of merges are frequent.
func drawBPE(t *rapid.T) *BPE {
	perm := rapid.Permutation(inOrder[:]).Draw(t, "bytes")
	letters := []int{perm['a'], perm['b'], perm[' '], perm[0xC3], perm[0xA9]}
	var merges [][2]int
	for r := range rapid.IntRange(0, 12).Draw(t, "merges") {
		id := rapid.OneOf(rapid.SampledFrom(letters), rapid.IntRange(0, 255+r))
		merges = append(merges, [2]int{id.Draw(t, "left"), id.Draw(t, "right")})
	}
	e, err := NewBPE([256]int(perm), merges)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestDecodeUndoesEncode(t *testing.T) {
	words := r50k(t)
	text := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 1, 60), rapid.SliceOfN(rapid.SampledFrom([]byte("ab \n'\xC3\xA9s")), 1, 60),
		rapid.Custom(func(t *rapid.T) []byte { return []byte(rapid.StringN(1, 40, 60).Draw(t, "text")) }))
	rapid.Check(t, func(t *rapid.T) {
		e := drawBPE(t)
		in := text.Filter(func(b []byte) bool { return len(b) > 0 }).Draw(t, "text")
		for name, ids := range map[string][]int{"none": e.Encode(in), "gpt2": encodeWords(e, in)} {
			if out, err := e.Decode(ids, len(in)); err != nil || string(out) != string(in) {
				t.Fatalf("%s: %q became %q, %v", name, in, out, err)
			}
		}
		if out, err := words.Decode(encodeWords(words, in), len(in)); err != nil || string(out) != string(in) {
			t.Fatalf("r50k_base: %q became %q, %v", in, out, err)
		}
		if pieces := Pretokenize(in); string(slices.Concat(pieces...)) != string(in) || slices.ContainsFunc(pieces, func(p []byte) bool { return len(p) == 0 }) {
			t.Fatalf("%q was cut into %q", in, pieces)
		}
	})
}

// tiktoken-go, which takes UTF-8 only, agrees on any text.
func TestBPEOfAnyTextIsTiktokens(t *testing.T) {
	e, oracle := r50k(t), tiktokens(t)
	alphabet := rapid.SampledFrom([]rune(" \n\t'stremvld019.,-é\u0301\u00a0\u3000½你🙂ß\u0085\u001c\u200d"))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(alphabet)).Draw(t, "text")
		if !utf8.ValidString(text) {
			t.Skip("not UTF-8")
		}
		want, got := oracle.EncodeOrdinary(text), encodeWords(e, []byte(text))
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %v, tiktoken has %v", text, got, want)
		}
	})
}
