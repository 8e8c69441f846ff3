package tokenizer

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"unicode/utf8"

	"github.com/assaykit/assay/corpus"
)

// CharName is the name of the tokenizers that Char returns.
const CharName = "char"

// char has an id for each character of some text, in the order of their code points, and behind them one that begins a document and one
// that ends it.
type char struct {
	characters []rune
	ids        []int32 // by code point, as far as there are any
}

// none is in the place of a character that has no id.
const none = -1

// Char returns the tokenizer of the characters that occur in texts.
func Char(texts ...[]byte) (Tokenizer, error) {
	seen := make([]bool, utf8.MaxRune+1)
	for _, text := range texts {
		if err := corpus.Valid(text); err != nil {
			return nil, err
		}
		for len(text) > 0 {
			r, size := utf8.DecodeRune(text)
			seen[r], text = true, text[size:]
		}
	}
	var characters []rune
	for r, is := range seen {
		if is {
			characters = append(characters, rune(r))
		}
	}
	return newChar(string(characters))
}

func newChar(characters string) (Tokenizer, error) {
	c := &char{characters: []rune(characters)}
	if len(c.characters) == 0 || !utf8.ValidString(characters) {
		return nil, fmt.Errorf("tokenizer: %q: want one character at least, in UTF-8", characters)
	}
	c.ids = slices.Repeat([]int32{none}, int(slices.Max(c.characters))+1)
	for i, r := range c.characters {
		if i > 0 && r <= c.characters[i-1] {
			return nil, fmt.Errorf("tokenizer: the characters are not in order: %q behind %q", r, c.characters[i-1])
		}
		c.ids[r] = int32(i)
	}
	return c, nil
}

func (c *char) Name() string { return CharName }
func (c *char) Vocab() int   { return len(c.characters) + 2 }

func (c *char) Delimiters() corpus.Delimiters {
	n := int64(len(c.characters))
	return corpus.Delimiters{Start: n, End: n + 1, HasStart: true}
}

func (c *char) Encode(text []byte) (iter.Seq[int64], error) {
	if err := corpus.Valid(text); err != nil {
		return nil, err
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if int(r) >= len(c.ids) || c.ids[r] == none {
			return nil, fmt.Errorf("%q at offset %d is none of the %d characters that this vocabulary was made of", r, i, len(c.characters))
		}
		i += size
	}
	return func(yield func(int64) bool) {
		for rest := text; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			if !yield(int64(c.ids[r])) {
				return
			}
			rest = rest[size:]
		}
	}, nil
}

func (c *char) Decode(ids []int64) ([]byte, error) {
	var text []byte
	for i, id := range ids {
		switch n := int64(len(c.characters)); {
		case id < 0 || id >= n+2:
			return nil, outside(id, i, c.Vocab())
		case id < n:
			text = utf8.AppendRune(text, c.characters[id])
		}
	}
	return text, nil
}

func (c *char) MarshalJSON() ([]byte, error) {
	return json.Marshal(stored{CharName, string(c.characters)})
}
