package reference

import (
	"fmt"
	"math"
)

// Positions names how a model learns where a token stands.
type Positions string

// The position encodings.
const (
	PositionsLearned    Positions = "learned"    // rows of a trained table: GPT-2, GPT-3
	PositionsSinusoidal Positions = "sinusoidal" // SinusoidalPositions: Vaswani et al. 2017
	PositionsNone       Positions = "none"
)

// GPTWeights are the weights of a decoder-only language model: Wte [V,d], Wpe [n_ctx,d] (learned positions only), the
// blocks, the final LayerNorm [d] (pre-norm only) and Wout [d,V] (zero: the output is tied to Wte).
type GPTWeights struct {
	Wte, Wpe          Matrix
	Blocks            []BlockWeights
	LNfGamma, LNfBeta []float64
	Wout              Matrix
}

// Parameters returns the data of every weight, block by block; nil for one that is absent.
func (w GPTWeights) Parameters() [][]float64 {
	all := [][]float64{w.Wte.Data, w.Wpe.Data}
	for _, block := range w.Blocks {
		all = append(all, block.Parameters()...)
	}
	return append(all, w.LNfGamma, w.LNfBeta, w.Wout.Data)
}

// GPT returns the logits of a decoder-only language model (Radford et al. 2019; Brown et al. 2020), ids [T] -> [T,V]
//
//	h_0 = wte[ids] (* sqrt(d) with ScaleEmbedding) + positions 0, 1, ..., T-1
//	h_l = block_l(h_l-1)                              causal, layer l with its window
//	logits = LNf(h_L) wte^T  (or w_out, untied)       post-norm: no LNf
//
// An id outside [0, V) is an error that wraps ErrIndex. Where positions are learned, T above n_ctx is one that wraps
// ErrPosition; other positions have no end.
func (p Primitives) GPT(ids []int, w GPTWeights, cfg Config) (Matrix, error) {
	return p.gpt(ids, 0, w, cfg, func(int) attender { return p.GroupedAttention })
}

// gpt evaluates ids at positions pos, pos+1, ...; attend gives the attender of each layer.
func (p Primitives) gpt(ids []int, pos int, w GPTWeights, cfg Config, attend func(layer int) attender) (Matrix, error) {
	require(len(w.Blocks) == cfg.Layers, "GPT: %d blocks of weights, the model has %d layers", len(w.Blocks), cfg.Layers)
	require(cfg.Tied == (w.Wout.Data == nil), "GPT: tied is %v, w_out is %dx%d", cfg.Tied, w.Wout.Rows, w.Wout.Cols)
	h, err := p.input(ids, pos, w, cfg)
	if err != nil {
		return Matrix{}, err
	}
	for l, block := range w.Blocks {
		h = p.block(h, block, cfg.Block(l), attend(l))
	}
	if cfg.Norm == PreNorm {
		h = p.LayerNorm(h, w.LNfGamma, w.LNfBeta, cfg.Eps)
	}
	return p.Linear(h, w.output(), nil), nil
}

// output returns the output matrix [d,V]: wte^T where it is tied.
func (w GPTWeights) output() Matrix {
	if w.Wout.Data == nil {
		return w.Wte.T()
	}
	return w.Wout
}

// input returns h_0: the embeddings of ids plus the encodings of positions pos, pos+1, ...
func (p Primitives) input(ids []int, pos int, w GPTWeights, cfg Config) (Matrix, error) {
	h, err := p.Embed(ids, w.Wte)
	if err != nil {
		return Matrix{}, err
	}
	if cfg.ScaleEmbedding {
		h = p.ScaleBy(h, math.Sqrt(float64(cfg.DModel)))
	}
	positions := make([]int, len(ids))
	for t := range positions {
		positions[t] = pos + t
	}
	var encoding Matrix
	switch cfg.Positions {
	case PositionsNone:
		return h, nil
	case PositionsLearned:
		encoding, err = LearnedPositions(positions, w.Wpe)
	case PositionsSinusoidal:
		encoding, err = p.Sinusoid(positions, cfg.DModel)
	default:
		err = fmt.Errorf("reference: GPT: positions is %q, use learned, sinusoidal or none: %w", cfg.Positions, ErrConfig)
	}
	if err != nil {
		return Matrix{}, err
	}
	return p.Add(h, encoding), nil
}

// GPTLoss returns the CrossEntropyRows of GPT's logits: ids [T], targets [T] -> [T].
func (p Primitives) GPTLoss(ids, targets []int, ignoreIndex int, w GPTWeights, cfg Config) ([]float64, error) {
	logits, err := p.GPT(ids, w, cfg)
	if err != nil {
		return nil, err
	}
	return p.CrossEntropyRows(logits, targets, ignoreIndex)
}

// GPTLossGrad returns the gradients of a sum of GPTLoss' losses, each times its dloss, with respect to every weight: ids, targets and
// dlosses [T]. From the last step to the first:
//
//	dlogits           = that of the losses
//	dn, dwout         = those of Linear at logits = n wout, with n = LNf(h_L); post-norm: n = h_L
//	dh_L, dLNf        = those of LNf
//	dh_l-1, dblock_l  = those of block l, at the h_l-1 of the way there
//	dwpe, dwte        = the sums of dh_0 by position, and (* sqrt(d) with ScaleEmbedding) by token
//
// Tied, dwte is the sum of both uses: that as embedding and dwout^T. Errors are those of GPTLoss.
func (p Primitives) GPTLossGrad(ids, targets []int, ignoreIndex int, dlosses []float64, w GPTWeights, cfg Config) (GPTWeights, error) {
	h, err := p.input(ids, 0, w, cfg)
	if err != nil {
		return GPTWeights{}, err
	}
	inputs := make([]Matrix, cfg.Layers) // h_l-1 of each block
	for l, block := range w.Blocks {
		inputs[l] = h
		h = p.Block(h, block, cfg.Block(l))
	}
	n := h
	if cfg.Norm == PreNorm {
		n = p.LayerNorm(h, w.LNfGamma, w.LNfBeta, cfg.Eps)
	}
	logits := p.Linear(n, w.output(), nil)

	dw := GPTWeights{Blocks: make([]BlockWeights, cfg.Layers)}
	dlogits, err := p.CrossEntropyRowsGrad(logits, targets, ignoreIndex, dlosses)
	if err != nil {
		return GPTWeights{}, err
	}
	dh, dwout, _ := p.LinearGrad(n, w.output(), nil, dlogits)
	if cfg.Norm == PreNorm {
		dh, dw.LNfGamma, dw.LNfBeta = p.LayerNormGrad(h, w.LNfGamma, cfg.Eps, dh)
	}
	for l := cfg.Layers - 1; l >= 0; l-- {
		dh, dw.Blocks[l] = p.BlockGrad(inputs[l], w.Blocks[l], cfg.Block(l), dh)
	}
	if dw.Wte, dw.Wpe, err = p.inputGrad(ids, w, cfg, dh); err != nil {
		return GPTWeights{}, err
	}
	if cfg.Tied {
		dw.Wte = p.Add(dw.Wte, dwout.T())
	} else {
		dw.Wout = dwout
	}
	return dw, nil
}

// inputGrad returns the gradients of input, h_0 = wte[ids] (* sqrt(d)) + wpe[0, 1, ...], from that of h_0. dwpe is zero where positions
// are not learned.
func (p Primitives) inputGrad(ids []int, w GPTWeights, cfg Config, dh Matrix) (dwte, dwpe Matrix, err error) {
	if cfg.Positions == PositionsLearned {
		positions := make([]int, len(ids))
		for t := range positions {
			positions[t] = t
		}
		if dwpe, err = p.EmbedGrad(positions, w.Wpe.Rows, dh); err != nil {
			return Matrix{}, Matrix{}, err
		}
	}
	if cfg.ScaleEmbedding {
		dh = p.ScaleBy(dh, math.Sqrt(float64(cfg.DModel)))
	}
	dwte, err = p.EmbedGrad(ids, w.Wte.Rows, dh)
	return dwte, dwpe, err
}

// GPTState is what a model remembers of one sequence between steps: a KVCache per layer.
type GPTState struct {
	caches []*KVCache
}

// NewGPTState returns the state of an empty sequence that can grow to capacity positions.
func NewGPTState(cfg Config, capacity int) *GPTState {
	s := &GPTState{caches: make([]*KVCache, cfg.Layers)}
	for l := range s.caches {
		s.caches[l] = NewKVCache(cfg.Block(l).MHA.kvHeads(), capacity)
	}
	return s
}

// Len returns the number of positions held.
func (s *GPTState) Len() int { return s.caches[0].Len() }

// Clone returns a state that holds the same and goes its own way.
func (s *GPTState) Clone() *GPTState {
	c := &GPTState{caches: make([]*KVCache, len(s.caches))}
	for l, cache := range s.caches {
		c.caches[l] = cache.Clone()
	}
	return c
}

// GPTStep keeps the first pos positions of the state, evaluates ids at positions pos, pos+1, ... and returns their logits,
// ids [T] -> [T,V]. They are the rows pos to pos+T-1 of GPT's logits for the whole sequence: all that changes is that each
// layer attends over its cache.
//
// Errors are those of GPT and of KVCache.Append; an error leaves the state as it was.
func (p Primitives) GPTStep(s *GPTState, ids []int, pos int, w GPTWeights, cfg Config) (Matrix, error) {
	if err := s.caches[0].admits(pos, len(ids)); err != nil {
		return Matrix{}, err
	}
	return p.gpt(ids, pos, w, cfg, func(layer int) attender { return p.over(s.caches[layer], pos) })
}
