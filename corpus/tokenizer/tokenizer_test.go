package tokenizer_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pkoukk/tiktoken-go"
	tiktokenloader "github.com/pkoukk/tiktoken-go-loader"
	"github.com/stretchr/testify/require"
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

func encode(tok tokenizer.Tokenizer, text string) []int64 {
	return slices.Collect(must(tok.Encode([]byte(text))))
}

func TestTokenizersReadWhatTheyWrote(t *testing.T) {
	for _, tok := range []tokenizer.Tokenizer{must(tokenizer.Char([]byte(corpus.Opticks))), must(tokenizer.R50k())} {
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
			ids := encode(tok, text)
			if !slices.Equal(ids, encode(again, text)) {
				t.Error("a tokenizer that was read gives other ids")
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
			if _, err := tok.Encode([]byte("a\xff")); err == nil {
				t.Error("a text that is not UTF-8 was encoded")
			}
		})
	}
}

func TestCharIsStable(t *testing.T) {
	a, b := must(tokenizer.Char([]byte("b\u00e9a\n"), []byte("z"))), must(tokenizer.Char([]byte("zzz"), []byte("a\n\u00e9\u00e9b")))
	if x, y := must(json.Marshal(a)), must(json.Marshal(b)); string(x) != string(y) {
		t.Errorf("the same characters make %s and %s", x, y)
	}
	if got, want := encode(a, "\nab\u00e9z"), []int64{0, 1, 2, 4, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want ids in the order of code points, %v", got, want)
	}
	if _, err := a.Encode([]byte("abc")); err == nil || !strings.Contains(err.Error(), `'c' at offset 2 is none of the 5 characters`) {
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
		var documents [][]byte
		for _, text := range rapid.SliceOfN(rapid.StringN(1, 9, 20), 1, 4).Draw(t, "documents") {
			documents = append(documents, []byte(strings.ToValidUTF8(text, "?")))
		}
		for _, tok := range []tokenizer.Tokenizer{must(tokenizer.Char(documents...)), must(tokenizer.R50k())} {
			packed := must(tokenizer.Pack(tok, documents...))
			var ids []int64
			for i := range packed.Len() {
				ids = append(ids, packed.At(i))
			}
			for _, want := range documents {
				end := slices.Index(ids, tok.Delimiters().End)
				if text, err := tok.Decode(ids[:end]); err != nil || !bytes.Equal(text, want) {
					t.Fatalf("%s: a document came back as %q, %v, want %q", tok.Name(), text, err, want)
				}
				ids = ids[end+1:]
			}
			if len(ids) > 0 {
				t.Fatalf("%s: %v is left", tok.Name(), ids)
			}
		}
	})
}

var loadTiktoken = sync.OnceValues(func() (*tiktoken.Tiktoken, error) {
	tiktoken.SetBpeLoader(tiktokenloader.NewOfflineLoader())
	return tiktoken.GetEncoding(tokenizer.R50kName)
})

func sameAsTiktoken(t require.TestingT, text string) {
	var want []int64
	for _, id := range must(loadTiktoken()).EncodeOrdinary(text) {
		want = append(want, int64(id))
	}
	require.Equal(t, want, encode(must(tokenizer.R50k()), text), "%.40q", text)
}

// Runs of one kind of character are long pieces, whose merges hang on each other; every character is of some kind.
func TestR50kIsTiktokens(t *testing.T) {
	for _, unit := range []string{"^", "a", "A", "0", " ", "\n", "\t ", "=", "ab", "aaab", "'s", "'re", "-=", "\u4f60", "\U0001f642", "e\u0301", "\u00a0", "the ", " \n", ". "} {
		for _, n := range []int{1, 2, 3, 5, 31, 257} {
			run := strings.Repeat(unit, n)
			for _, text := range []string{run, " " + run, run + " ", run + "x", "1" + run + "'"} {
				sameAsTiktoken(t, text)
			}
		}
	}
	sameAsTiktoken(t, corpus.Opticks)
}

func TestR50kOfAnyTextIsTiktokens(t *testing.T) {
	kinds := rapid.SampledFrom([]rune("^=-' \n\t'stremvld019aeiE.\u00e9\u0301\u00a0\u3000\u00bd\u4f60\U0001f642\u00df\u0085\u001c\u200d"))
	text := rapid.OneOf(rapid.String(), rapid.StringOf(kinds), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) { sameAsTiktoken(t, strings.ToValidUTF8(text.Draw(t, "text"), "\ufffd")) })
}

// Merging by search for the best pair would take an hour.
func TestR50kOfOneLongPiece(t *testing.T) {
	ids := encode(must(tokenizer.R50k()), strings.Repeat("^", 1<<20))
	require.Len(t, ids, 1<<18)
	require.Equal(t, slices.Repeat([]int64{39397}, 1<<18), ids)
	_, err := must(tokenizer.R50k()).Encode(append([]byte("a "), slices.Repeat([]byte("^"), 1<<24+1)...))
	require.ErrorContains(t, err, "16777218 bytes of one kind of character follow each other from offset 1")
}
