// Package mutant keeps the error model honest with two catalogues: planted bugs, which the golden vectors must catch, and correct
// variants, which they must pass. A bound that is too loose lets a mutant live; one that is too tight fails a variant.
//
// Both are made from one plain float32 implementation of all ops. It is a struct of parts, each a decision that kernels get wrong; a
// mutant replaces one part, a variant its arithmetic. It shares no code with the reference or the optimized implementation.
package mutant

import (
	"slices"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
)

// Mutant is a planted bug.
type Mutant struct {
	ID     string
	Op     string // the op whose cases must catch it
	Clause string // the clause of SPEC.md that it breaks
	Bug    string // what it does wrong, in one sentence
	See    string // a public example of the bug, or ""
	New    func() op.Implementation

	buffers bool // the arithmetic is right: the bug may show only in a replay
}

// Options returns how to judge the mutant: a bug in the arithmetic must show in the results of a single run.
func (m Mutant) Options() []conformance.Option {
	if m.buffers {
		return nil
	}
	return []conformance.Option{conformance.Once()}
}

// bug is a planted bug before it is planted in an implementation.
type bug struct {
	id, op, clause, text, see string
	plant                     func(*plain)
}

// Catalogue returns the planted bugs. Their order and their IDs are stable.
func Catalogue() []Mutant {
	var mutants []Mutant
	add := func(buffers bool, bugs ...[]bug) {
		for _, b := range slices.Concat(bugs...) {
			mutants = append(mutants, Mutant{b.id, b.op, b.clause, b.text, b.see, func() op.Implementation {
				p := correct()
				b.plant(p)
				return p
			}, buffers})
		}
	}
	add(false,
		matmulBugs, linearBugs, softmaxBugs, logSoftmaxBugs, reluBugs, geluBugs, layernormBugs, embeddingBugs, sinusoidalPositionsBugs,
		learnedPositionsBugs, attentionBugs, attentionScoresBugs, attentionCachedBugs, mhaBugs, ffnBugs, blockBugs, gptBugs, gptCachedBugs,
		gptLossBugs, crossEntropyBugs,
	)
	add(true, bufferBugs)
	add(false,
		matmulGradBugs, linearGradBugs, softmaxGradBugs, logSoftmaxGradBugs, reluGradBugs, geluGradBugs, layernormGradBugs, embeddingGradBugs,
		attentionGradBugs, mhaGradBugs, ffnGradBugs, blockGradBugs, crossEntropyGradBugs, gptLossGradBugs, initBugs, adamBugs, sgdBugs,
		clipNormBugs, clipValueBugs, learningRateBugs, gptTrainBugs, greedyBugs, distributionBugs, sampleBugs, beamSearchBugs, gptGenerateBugs,
		textCleanBugs, textEncodeBugs, textDecodeBugs, textSplitBugs, textPackBugs, textBatchesBugs,
	)
	return mutants
}

// Variant is a correct evaluation, in float32 or in lower precision that it declares.
type Variant struct {
	ID   string
	Note string // how it differs from the obvious evaluation
	New  func() op.Implementation
}

// Variants returns the correct variants.
func Variants() []Variant {
	variant := func(id, note string, change func(*plain)) Variant {
		return Variant{id, note, func() op.Implementation {
			p := correct()
			change(p)
			return op.WithFormats(p, p.formats)
		}}
	}
	return []Variant{
		variant("forward", "sums from the first term to the last", func(*plain) {}),
		variant("reversed", "sums from the last term to the first", func(p *plain) { p.dot = reversed }),
		variant("pairwise", "sums of halves", func(p *plain) { p.dot = pairwise }),
		variant("blocked", "eight sums, as a vector register holds them", func(p *plain) { p.dot = blocked }),
		variant("fused", "fused multiply-add", func(p *plain) { p.dot = fused }),
		variant("float64", "sums in float64, rounded once: better than it declares", func(p *plain) { p.dot = wide }),
		variant("online", "attention in one pass over tiles of keys, with a running maximum", func(p *plain) { p.attend = p.online }),
		variant("rearranged", "other forms of the same formulas: exp2, reciprocals, Welford's variance, erfc, dout . out, moments that move", rearrange),
		variant("bfloat16", "inputs, weights and results in bfloat16, sums in float32", func(p *plain) {
			p.store = func(x float32) float32 { return significant(x, 8) }
			p.formats = op.Formats{Storage: op.BFloat16Format, Accumulate: op.Float32Format}
		}),
		variant("float16-sums", "products and sums rounded to the precision of float16, in the range of float32, and declared; longer sums stagnate", func(p *plain) {
			p.dot = narrow(11)
			p.formats.Accumulate = op.Float16Format
			p.offers = []string{"matmul", "linear"}
		}),
	}
}
