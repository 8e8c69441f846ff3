package training

// Memory estimates how many bytes a run holds at its largest, to a fifth: the state of the trainer, what the gradient of a micro-batch keeps of its
// forward pass, and a tensor on its way into a checkpoint.
func (c *Config) Memory(text *Text, workers int) float64 {
	const float, double = 4, 8
	l, d, f, v := float64(c.Layers), float64(c.Width), float64(c.FFN), float64(text.Tokenizer.Vocab())
	seq, n := float64(c.Context), float64(c.Batch)*float64(c.Context) // tokens of a window, of a micro-batch

	matrices := v*d + l*(4*d*d+2*d*f)
	parameters := matrices + seq*d + l*(9*d+f) + 2*d
	state := 4*parameters + 2*matrices // weights, gradients, two moments; matrices packed, and their transposes
	largest := max(v*d, l*d*f)         // tensor

	block := n * (7*d + 2*f)                // normalizations, projections, sums: what its gradient reads again
	stats := 2 * n * float64(c.Attrs.Heads) // doubles, of the scores
	stream := n * d                         // between blocks
	scratch := n * (10*d + 2*f)             // of the gradient that runs now, and keys and values
	logits := min(n, max(256, (1<<22)/v)) * v
	tile := float64(workers) * 8 * (seq + 64) * d / float64(c.Attrs.Heads)

	floats := state + 2*largest + l*block + (l+2)*stream + scratch + 2*logits + tile
	doubles := l*stats + n*(2*float64(c.Accumulate)+6)
	return float*floats + double*doubles + float64(text.Train.Size()+text.Validation.Size())
}
