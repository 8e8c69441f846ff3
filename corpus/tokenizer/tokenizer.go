// Package tokenizer turns text into tokens and back: characters, or the byte-pair encoding of GPT-2 and GPT-3.
package tokenizer

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/assaykit/assay/corpus"
)

// Tokenizer maps text to ids in [0, Vocab()) and back. It marshals to JSON, from which Load makes it again.
type Tokenizer interface {
	// Encode returns the ids of a text, which are computed as they are asked for. What the vocabulary does not hold is an error that says where.
	Encode(text []byte) (iter.Seq[int64], error)
	// Decode returns the text of ids. Those that delimit documents have none. Ids outside the vocabulary are an error. The text of ids that a
	// model made may not be UTF-8.
	Decode(ids []int64) ([]byte, error)
	// Delimiters returns the ids that begin and end a document. No text has them.
	Delimiters() corpus.Delimiters
	Vocab() int
	Name() string
	json.Marshaler
}

// stored is the JSON of every tokenizer.
type stored struct {
	Name       string `json:"name"`
	Characters string `json:"characters,omitempty"`
}

// Load returns the tokenizer that data is the JSON of.
func Load(data []byte) (Tokenizer, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	switch s.Name {
	case CharName:
		return newChar(s.Characters)
	case R50kName:
		return R50k()
	}
	return nil, fmt.Errorf("tokenizer %q: want %s or %s", s.Name, CharName, R50kName)
}

// Pack encodes documents and joins them between their delimiters, which no text has.
func Pack(t Tokenizer, documents ...[]byte) (*corpus.IDs, error) {
	packed, d := corpus.NewIDs(t.Vocab()), t.Delimiters()
	for i, text := range documents {
		ids, err := t.Encode(text)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		if d.HasStart {
			packed.Append(d.Start)
		}
		for id := range ids {
			packed.Append(id)
		}
		packed.Append(d.End)
	}
	return packed, nil
}

func outside(id int64, i, vocab int) error {
	return fmt.Errorf("token %d at %d: want 0 to %d", id, i, vocab-1)
}
