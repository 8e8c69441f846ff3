package tokenizer

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"

	tiktokenloader "github.com/pkoukk/tiktoken-go-loader"

	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/bpe"
)

// R50kName is the name of the tokenizer that R50k returns.
const R50kName = "r50k_base"

// endOfText both begins and ends a document in r50k_base.
const endOfText = 50256

// r50k is r50k_base.
type r50k struct {
	tokens        []string // their bytes
	bytes, merges []int64  // as the constants of the op text.encode
	encoder       *bpe.Encoder
}

var loadR50k = sync.OnceValues(func() (*r50k, error) {
	ranks, err := tiktokenloader.NewOfflineLoader().LoadTiktokenBpe(R50kName + ".tiktoken")
	if err != nil {
		return nil, err
	}
	r := &r50k{tokens: make([]string, len(ranks)), bytes: make([]int64, 256)}
	for token, rank := range ranks {
		r.tokens[rank] = token
	}
	for b := range r.bytes {
		r.bytes[b] = int64(ranks[string([]byte{byte(b)})])
	}
	for rank := 256; rank < len(r.tokens); rank++ {
		parts := mergeBelow(r.tokens[rank], ranks, rank)
		if len(parts) != 2 {
			return nil, fmt.Errorf("tokenizer: token %d of %s is made of %d others, want 2", rank, R50kName, len(parts))
		}
		r.merges = append(r.merges, int64(ranks[parts[0]]), int64(ranks[parts[1]]))
	}
	r.encoder = bpe.NewEncoder(r.bytes, r.merges)
	return r, nil
})

// R50k returns r50k_base, the byte-pair encoding of GPT-2 and GPT-3, from tables within the program.
func R50k() (Tokenizer, error) {
	r, err := loadR50k()
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (*r50k) Name() string { return R50kName }
func (*r50k) Vocab() int   { return endOfText + 1 }

// Delimiters: what ends a document begins the next.
func (*r50k) Delimiters() corpus.Delimiters {
	return corpus.Delimiters{Start: endOfText, End: endOfText}
}

// maxPiece is the longest run of characters of one kind that is merged: that takes some twenty times the memory.
const maxPiece = 1 << 24

func (r *r50k) Encode(text []byte) (iter.Seq[int64], error) {
	if err := corpus.Valid(text); err != nil {
		return nil, err
	}
	for at := 0; at < len(text); {
		n := bpe.Piece(text[at:])
		if n > maxPiece {
			return nil, fmt.Errorf("%d bytes of one kind of character follow each other from offset %d: want at most %d, or a space between", n, at, maxPiece)
		}
		at += n
	}
	return func(yield func(int64) bool) {
		encoder, ids := r.encoder.Clone(), []int32(nil)
		for rest := text; len(rest) > 0; {
			n := bpe.Piece(rest)
			ids = encoder.Append(ids[:0], rest[:n])
			for _, id := range ids {
				if !yield(int64(id)) {
					return
				}
			}
			rest = rest[n:]
		}
	}, nil
}

func (r *r50k) Decode(ids []int64) ([]byte, error) {
	var text []byte
	for i, id := range ids {
		switch {
		case id < 0 || id > endOfText:
			return nil, outside(id, i, r.Vocab())
		case id < endOfText:
			text = append(text, r.tokens[id]...)
		}
	}
	return text, nil
}

func (*r50k) MarshalJSON() ([]byte, error) { return json.Marshal(stored{Name: R50kName}) }

// R50kTable returns r50k_base as the constants of the op text.encode: the id of each byte, and the pairs in the order of their ranks, two
// ids each. A token of r50k_base is known by its bytes; the pair that makes it is what its bytes come to before they become one.
func R50kTable() (bytes, merges []int64, err error) {
	r, err := loadR50k()
	if err != nil {
		return nil, nil, err
	}
	return slices.Clone(r.bytes), slices.Clone(r.merges), nil
}

// mergeBelow merges the bytes of a token as far as the ranks below limit do.
func mergeBelow(token string, ranks map[string]int, limit int) (parts []string) {
	cuts := make([]int, len(token)+1) // part i lies between cuts i and i+1
	for i := range cuts {
		cuts[i] = i
	}
	for {
		best, at := limit, 0
		for i := 1; i+1 < len(cuts); i++ {
			if rank, ok := ranks[token[cuts[i-1]:cuts[i+1]]]; ok && rank < best {
				best, at = rank, i
			}
		}
		if at == 0 {
			break
		}
		cuts = slices.Delete(cuts, at, at+1)
	}
	for i := range len(cuts) - 1 {
		parts = append(parts, token[cuts[i]:cuts[i+1]])
	}
	return parts
}
