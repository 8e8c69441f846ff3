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

// running returns the bug of a kernel that does something around the right one. Each kernel is wrapped by a wrapper of its own.
func running(wrap func(next op.Kernel) kernel) func(*plain) {
	return func(p *plain) { p.around = func(k op.Kernel) op.Kernel { return wrap(k) } }
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
