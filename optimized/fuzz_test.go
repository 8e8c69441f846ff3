package optimized_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/oracle"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

// FuzzRun opens any op with any attributes and small tensors, and runs it beside the reference, an op with state several times. Both must refuse
// with an error of the same kind, or agree: integers exactly, floats within the bound. An element that rounding decides is left out: see unsteady.
// So is what would overflow or underflow in float32 beside infinities, of which SPEC.md says nothing.
func FuzzRun(f *testing.F) {
	names := op.Names()
	for i, name := range names {
		for n, found := 0, 0; found < seedsOfOp && n < 1<<8; n++ {
			data := []byte{byte(n), byte(n >> 8)}
			if c := draw(name, data); c.fits() {
				f.Add(uint8(i), data)
				found++
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		draw(names[int(which)%len(names)], data).hold(t)
	})
}

// seedsOfOp is how many inputs of each op, which the op table accepts, are tried wherever tests run.
const seedsOfOp = 2

// drawn is a use of an op that bytes stand for.
type drawn struct {
	spec  op.Spec
	steps [][]op.Tensor // the sources of each
}

// source is bytes; where they end, numbers that they seed go on.
type source struct {
	data    []byte
	rng     *rand.Rand
	plain   bool // floats are independent draws, of which the gauges of composites speak
	special bool // infinities and NaN are among them, and nothing that underflows beside them
}

func newSource(data []byte) *source {
	h := fnv.New64a()
	h.Write(data)
	return &source{data: data, rng: rand.New(rand.NewPCG(h.Sum64(), 0))}
}

// below returns a number from 0 to n-1, n at most 256.
func (s *source) below(n int) int {
	if len(s.data) == 0 {
		return s.rng.IntN(n)
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

// one returns true once in n times.
func (s *source) one(n int) bool { return s.below(n) == n-1 }

func pick[T any](s *source, from ...T) T { return from[s.below(len(from))] }

// draw returns the use of an op that bytes stand for. Most fit the op table, few do not.
func draw(name string, data []byte) drawn {
	row, _ := op.Lookup(name)
	s := newSource(data)
	s.plain, s.special = row.Composite, s.one(4)
	c := drawn{spec: op.Spec{Op: name, Attrs: s.attrs(name)}}
	args, _ := op.Arguments(name)
	sh := shapes{source: s, size: map[string]int{}, odd: 1 + s.below(4*len(args))}
	steps := 1
	if op.Stateful(name) {
		steps += s.below(3)
	}
	c.steps = make([][]op.Tensor, steps)
	for _, a := range args {
		switch {
		case a.Role == op.Const:
			c.spec.Const = append(c.spec.Const, sh.tensor(a))
		case a.Role == op.Src:
			for i := range c.steps {
				c.steps[i] = append(c.steps[i], sh.tensor(a))
			}
		}
	}
	return c
}

// attrs returns attributes as JSON.
func (s *source) attrs(name string) json.RawMessage {
	all, _ := op.Attributes(name)
	var members []string
	for _, a := range all {
		if a.Default == "" && !s.one(100) || a.Default != "" && s.one(max(4, len(all))) {
			members = append(members, fmt.Sprintf("%q:%s", a.Name, s.value(a.Type, a.Want)))
		}
	}
	return json.RawMessage("{" + strings.Join(members, ",") + "}")
}

var quoted = regexp.MustCompile(`"\w+"`)

// value returns an attribute's value as JSON: of strings, one of those that are wanted.
func (s *source) value(typ, want string) string {
	if element, ok := strings.CutPrefix(typ, "a list, each "); ok {
		var list []string
		for range s.below(3) {
			list = append(list, s.value(element, want))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	switch typ {
	case "true or false":
		return "true"
	case "a string":
		return pick(s, quoted.FindAllString(want, -1)...)
	case "an integer":
		return strconv.Itoa(pick(s, 2, 1, 4, 2, 1, 3, 0, 5, 8, -1))
	}
	numbers := []string{"1", "0.5", "0.9", "2", "0", "0.1", "1e-5", "-1", "30", "1e4"}
	if s.special {
		numbers = numbers[:8]
	}
	return pick(s, numbers...)
}

// shapes draw tensors whose dimensions of one name have one length.
type shapes struct {
	*source
	size map[string]int
	lead []int // what ... stands for
	odd  int   // how many tensors before one that is not as the table's rule says, which with some attributes is right
}

// tensor returns a tensor that an argument may be.
func (s *shapes) tensor(a op.Argument) op.Tensor {
	if a.Optional && s.one(2) {
		return op.Tensor{}
	}
	var shape []int
	for _, word := range strings.Fields(a.Rule) {
		if word == "..." {
			shape = append(shape, s.leading()...)
			continue
		}
		shape = append(shape, s.length(word))
	}
	if s.odd--; s.odd == 0 {
		switch s.below(4) {
		case 0:
			return op.Tensor{}
		case 1:
			shape = nil
		case 2:
			shape = append(shape, 2)
		case 3:
			slices.Reverse(shape)
		}
	}
	n, _ := op.Elements(shape)
	if n > mostElements {
		return op.Tensor{}
	}
	switch {
	case a.Types == "i64":
		return op.Int64(s.integers(n), shape...)
	case strings.Contains(a.Types, "bool") && s.one(2):
		bits := make([]bool, n)
		for i := range bits {
			bits[i] = s.rng.IntN(3) > 0
		}
		return op.Bools(bits, shape...)
	}
	return op.Float32(s.floats(n), shape...)
}

// mostElements bounds one tensor, and all results of a step.
const mostElements = 1 << 12

func (s *shapes) leading() []int {
	if s.lead == nil {
		s.lead = []int{}
		for range s.below(4) {
			s.lead = append(s.lead, 1+s.below(4))
		}
	}
	return s.lead
}

// length returns the length of a dimension as a rule has it.
func (s *shapes) length(word string) int {
	name, or1 := strings.CutSuffix(word, "|1")
	if n, err := strconv.Atoi(name); err == nil {
		return n
	}
	if s.size[name] == 0 {
		s.size[name] = pick(s.source, 4, 2, 4, 8, 1, 4, 2, 4, 3, 4, 5, 6, 17, 33)
	}
	if or1 && s.one(2) {
		return 1
	}
	return s.size[name]
}

// integers returns n numbers, few of them outside most tables.
func (s *source) integers(n int) []int64 {
	x := make([]int64, n)
	mode, most := s.below(8), 1+s.below(4)
	for i := range x {
		switch x[i] = int64(s.rng.IntN(most)); {
		case mode == 0:
			x[i] = int64(i) // the table of bytes, say
		case mode == 1:
			x[i] = int64(s.below(256))
		case mode == 2 && s.rng.IntN(8) == 0:
			x[i] = []int64{-1, -100, math.MinInt64, math.MaxInt64, 1 << 32}[s.rng.IntN(5)]
		}
	}
	return x
}

// floats returns n numbers.
func (s *source) floats(n int) []float32 {
	x := make([]float32, n)
	mode, scale, unit := s.below(4), pick(s, 1, 1, 0.1, 10, 0.01, 100), 1.0/8
	if s.special {
		scale, unit = 1, 1.0/128
	}
	for i := range x {
		v := s.rng.NormFloat64() * scale
		switch {
		case s.special && mode == 0 && s.rng.IntN(8) == 0:
			v = []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN()}[s.rng.IntN(5)]
		case s.plain:
		case mode == 1: // with ties, and with sums that cancel
			v = float64(s.below(256)-128) * unit
		case mode == 2: // of one sign
			v = math.Abs(v)
		case mode == 3 && s.rng.IntN(8) == 0:
			v = scale
		}
		x[i] = float32(v)
	}
	return x
}

// fits reports whether the op table accepts every step, with results that are not many.
func (c drawn) fits() bool {
	for _, src := range c.steps {
		dst, err := op.Results(c.spec, src, op.F32)
		if err != nil {
			return false
		}
		total := 0
		for _, d := range dst {
			n, _ := op.Elements(d.Shape)
			total += n
		}
		if total > 2*mostElements {
			return false
		}
	}
	return true
}

func (c drawn) String() string {
	s := fmt.Sprintf("%s %s", c.spec.Op, c.spec.Attrs)
	for _, ts := range append([][]op.Tensor{c.spec.Const}, c.steps...) {
		s += " |"
		for _, t := range ts {
			s += fmt.Sprintf(" %v%v", t.DType, t.Shape)
		}
	}
	return s
}

// hold runs the use on both, up to the first step that they refuse.
func (c drawn) hold(t *testing.T) {
	if !c.fits() && len(c.steps) > 1 { // what the table refuses in a later step, it refuses in a first
		c.steps = c.steps[:1]
	}
	got, gotErr := c.trace(optimized.New(), op.F32)
	want, wantErr := c.trace(refimpl.New(), op.F64)
	if kind(gotErr) != kind(wantErr) || len(got) != len(want) {
		t.Fatalf("%v\nafter %d steps: got error %v\nafter %d steps: want error %v", c, len(got), gotErr, len(want), wantErr)
	}
	if c.steps = c.steps[:len(want)]; len(want) == 0 {
		return
	}
	_, gauges, err := oracle.Biased.Evaluate(c.use(), probes, oracle.Acc, oracle.Eta)
	if errors.Is(err, oracle.ErrUnsteady) {
		return
	}
	if err != nil {
		t.Fatalf("%v: the oracle: %v", c, err)
	}
	for step, results := range want {
		for i, w := range results {
			at, bound := differ(got[step][i], w, gauges[0])
			if at >= 0 && !c.unsteady(step, i, at, bound) {
				t.Fatalf("%v\nstep %d, result %d, element %d of %v: got %.9g, want %.9g, bound %.3g", c, step, i, at, w.Shape, got[step][i].At(at), w.At(at), bound)
			} else if at >= 0 {
				return
			}
			gauges = gauges[1:]
		}
	}
}

func (c drawn) use() oracle.Use {
	use := oracle.Use{Spec: c.spec}
	for _, src := range c.steps {
		use.Steps = append(use.Steps, oracle.Step{Src: src})
	}
	return use
}

// unsteady reports whether rounding decides what an element is, so that no gauge speaks of it: an integer, or where errors of float32's size,
// and of a part of that, do not move a float in proportion.
func (c drawn) unsteady(step, result, element int, bound float64) bool {
	exact, err := c.use().Trace(refimpl.New(), func(t op.Tensor) op.Tensor { return t })
	for seed := uint64(0); err == nil && seed < 16; seed++ {
		const size, part = 0x1p-21, 0x1p-6
		var far, near [][]op.Tensor
		if far, err = c.moved(seed, size); err != nil {
			break
		}
		if near, err = c.moved(seed, size*part); err != nil {
			break
		}
		x, y, z := exact[step][result].At(element), far[step][result].At(element), near[step][result].At(element)
		if exact[step][result].DType == op.I64 && y != x || math.Abs((y-x)-(z-x)/part) > bound {
			return true
		}
	}
	return err != nil
}

// moved returns the results of the reference with errors of a size in what it computes, and in the numbers that it is given.
func (c drawn) moved(seed uint64, size float64) ([][]op.Tensor, error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	args, _ := op.Arguments(c.spec.Op)
	sources := slices.DeleteFunc(args, func(a op.Argument) bool { return a.Role != op.Src })
	use := c.use()
	for i, s := range use.Steps {
		use.Steps[i].Src = slices.Clone(s.Src)
		for n, t := range s.Src {
			if sources[n].Name != "draws" || c.spec.Op == "init" || !t.Present() {
				continue
			}
			draws := op.New(op.I64, t.Shape...)
			for j, x := range t.I64 {
				draws.I64[j] = min(max(x+int64(rng.NormFloat64()*size*(1<<32)), 0), math.MaxUint32)
			}
			use.Steps[i].Src[n] = draws
		}
	}
	return use.Trace(refimpl.With(oracle.Random.Perturbed(seed, size)), func(t op.Tensor) op.Tensor {
		if t.DType != op.F64 {
			return t
		}
		out := op.New(op.F64, t.Shape...)
		for i, x := range t.F64 {
			if out.F64[i] = x; !math.IsInf(x, 0) {
				out.F64[i] += rng.NormFloat64() * size * (1 + math.Abs(x))
			}
		}
		return out
	})
}

// probes is how many vectors of errors estimate the gauges of a composite.
const probes = 8

// trace returns the results of the steps up to the first that is refused, and its error.
func (c drawn) trace(impl op.Implementation, storage op.DType) (results [][]op.Tensor, err error) {
	spec := c.spec
	spec.Const = convert(spec.Const, storage)
	k, err := impl.Open(spec)
	if err != nil {
		return nil, err
	}
	for _, src := range c.steps {
		src = convert(src, storage)
		dst, err := op.Shapes(spec, src, storage)
		if err != nil {
			return results, err
		}
		for _, d := range dst {
			for i := range d.F32 {
				d.F32[i] = float32(math.NaN())
			}
		}
		if err := k.Run(dst, src); err != nil {
			return results, err
		}
		results = append(results, dst)
	}
	return results, nil
}

// kind returns what kind of fault an error is about. Of several wrong values in one call, either side may name any.
func kind(err error) string {
	for name, sentinels := range map[string][]error{
		"support": {op.ErrUnsupported}, "attributes": {op.ErrAttrs}, "shape": {op.ErrShape}, "dtype": {op.ErrDType},
		"values": {op.ErrIndex, op.ErrPosition, op.ErrCapacity, op.ErrNumber},
	} {
		if slices.ContainsFunc(sentinels, func(s error) bool { return errors.Is(err, s) }) {
			return name
		}
	}
	return fmt.Sprint(err)
}

// differ returns the first element of a result that is not what the reference gives, within its bound; -1 where there is none.
func differ(got, want op.Tensor, g oracle.Gauges) (at int, bound float64) {
	formats := op.FormatsOf(optimized.New())
	from := op.Origin{Inputs: op.Float32Format, Roundoff: op.Float64Format.UnitRoundoff()}
	for i, w := range want.I64 {
		if got.I64[i] != w {
			return i, 0
		}
	}
	for i, w := range want.F64 {
		v := float64(got.F32[i])
		bound := formats.Bound(w, op.Gauge{Acc: g.Acc[i], Eta: g.Eta[i]}, from)
		ok := v == w || math.IsNaN(v) && math.IsNaN(w)
		switch {
		case ok || math.IsInf(w, 0):
		case math.IsInf(v, 0):
			ok = math.Signbit(v) == math.Signbit(w) && math.Abs(w)+bound >= math.MaxFloat32
		default:
			ok = math.Abs(v-w) <= bound
		}
		if !ok {
			return i, bound
		}
	}
	return -1, 0
}
