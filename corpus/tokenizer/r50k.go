package tokenizer

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/pkoukk/tiktoken-go"
	tiktokenloader "github.com/pkoukk/tiktoken-go-loader"

	"github.com/assaykit/assay/corpus"
)

// R50kName is the name of the tokenizer that R50k returns.
const R50kName = "r50k_base"

// endOfText both begins and ends a document in r50k_base.
const endOfText = 50256

// r50k is r50k_base.
type r50k struct{ bpe *tiktoken.Tiktoken }

var loadR50k = sync.OnceValues(func() (*tiktoken.Tiktoken, error) {
	tiktoken.SetBpeLoader(tiktokenloader.NewOfflineLoader())
	return tiktoken.GetEncoding(R50kName)
})

// R50k returns r50k_base, the byte-pair encoding of GPT-2 and GPT-3, from tables within the program.
func R50k() (Tokenizer, error) {
	bpe, err := loadR50k()
	if err != nil {
		return nil, err
	}
	return r50k{bpe}, nil
}

func (r50k) Name() string { return R50kName }
func (r50k) Vocab() int   { return endOfText + 1 }

// Delimiters: what ends a document begins the next.
func (r50k) Delimiters() corpus.Delimiters {
	return corpus.Delimiters{Start: endOfText, End: endOfText}
}

func (r r50k) Encode(text string) ([]int64, error) {
	if err := corpus.Valid([]byte(text)); err != nil {
		return nil, err
	}
	tokens := r.bpe.EncodeOrdinary(text)
	ids := make([]int64, len(tokens))
	for i, t := range tokens {
		ids[i] = int64(t)
	}
	return ids, nil
}

func (r r50k) Decode(ids []int64) ([]byte, error) {
	tokens := make([]int, 0, len(ids))
	for i, id := range ids {
		switch {
		case id < 0 || id > endOfText:
			return nil, outside(id, i, r.Vocab())
		case id < endOfText:
			tokens = append(tokens, int(id))
		}
	}
	return []byte(r.bpe.Decode(tokens)), nil
}

func (r50k) MarshalJSON() ([]byte, error) { return json.Marshal(stored{Name: R50kName}) }

// R50kTable returns r50k_base as the constants of the op text.encode: the id of each byte, and the pairs in the order of their ranks, two
// ids each. A token of r50k_base is known by its bytes; the pair that makes it is what its bytes come to before they become one.
func R50kTable() (bytes, merges []int64, err error) {
	ranks, err := tiktokenloader.NewOfflineLoader().LoadTiktokenBpe(R50kName + ".tiktoken")
	if err != nil {
		return nil, nil, err
	}
	tokens := make([]string, len(ranks))
	for token, rank := range ranks {
		tokens[rank] = token
	}
	bytes = make([]int64, 256)
	for b := range bytes {
		bytes[b] = int64(ranks[string([]byte{byte(b)})])
	}
	for rank := 256; rank < len(tokens); rank++ {
		parts := mergeBelow(tokens[rank], ranks, rank)
		if len(parts) != 2 {
			return nil, nil, fmt.Errorf("tokenizer: token %d of %s is made of %d others, want 2", rank, R50kName, len(parts))
		}
		merges = append(merges, int64(ranks[parts[0]]), int64(ranks[parts[1]]))
	}
	return bytes, merges, nil
}

// mergeBelow merges the bytes of a token as far as the ranks below limit do.
func mergeBelow(token string, ranks map[string]int, limit int) []string {
	var parts []string
	for i := range len(token) {
		parts = append(parts, token[i:i+1])
	}
	for {
		best, at := limit, -1
		for i := 0; i+1 < len(parts); i++ {
			if rank, ok := ranks[parts[i]+parts[i+1]]; ok && rank < best {
				best, at = rank, i
			}
		}
		if at < 0 {
			return parts
		}
		parts[at] += parts[at+1]
		parts = append(parts[:at+1], parts[at+2:]...)
	}
}
