package onnx

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/assaykit/assay/conformance/op"
)

// errUnsupported is wrapped by the reasons why a test is not judged.
var errUnsupported = errors.New("not translated")

// failure is what a translation panics with: it is long, and every step of it can fail. Package functions recover it; nothing else is.
type failure struct{ error }

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// require fails with a corrupt-file error unless ok.
func require(ok bool, format string, args ...any) {
	if !ok {
		fail("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
	}
}

// support fails with an unsupported error unless ok.
func support(ok bool, format string, args ...any) {
	if !ok {
		fail("%w: %s", errUnsupported, fmt.Sprintf(format, args...))
	}
}

// recovered turns a failure into an error, and lets other panics pass.
func recovered(err *error) {
	switch r := recover().(type) {
	case nil:
	case failure:
		*err = r.error
	default:
		panic(r)
	}
}

// maxElements bounds every tensor that a translation makes, so that the dimensions of a small file cannot ask for all memory.
const maxElements = 1 << 24

// bounded fails where a tensor of this shape would be larger, and returns the shape.
func bounded(shape ...int) []int {
	n, ok := op.Elements(shape)
	support(ok && n <= maxElements, "a tensor of shape %v: none without elements, and none with more than 2^24, is made", shape)
	return shape
}

// session is a translation's way to the boundary. Floats are F64 on its side, and of the implementation's storage on the other.
type session struct {
	impl  op.Implementation
	float op.DType
}

func newSession(impl op.Implementation) *session {
	return &session{impl, op.FormatsOf(impl).Storage.DType()}
}

type attrs map[string]any

// call runs an op once and returns its results.
func (s *session) call(name string, a attrs, consts, src []op.Tensor) []op.Tensor {
	raw, err := json.Marshal(a)
	if a == nil {
		raw = nil
	}
	if err != nil {
		fail("%s: %w", name, err)
	}
	convert := func(ts []op.Tensor) []op.Tensor {
		out := make([]op.Tensor, len(ts))
		for i, t := range ts {
			out[i] = t.Convert(s.float)
		}
		return out
	}
	spec := op.Spec{Op: name, Attrs: raw, Const: convert(consts)}
	src = convert(src)
	dst, err := op.Results(spec, src, s.float)
	if err != nil {
		fail("%w: %w", ErrCorrupt, err) // the model's shapes do not fit each other
	}
	for i, d := range dst {
		if d.Present() {
			dst[i] = op.New(d.DType, bounded(d.Shape...)...)
		}
	}
	kernel, err := s.impl.Open(spec)
	if err == nil {
		err = kernel.Run(dst, src)
	}
	switch {
	case errors.Is(err, op.ErrUnsupported):
		fail("%w: %w", errUnsupported, err)
	case err != nil:
		fail("%w", err)
	}
	for i := range dst {
		dst[i] = dst[i].Convert(op.F64)
	}
	return dst
}
