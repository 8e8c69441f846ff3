package benchmarks

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"

	"github.com/assaykit/assay/benchmarks/gonumimpl"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

// ErrWrong is wrapped by the error of an implementation whose results are not right, before timing or after it.
var ErrWrong = errors.New("wrong result")

// Contender is an implementation that benchmarks measure.
type Contender struct {
	Name string // as the key impl has it
	New  func() op.Implementation
	Slow bool // measured on small workloads only
}

// Contenders returns those that stand side by side.
func Contenders() []Contender {
	return []Contender{
		{Name: "reference", New: refimpl.New, Slow: true},
		{Name: "optimized", New: func() op.Implementation { return optimized.New() }},
		{Name: "gonum", New: gonumimpl.New},
	}
}

// takes reports whether the contender is measured on a workload.
func (c Contender) takes(w Workload, impl op.Implementation) bool {
	return (!c.Slow || w.Small) && op.Offers(impl, w.Op)
}

// sets is how many sets of inputs a measurement rotates through.
const sets = 3

// bench is a workload with its numbers, its cost and what its results must be: everything that contenders share.
type bench struct {
	Workload
	spec         op.Spec
	context      []op.Tensor // nil where there is none
	inputs       [sets][]op.Tensor
	want         [sets]expectation
	flops, bytes float64
}

func newBench(w Workload) (*bench, error) {
	p := &bench{Workload: w, spec: w.Spec()}
	if w.Context != nil {
		p.context = w.Context()
	}
	h := fnv.New64a()
	h.Write([]byte(w.Name))
	var err error
	for s := range sets {
		p.inputs[s] = w.Inputs(s)
	}
	if p.flops, p.bytes, err = Cost(p.spec, p.inputs[0]); err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	for s := range sets {
		if p.want[s], err = expect(p.spec, p.context, p.inputs[s], h.Sum64()+uint64(s), probesFor(p.flops)); err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	return p, nil
}

// entrant is one kernel on one workload. Its buffers are its own.
type entrant struct {
	*bench
	kernel  op.Kernel
	formats op.Formats
	src     [sets][]op.Tensor
	dst     []op.Tensor
	first   [sets][]op.Tensor // the results before timing
	moved   int               // how often the contents of src were exchanged

	impl   op.Implementation
	shadow shadow
	taken  int // steps of a stateful op
}

// open opens a kernel, fills its cache, and verifies its results on every set of inputs. Its error wraps ErrWrong where they are wrong,
// op.ErrUnsupported where the implementation does not offer the op.
func (p *bench) open(impl op.Implementation) (*entrant, error) {
	s := &entrant{bench: p, formats: op.FormatsOf(impl)}
	storage := s.formats.Storage
	if storage.UnitRoundoff() > op.Float32Format.UnitRoundoff() {
		return nil, op.Unsupported(p.spec.Op, "benchmarks have inputs in float32, which "+string(storage)+" storage would round")
	}
	spec := p.spec
	spec.Const = clone(p.spec.Const, storage.DType())
	s.impl = impl
	var err error
	if s.kernel, err = impl.Open(spec); err != nil {
		return nil, err
	}
	if err := s.begin(spec, storage.DType()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *entrant) begin(spec op.Spec, storage op.DType) (err error) {
	if s.context != nil {
		if err := fillCache(s.kernel, spec, clone(s.context, storage), storage); err != nil {
			return err
		}
	}
	for i := range sets {
		s.src[i] = clone(s.inputs[i], storage)
	}
	if s.dst, err = op.Shapes(spec, s.src[0], storage); err != nil {
		return err
	}
	for i := range sets {
		if s.Stateful {
			if err := s.reopen(spec); err != nil {
				return err
			}
			s.taken = i
		}
		if err := s.runFresh(i); err != nil {
			return err
		}
		if err := s.want[i].check(s.dst, s.formats); err != nil {
			return fmt.Errorf("before timing: %w", err)
		}
		s.first[i] = clone(s.dst, storage)
	}
	if s.Stateful {
		return s.follow(spec, storage)
	}
	return nil
}

func fillCache(k op.Kernel, spec op.Spec, context []op.Tensor, storage op.DType) error {
	dst, err := op.Shapes(spec, context, storage)
	if err != nil {
		return err
	}
	return k.Run(dst, context)
}

// clone copies tensors, in a float type.
func clone(ts []op.Tensor, d op.DType) []op.Tensor {
	out := make([]op.Tensor, len(ts))
	for i, t := range ts {
		out[i] = t.Convert(d)
		out[i].F32, out[i].F64 = slices.Clone(out[i].F32), slices.Clone(out[i].F64)
		out[i].I64, out[i].Bool = slices.Clone(t.I64), slices.Clone(t.Bool)
	}
	return out
}

// step is what is timed: one Run, on each set of inputs in turn.
func (s *entrant) step(i int) error {
	if s.Stateful { // a state is what all steps made it, so they are counted
		i = s.taken
		s.taken++
	}
	return s.kernel.Run(s.dst, s.src[i%sets])
}

// runFresh is step into destinations that hold nothing but NaN, and integers that no result has.
func (s *entrant) runFresh(i int) error {
	for _, t := range s.dst {
		for j := range t.F32 {
			t.F32[j] = float32(math.NaN())
		}
		for j := range t.F64 {
			t.F64[j] = math.NaN()
		}
		for j := range t.I64 {
			t.I64[j] = math.MinInt64
		}
	}
	return s.step(i)
}

// verify holds the results after timing to those before, bit for bit: first as in timing, each written over that of another set, so that a
// kernel which computes only into a fresh destination leaves the wrong one; then into a destination of NaN, after the contents of the
// sets were exchanged between their buffers, so that a kernel which knows its inputs by their address gives another set's result.
func (s *entrant) verify() error {
	if s.Stateful {
		return s.verifyState()
	}
	for i := range sets {
		if err := s.again(s.step, i); err != nil {
			return err
		}
	}
	s.exchange()
	s.moved++
	for i := range sets {
		if err := s.again(s.runFresh, i); err != nil {
			return err
		}
	}
	return nil
}

// again runs set i once more and holds the result to the first.
func (s *entrant) again(run func(i int) error, i int) error {
	if err := run(i); err != nil {
		return err
	}
	for n, want := range s.first[(i+s.moved)%sets] {
		for j := range want.Len() {
			if got := s.dst[n].At(j); math.Float64bits(got) != math.Float64bits(want.At(j)) {
				return fmt.Errorf("after timing: %w: element %d of %v is %v, and was %v before for the same inputs", ErrWrong, j, want.Shape, got, want.At(j))
			}
		}
	}
	return nil
}

// exchange moves the contents of each set's buffers to those of the set before it.
func (s *entrant) exchange() {
	first := clone(s.src[0], 0)
	for i := range sets {
		from := first
		if i+1 < sets {
			from = s.src[i+1]
		}
		for j, t := range s.src[i] {
			copy(t.F32, from[j].F32)
			copy(t.F64, from[j].F64)
			copy(t.I64, from[j].I64)
			copy(t.Bool, from[j].Bool)
		}
	}
}

func (s *entrant) close() error {
	return errors.Join(closeKernel(s.kernel), closeKernel(s.shadow.kernel))
}

func closeKernel(k op.Kernel) error {
	if c, ok := k.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
