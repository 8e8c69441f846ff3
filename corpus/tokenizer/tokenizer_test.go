package tokenizer_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/tokenizer"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestTokenizersReadWhatTheyWrote(t *testing.T) {
	for _, tok := range []tokenizer.Tokenizer{must(tokenizer.Char(corpus.Opticks)), must(tokenizer.R50k())} {
		t.Run(tok.Name(), func(t *testing.T) {
			data, err := json.Marshal(tok)
			if err != nil {
				t.Fatal(err)
			}
			again, err := tokenizer.Load(data)
			if err != nil {
				t.Fatal(err)
			}
			text := corpus.Opticks[:20_000]
			ids, err := tok.Encode(text)
			if err != nil {
				t.Fatal(err)
			}
			if same, err := again.Encode(text); err != nil || !slices.Equal(ids, same) {
				t.Errorf("a tokenizer that was read gives other ids, %v", err)
			}
			if back, err := again.Decode(ids); err != nil || string(back) != text {
				t.Errorf("decoded: %d bytes, %v", len(back), err)
			}
			if again.Vocab() != tok.Vocab() || again.Delimiters() != tok.Delimiters() {
				t.Errorf("vocabulary and delimiters are %d, %+v, and were %d, %+v", again.Vocab(), again.Delimiters(), tok.Vocab(), tok.Delimiters())
			}
			if slices.Max(ids) >= int64(tok.Vocab()) || slices.Contains(ids, tok.Delimiters().End) {
				t.Error("an id of the text is outside the vocabulary, or ends a document")
			}
			d := tok.Delimiters()
			if text, err := tok.Decode([]int64{d.Start, d.End}); err != nil || len(text) > 0 {
				t.Errorf("delimiters decode to %q, %v, want nothing", text, err)
			}
			for _, id := range []int64{-1, int64(tok.Vocab())} {
				if _, err := tok.Decode([]int64{id}); err == nil {
					t.Errorf("id %d was decoded", id)
				}
			}
			if _, err := tok.Encode("a\xff"); err == nil {
				t.Error("a text that is not UTF-8 was encoded")
			}
		})
	}
}

func TestCharIsStable(t *testing.T) {
	a, b := must(tokenizer.Char("b\u00e9a\n", "z")), must(tokenizer.Char("zzz", "a\n\u00e9\u00e9b"))
	if x, y := must(json.Marshal(a)), must(json.Marshal(b)); string(x) != string(y) {
		t.Errorf("the same characters make %s and %s", x, y)
	}
	if got, want := must(a.Encode("\nab\u00e9z")), []int64{0, 1, 2, 4, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want ids in the order of code points, %v", got, want)
	}
	if _, err := a.Encode("abc"); err == nil || !strings.Contains(err.Error(), `'c' at offset 2 is none of the 5 characters`) {
		t.Errorf("got %v", err)
	}
	if d := a.Delimiters(); a.Vocab() != 7 || d != (corpus.Delimiters{Start: 5, End: 6, HasStart: true}) {
		t.Errorf("vocabulary %d, delimiters %+v", a.Vocab(), d)
	}
}

func TestLoadRefuses(t *testing.T) {
	for data, says := range map[string]string{
		`{"name":"cl100k_base"}`:            `tokenizer "cl100k_base": want char or r50k_base`,
		`{"name":"char"}`:                   "want one character at least",
		`{"name":"char","characters":"ba"}`: "not in order",
		`{"name":"char","characters":"aa"}`: "not in order",
		`[]`:                                "cannot unmarshal",
	} {
		if _, err := tokenizer.Load([]byte(data)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", data, err, says)
		}
	}
	if _, err := tokenizer.Char(); err == nil {
		t.Error("a vocabulary of no text was made")
	}
}

func TestPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		documents := rapid.SliceOfN(rapid.StringN(1, 9, 20).Filter(func(s string) bool { return corpus.Valid([]byte(s)) == nil }), 1, 4).Draw(t, "documents")
		for _, tok := range []tokenizer.Tokenizer{must(tokenizer.Char(documents...)), must(tokenizer.R50k())} {
			packed, err := tokenizer.Pack(tok, documents...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range documents {
				end := slices.Index(packed, tok.Delimiters().End)
				if text, err := tok.Decode(packed[:end]); err != nil || string(text) != want {
					t.Fatalf("%s: a document came back as %q, %v, want %q", tok.Name(), text, err, want)
				}
				packed = packed[end+1:]
			}
			if len(packed) > 0 {
				t.Fatalf("%s: %v is left", tok.Name(), packed)
			}
		}
	})
}
