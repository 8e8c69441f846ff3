package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pkoukk/tiktoken-go"
	tiktokenloader "github.com/pkoukk/tiktoken-go-loader"

	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/reference"
)

// The model that reads Newton: small, but with the vocabulary of GPT-3. Its weights are recipes.
const (
	opticksVocab   = 50257
	opticksTokens  = 96
	opticksPrefill = 48
	opticksBegins  = "My Design in this Book is not to explain the Properties of Light by"
	opticksComment = `A decoder with the vocabulary of GPT-3 reads Newton's Opticks: "` + opticksBegins + ` ..."; `
)

var opticksModel = model{
	layer: layer{d: 64, heads: 4, headDim: 16, ffn: 256, recipes: true}, vocab: opticksVocab, context: 128, layers: 4,
	attrs: attrs{"activation": "gelu_tanh", "windows": []int{0, 32}},
}

// opticksWeights are the constants of the model, the same in every case.
func opticksWeights() args {
	w := opticksModel.weights()
	for name, d := range w {
		w[name] = func(*source) vector.Input { return d(newSource("opticks/" + name)) }
	}
	return w
}

// opticksText returns the ids of the passage and, at each position, the id that follows.
func opticksText() (tokens, targets []int64, err error) {
	tiktoken.SetBpeLoader(tiktokenloader.NewOfflineLoader())
	bpe, err := tiktoken.GetEncoding("r50k_base")
	if err != nil {
		return nil, nil, err
	}
	start := strings.Index(corpus.Opticks, opticksBegins)
	if start < 0 {
		return nil, nil, fmt.Errorf("opticks.txt does not contain %q", opticksBegins)
	}
	for _, id := range bpe.EncodeOrdinary(corpus.Opticks[start : start+8*opticksTokens]) {
		tokens = append(tokens, int64(id))
	}
	if len(tokens) <= opticksTokens {
		return nil, nil, fmt.Errorf("the passage has %d tokens, want more than %d", len(tokens), opticksTokens)
	}
	return tokens[:opticksTokens], tokens[1 : opticksTokens+1], nil
}

// reading is what the three cases have in common.
type reading struct {
	tokens, targets []int64
	logits          reference.Matrix // [opticksTokens, V]
	samples         [][]int64        // of each position: the vocabulary ids whose logits are stored
	columns         []int64          // the ids that occur in the text or are sampled, ascending
	gauges          oracle.Gauges    // of the logits of columns, [opticksTokens, len(columns)]
}

var readOpticks = sync.OnceValues(func() (*reading, error) {
	r := new(reading)
	var err error
	if r.tokens, r.targets, err = opticksText(); err != nil {
		return nil, err
	}
	whole := testCase{name: "opticks", attrs: opticksModel.allAttrs(nil), consts: opticksWeights(), src: args{"ids": idsOf(r.tokens, 1, opticksTokens)}}
	full, err := whole.build("gpt")
	if err != nil {
		return nil, err
	}
	results, err := exactly(full, "gpt")
	if err != nil {
		return nil, err
	}
	r.logits = reference.Matrix{Rows: opticksTokens, Cols: opticksVocab, Data: results[0][0].F64}
	edge := edges(opticksVocab)
	for t := range opticksTokens {
		row := r.logits.Row(t)
		at := []int64{r.targets[t], int64(slices.Index(row, slices.Max(row))), int64(edge[2*t%len(edge)]), int64(edge[(2*t+1)%len(edge)]),
			int64((t*7919 + 13) % opticksVocab)}
		slices.Sort(at)
		r.samples = append(r.samples, slices.Compact(at))
	}
	r.columns = slices.Concat(slices.Concat(r.samples...), r.tokens)
	slices.Sort(r.columns)
	r.columns = slices.Compact(r.columns)
	r.gauges, err = r.measure(full)
	return r, err
})

// measure returns the gauges of the logits of r.columns: those of the same model with a vocabulary of these ids only. It has the same
// logits, and 64 perturbed evaluations of it are affordable.
func (r *reading) measure(full *vector.Case) (oracle.Gauges, error) {
	columns := make([]int, len(r.columns))
	for i, id := range r.columns {
		columns[i] = int(id)
	}
	small, _ := oracle.CutVocabulary(use(full, "gpt"), columns)
	results, gauges, err := oracle.Random.Measured(small, seed(full.ID))
	if err != nil {
		return oracle.Gauges{}, err
	}
	for t := range opticksTokens {
		for i, id := range r.columns {
			if got, want := results[0][0].F64[t*len(r.columns)+i], r.logits.At(t, int(id)); got != want {
				return oracle.Gauges{}, fmt.Errorf("position %d: the logit of token %d is %v, and %v with a small vocabulary", t, id, want, got)
			}
		}
	}
	return gauges[0], nil
}

// column returns where id stands in r.columns; it is there.
func (r *reading) column(id int64) int {
	i, _ := slices.BinarySearch(r.columns, id)
	return i
}

// expect returns the sampled logits of positions from to until, [1, until-from, V].
func (r *reading) expect(from, until int) []vector.Expect {
	e := vector.Expect{Name: "logits", Shape: []int{1, until - from, opticksVocab}, Sampled: true}
	for t := from; t < until; t++ {
		for _, id := range r.samples[t] {
			g := t*len(r.columns) + r.column(id)
			e.Index = append(e.Index, int64(t-from)*opticksVocab+id)
			e.Want = append(e.Want, r.logits.At(t, int(id)))
			e.Acc = append(e.Acc, r.gauges.Acc[g])
			e.In = append(e.In, r.gauges.In[g])
			e.Eta = max(e.Eta, r.gauges.Eta[g])
		}
	}
	return []vector.Expect{e}
}

// opticksCase returns one of the three cases; what it sets depends on the reading.
func opticksCase(comment, clauses string, a attrs, set func(t *testCase, r *reading)) testCase {
	return testCase{
		name: "opticks", comment: opticksComment + comment, clauses: clauses, flags: opticksFlag.Name,
		attrs: opticksModel.allAttrs(a), consts: opticksWeights(),
		prepare: func(t *testCase) error {
			r, err := readOpticks()
			if err == nil {
				set(t, r)
			}
			return err
		},
	}
}

func opticksGPT() testCase {
	return opticksCase("about five logits at every position, the next token's among them.", "GPT-1 GPT-3 GPT-4 GPT-5", nil, func(t *testCase, r *reading) {
		t.steps = []step{{src: args{"ids": idsOf(r.tokens, 1, opticksTokens)}}}
		t.results = [][]vector.Expect{r.expect(0, opticksTokens)}
	})
}

func opticksCached() testCase {
	comment := fmt.Sprintf("%d tokens at once, then one at a time.", opticksPrefill)
	return opticksCase(comment, "GPT-4 GPT-9 KV-2", attrs{"capacity": 100}, func(t *testCase, r *reading) {
		t.steps, t.results = nil, nil
		for from, until := 0, opticksPrefill; from < opticksTokens; from, until = until, until+1 {
			t.steps = append(t.steps, step{src: args{"ids": idsOf(r.tokens[from:until], 1, until-from), "pos": scalar(int64(from))}})
			t.results = append(t.results, r.expect(from, until))
		}
	})
}

// opticksLoss has the loss at every position. Its gauges are those of cross-entropy with the gauges of the logits; logits of which none was
// measured have the largest of their position.
func opticksLoss() testCase {
	return opticksCase("the loss of the next token at every position.", "GPT-1 GPT-4 GPT-8 XE-1", attrs{"reduction": "none"}, func(t *testCase, r *reading) {
		t.steps = []step{{src: args{"ids": idsOf(r.tokens, 1, opticksTokens), "targets": idsOf(r.targets, 1, opticksTokens)}}}
		e := vector.Expect{Name: "loss", Shape: []int{1, opticksTokens}}
		for pos, target := range r.targets {
			row := r.logits.Row(pos)
			incoming := oracle.Gauges{Acc: r.spread(pos, r.gauges.Acc), In: r.spread(pos, r.gauges.In), Eta: r.spread(pos, r.gauges.Eta)}
			g := oracle.Random.CrossEntropy(row, int(target), &incoming)
			e.Want = append(e.Want, reference.CrossEntropy(row, int(target)))
			e.Acc = append(e.Acc, g.Acc[0])
			e.In = append(e.In, g.In[0])
			e.Eta = max(e.Eta, g.Eta[0])
		}
		t.results = [][]vector.Expect{{e}}
	})
}

// spread returns the gauges of a position's logits for the whole vocabulary.
func (r *reading) spread(pos int, measured []float64) []float64 {
	row := measured[pos*len(r.columns) : (pos+1)*len(r.columns)]
	all := slices.Repeat([]float64{slices.Max(row)}, opticksVocab)
	for i, id := range r.columns {
		all[id] = row[i]
	}
	return all
}

var opticksFlag = vector.Flag{
	Name: "opticks", Bug: fmt.Sprintf("anything that shows at the size of a model's vocabulary, %d, and on text: end to end", opticksVocab),
}
