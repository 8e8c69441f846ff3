package training

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"

	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/tokenizer"
)

// MaxFile is the largest text that is read.
const MaxFile = 1 << 30

// Documents returns the texts of files, cleaned as they are read; the embedded one where there are none.
func Documents(files []string, rules corpus.Rules) ([][]byte, corpus.Report, error) {
	if len(files) == 0 {
		text, report := corpus.Clean([]byte(corpus.Opticks), rules)
		return [][]byte{text}, report, nil
	}
	var documents [][]byte
	var total corpus.Report
	for _, file := range files {
		text, r, err := corpus.ReadFile(file, MaxFile, rules)
		switch {
		case err != nil:
			return nil, corpus.Report{}, err
		case len(text) == 0:
			return nil, corpus.Report{}, fmt.Errorf("%s: nothing is left after cleaning", file)
		}
		documents = append(documents, text)
		total.LineEndings += r.LineEndings
		total.Controls += r.Controls
		total.NFC += r.NFC
		total.Whitespace += r.Whitespace
		total.Duplicates += r.Duplicates
	}
	return documents, total, nil
}

// Tokenizer returns the named tokenizer; one of characters has those of the documents.
func Tokenizer(name string, documents [][]byte) (tokenizer.Tokenizer, error) {
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
	Train, Validation corpus.Span
	Digest            string // of all tokens
}

// Tokenize packs documents and splits what comes out. Both parts hold a window and its targets, or there is an error.
func Tokenize(t tokenizer.Tokenizer, documents [][]byte, fraction float64, context int) (*Text, error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, fmt.Errorf("validation is %v: want a fraction between 0 and 1", fraction)
	}
	ids, err := tokenizer.Pack(t, documents...)
	if err != nil {
		return nil, err
	}
	if ids.Len() < 2 {
		return nil, errors.New("the text has fewer than two tokens")
	}
	text := &Text{Tokenizer: t, Digest: digest(ids)}
	text.Train, text.Validation = ids.Split(fraction)
	if least := min(text.Train.Len(), text.Validation.Len()); least <= context {
		return nil, fmt.Errorf("the text is too short: it has %d tokens to train on and %d to validate with, and a window of %d needs %d of each",
			text.Train.Len(), text.Validation.Len(), context, context+1)
	}
	return text, nil
}

func digest(ids *corpus.IDs) string {
	h := sha256.New()
	var block []byte
	for i := range ids.Len() {
		block = binary.LittleEndian.AppendUint32(block, uint32(ids.At(i)))
		if len(block) == 1<<16 || i == ids.Len()-1 {
			h.Write(block)
			block = block[:0]
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// UnigramEntropy returns the entropy, in nats a token, of the frequencies of the validation tokens: the lowest loss that a model can have on them
// which does not look at what comes before.
//
//	H = - sum_i p_i log p_i
func (t *Text) UnigramEntropy() float64 {
	counts := make([]int, t.Tokenizer.Vocab())
	for id := range t.Validation.All() {
		counts[id]++
	}
	return entropy(counts)
}

func entropy(counts []int) (nats float64) {
	n := 0
	for _, c := range counts {
		n += c
	}
	for _, c := range counts {
		if c > 0 {
			p := float64(c) / float64(n)
			nats -= p * math.Log(p)
		}
	}
	return nats
}
