// Package mutant keeps the error model honest with two catalogues: planted bugs, which the golden vectors must catch, and correct
// variants, which they must pass. A bound that is too loose lets a mutant live; one that is too tight fails a variant.
//
// Both are made from one plain float32 implementation of all ops. It is a struct of parts, each a decision that kernels get wrong; a
// mutant replaces one part, a variant its arithmetic. It shares no code with the reference or the optimized implementation.
package mutant
