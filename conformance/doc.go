// Package conformance holds an implementation of GPT-style transformer kernels to the golden vectors of SPEC.md.
//
//	func TestMyAttention(t *testing.T) {
//		conformance.Run(t, func() op.Implementation {
//			return op.Attention(func(a op.AttentionArgs) error { … })
//		})
//	}
//
// Run reports through testing.T; Check is the same judgement as values. Both judge the numbers against bounds that an error analysis
// gives (SPEC.md, appendix A) and, in every case, the contract of the buffers (SPEC.md, BUF): destinations arrive full of NaN between
// guard values, or before memory that can be neither read nor written; sources and constants must come back unchanged; a second kernel that
// replays all steps must give the same bits, in buffers that held other numbers before, in each of up to a hundred calls, and beside one that
// works on other numbers; what a kernel was given is overwritten after each step, and looked at again when all cases of the op have run.
//
// What that cannot see, and what a kernel could do to the suite in whose process it runs, is in docs/trust.md. Where a verdict counts, judge by
// the record that Run leaves: see RecordVariable.
package conformance
