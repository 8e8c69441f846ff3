package mutant

import (
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
)

// plain computes all ops in float32, naively. Its parts are the decisions in which kernels go wrong; correct sets the right ones.
type plain struct {
	formats op.Formats
	offers  []string // the ops

	// Arithmetic.
	dot   func(x, y []float32) float32 // sum x_i y_i
	sum   func(x []float32) float32
	store func(x float32) float32 // rounding of what one primitive hands to the next

	// The parts of each family stand in its file, with what is right.
	matmulParts
	linearParts
	softmaxParts
	activationParts
	layerNormParts
	rmsNormParts
	embeddingParts
	positionParts
	rotaryParts
	attentionParts
	cacheParts
	mhaParts
	ffnParts
	swigluParts
	blockParts
	modelParts
	lossParts
	initParts
	optimizerParts
	clipParts
	scheduleParts
	trainerParts
	decodingParts
	searchParts
	generationParts
	textParts
	cleanParts
	codecParts
	batchParts

	attributes func(a []byte) []byte // as they are understood

	// around wraps each kernel, for bugs that are not in the mathematics.
	around func(k op.Kernel) op.Kernel
}

// correct returns the implementation without a bug, which sums from the first term to the last.
func correct() *plain {
	p := &plain{
		formats: op.Formats{Storage: op.Float32Format, Accumulate: op.Float32Format},
		offers:  slices.DeleteFunc(op.Names(), func(name string) bool { return offered[name] == nil }),

		dot: forward, store: func(x float32) float32 { return x },

		attributes: func(a []byte) []byte { return a }, around: func(k op.Kernel) op.Kernel { return k },
	}
	p.sum = func(x []float32) float32 { return p.dot(x, ones(len(x))) }
	for _, set := range correctParts {
		set(p)
	}
	return p
}

// What the files of the families register.
var (
	correctParts []func(p *plain)                                // what sets the right parts of a family
	offered      = map[string]func(p *plain) op.Implementation{} // by op
)

// parts registers what sets the right parts of a family. It must not read other parts, which may not be set yet; a part that is made of
// others asks p for them when it is called.
func parts(set func(p *plain)) struct{} {
	correctParts = append(correctParts, set)
	return struct{}{}
}

// offer registers the function that computes the op of A.
func offer[A op.Args](run func(p *plain, a A) error) struct{} {
	return register[A](func(p *plain) op.Implementation { return op.Func(func(a A) error { return run(p, a) }) })
}

// offerKernel registers the function that opens a kernel of the op of A, one with a state.
func offerKernel[A op.Args](open func(p *plain, a A) (op.Runner[A], error)) struct{} {
	return register[A](func(p *plain) op.Implementation {
		return op.Open(func(a A) (op.Runner[A], error) { return open(p, a) })
	})
}

func register[A op.Args](implementation func(p *plain) op.Implementation) struct{} {
	var a A
	if offered[a.Op()] != nil {
		panic("mutant: " + a.Op() + " is offered twice")
	}
	offered[a.Op()] = implementation
	return struct{}{}
}

// Offers says which ops the implementation has: see op.Offers.
func (p *plain) Offers(name string) bool { return slices.Contains(p.offers, name) }

// Open implements op.Implementation.
func (p *plain) Open(spec op.Spec) (op.Kernel, error) {
	name := spec.Op
	if !slices.Contains(p.offers, name) {
		return nil, op.Unsupported(name, "this variant offers "+strings.Join(p.offers, ", "))
	}
	consts, err := p.take(name, spec.Const)
	if err != nil {
		return nil, err
	}
	k, err := offered[name](p).Open(op.Spec{Op: name, Attrs: p.attributes(spec.Attrs), Const: consts})
	if err != nil {
		return nil, err
	}
	return p.around(kernel(func(dst, src []op.Tensor) error {
		src, err := p.take(name, src)
		if err != nil {
			return err
		}
		return k.Run(dst, src)
	})), nil
}

// take returns the inputs in the storage format.
func (p *plain) take(name string, ts []op.Tensor) ([]op.Tensor, error) {
	out := make([]op.Tensor, len(ts))
	for i, t := range ts {
		switch out[i] = t; t.DType {
		case op.F64:
			return nil, op.Unsupported(name, "float64 tensors: this implementation computes in float32")
		case op.F32:
			if p.formats.Storage != op.Float32Format {
				out[i].F32 = make([]float32, len(t.F32))
				for j, x := range t.F32 {
					out[i].F32[j] = p.store(x)
				}
			}
		}
	}
	return out, nil
}

// giveAll stores the gradients of parameters in their destinations.
func (p *plain) giveAll(dsts []op.Tensor, grads [][]float32) {
	for i, x := range grads {
		p.give(dsts[i], x)
	}
}

// kernel is a function as an op.Kernel.
type kernel func(dst, src []op.Tensor) error

func (k kernel) Run(dst, src []op.Tensor) error { return k(dst, src) }

func (p *plain) storeAll(x []float32) {
	for i := range x {
		x[i] = p.store(x[i])
	}
}

// give stores x in a destination, where it is present.
func (p *plain) give(dst op.Tensor, x []float32) {
	for i := range dst.F32 {
		dst.F32[i] = p.store(x[i])
	}
}
