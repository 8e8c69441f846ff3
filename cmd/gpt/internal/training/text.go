package training

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/tokenizer"
)

// MaxFile is the largest text that is read.
const MaxFile = 1 << 30

// Documents returns the texts of files, cleaned; the embedded one where there are none.
func Documents(files []string, rules corpus.Rules) ([]string, corpus.Report, error) {
	texts := [][]byte{[]byte(corpus.Opticks)}
	if len(files) > 0 {
		texts = nil
	}
	for _, file := range files {
		text, err := corpus.ReadFile(file, MaxFile)
		if err != nil {
			return nil, corpus.Report{}, err
		}
		texts = append(texts, text)
	}
	var documents []string
	var total corpus.Report
	for i, text := range texts {
		clean, r := corpus.Clean(text, rules)
		if len(clean) == 0 {
			return nil, corpus.Report{}, fmt.Errorf("%s: nothing is left after cleaning", files[i])
		}
		documents = append(documents, string(clean))
		total.LineEndings += r.LineEndings
		total.Controls += r.Controls
		total.NFC += r.NFC
		total.Whitespace += r.Whitespace
		total.Duplicates += r.Duplicates
	}
	return documents, total, nil
}

// Tokenizer returns the named tokenizer; one of characters has those of the documents.
func Tokenizer(name string, documents []string) (tokenizer.Tokenizer, error) {
	switch name {
	case tokenizer.CharName:
		return tokenizer.Char(documents...)
	case "r50k", tokenizer.R50kName:
		return tokenizer.R50k()
	}
	return nil, fmt.Errorf("tokenizer %q: want char or r50k", name)
}

// Text is what a run trains on and validates with.
type Text struct {
	Tokenizer         tokenizer.Tokenizer
	Train, Validation []int64
	Digest            string // of all tokens
}

// Tokenize packs documents and splits what comes out. Both parts hold a window and its targets, or there is an error.
func Tokenize(t tokenizer.Tokenizer, documents []string, fraction float64, context int) (*Text, error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, fmt.Errorf("validation is %v: want a fraction between 0 and 1", fraction)
	}
	ids, err := tokenizer.Pack(t, documents...)
	if err != nil {
		return nil, err
	}
	if len(ids) < 2 {
		return nil, errors.New("the text has fewer than two tokens")
	}
	text := &Text{Tokenizer: t, Digest: digest(ids)}
	text.Train, text.Validation = corpus.Split(ids, fraction)
	if least := min(len(text.Train), len(text.Validation)); least <= context {
		return nil, fmt.Errorf("the text is too short: it has %d tokens to train on and %d to validate with, and a window of %d needs %d of each",
			len(text.Train), len(text.Validation), context, context+1)
	}
	return text, nil
}

func digest(ids []int64) string {
	h := sha256.New()
	for _, id := range ids {
		h.Write([]byte{byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24)})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// UnigramEntropy returns the entropy, in nats a token, of the frequencies of ids: the lowest loss that a model can have on them which does
// not look at what comes before.
//
//	H = - sum_i p_i log p_i
func UnigramEntropy(ids []int64) float64 {
	counts := map[int64]int{}
	for _, id := range ids {
		counts[id]++
	}
	entropy, n := 0.0, float64(len(ids))
	for _, id := range slices.Sorted(maps.Keys(counts)) { // in order, so that it is the same number each time
		p := float64(counts[id]) / n
		entropy -= p * math.Log(p)
	}
	return entropy
}
