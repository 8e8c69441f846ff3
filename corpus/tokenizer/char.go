package tokenizer

import (
	"encoding/json"
	"fmt"
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
	ids        map[rune]int64
}

// Char returns the tokenizer of the characters that occur in texts.
func Char(texts ...string) (Tokenizer, error) {
	seen := map[rune]bool{}
	for _, text := range texts {
		if err := corpus.Valid([]byte(text)); err != nil {
			return nil, err
		}
		for _, r := range text {
			seen[r] = true
		}
	}
	characters := make([]rune, 0, len(seen))
	for r := range seen {
		characters = append(characters, r)
	}
	slices.Sort(characters)
	return newChar(string(characters))
}

func newChar(characters string) (Tokenizer, error) {
	c := &char{characters: []rune(characters), ids: map[rune]int64{}}
	for i, r := range c.characters {
		if i > 0 && r <= c.characters[i-1] {
			return nil, fmt.Errorf("tokenizer: the characters are not in order: %q behind %q", r, c.characters[i-1])
		}
		c.ids[r] = int64(i)
	}
	if len(c.characters) == 0 || !utf8.ValidString(characters) {
		return nil, fmt.Errorf("tokenizer: %q: want one character at least, in UTF-8", characters)
	}
	return c, nil
}

func (c *char) Name() string { return CharName }
func (c *char) Vocab() int   { return len(c.characters) + 2 }

func (c *char) Delimiters() corpus.Delimiters {
	n := int64(len(c.characters))
	return corpus.Delimiters{Start: n, End: n + 1, HasStart: true}
}

func (c *char) Encode(text string) ([]int64, error) {
	if err := corpus.Valid([]byte(text)); err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(text))
	for i, r := range text {
		id, ok := c.ids[r]
		if !ok {
			return nil, fmt.Errorf("%q at offset %d is none of the %d characters that this vocabulary was made of", r, i, len(c.characters))
		}
		ids = append(ids, id)
	}
	return ids, nil
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
