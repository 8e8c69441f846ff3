// Package mutant keeps the error model honest with two catalogues: planted bugs, which the golden vectors must catch, and correct
// variants, which they must pass. A bound that is too loose lets a mutant live; one that is too tight fails a variant.
//
// Both are made from one plain float32 implementation of all ops. It is a struct of parts, each a decision that kernels get wrong; a
// mutant replaces one part, a variant its arithmetic. It shares no code with the reference or the optimized implementation.
//
// What belongs to an op lies in the file of its family, which registers it: the parts and what is right (parts), the function that
// computes the op (offer) and, below it, its gradient, which is given what the forward function was given and computes again what that
// computed on the way; and the planted bugs (plant), in a file of their own where one would be too long. Kernels whose arithmetic is
// right and that misuse buffers lie in buffer_bugs.go. A new family whose bugs replace parts of its own adds the line that embeds them
// to plain; nothing else is edited.
package mutant
