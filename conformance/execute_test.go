package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// traceOf is a trace of a case of relu with these steps, for an implementation in float32.
func traceOf(t *testing.T, steps ...[2]float64) trace {
	t.Helper()
	c := &vector.Case{ID: "relu/trace", Clauses: []string{"ACT-1"}, Attrs: json.RawMessage("{}"), Compare: vector.Bound}
	for _, s := range steps {
		c.Steps = append(c.Steps, vector.Step{
			Src: []vector.Input{{Name: "x", DType: op.F32, Type: "F32", Shape: []int{1}, Data: op.Float32([]float32{float32(s[0])}, 1)}},
			Dst: []vector.Expect{{Name: "y", Shape: []int{1}, Want: []float64{s[1]}, Acc: []float64{0}, In: []float64{0}}},
		})
	}
	return loaded(t, opCase{"relu", c})
}

func loaded(t *testing.T, c opCase) trace {
	t.Helper()
	ts, err := c.tensorsIn(op.Float32Format)
	if err != nil {
		t.Fatal(err)
	}
	return trace{opCase: c, tensors: ts}
}

// opens is an implementation by a function that is called for each kernel.
type opens func(op.Spec) (op.Kernel, error)

func (o opens) Open(s op.Spec) (op.Kernel, error) { return o(s) }

// runs is a kernel by its Run.
type runs func(dst, src []op.Tensor) error

func (r runs) Run(dst, src []op.Tensor) error { return r(dst, src) }

func identity(dst, src []op.Tensor) error {
	copy(dst[0].F32, src[0].F32)
	return nil
}

// says executes the case, with replays, and wants a failure that says so; "" is none.
func says(t *testing.T, tr trace, impl opens, want string) {
	t.Helper()
	tr.impl = impl
	_, err := execute(tr, f32Formats, 1, false)
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// A kernel that remembers a tensor of an earlier step, and not what it held, is right until the caller uses its memory again.
func TestKeptReferences(t *testing.T) {
	p := traceOf(t, [2]float64{1, 1}, [2]float64{2, 1}, [2]float64{3, 2}) // each step gives what the one before was given
	p.op = "attention.cached"                                             // a stateful op
	keep := func(clone bool) opens {
		return func(op.Spec) (op.Kernel, error) {
			var last []float32
			return runs(func(dst, src []op.Tensor) error {
				if last == nil {
					last = src[0].F32
				}
				copy(dst[0].F32, last)
				if last = src[0].F32; clone {
					last = append([]float32(nil), last...)
				}
				return nil
			}), nil
		}
	}
	says(t, p, keep(true), "")
	says(t, p, keep(false), "BUF-7] step 1: y is right only while the tensors of earlier steps are left alone")
	says(t, p, func(op.Spec) (op.Kernel, error) { return runs(identity), nil }, "ACT-1] step 1: y[0]: got 2, want 1")
}

// A function's kernel gives the same after it has done other work. What it keeps of that shows: a result, or what was summed up.
func TestUsedKernels(t *testing.T) {
	kernel := func(f func(runs int, kept *float32, x float32) float32) opens {
		return func(op.Spec) (op.Kernel, error) {
			var kept float32
			n := 0
			return runs(func(dst, src []op.Tensor) error {
				dst[0].F32[0] = f(n, &kept, src[0].F32[0])
				n++
				return nil
			}), nil
		}
	}
	p := traceOf(t, [2]float64{2, 2})
	says(t, p, kernel(func(_ int, _ *float32, x float32) float32 { return x }), "")
	says(t, p, kernel(func(n int, first *float32, x float32) float32 {
		if n == 0 {
			*first = x
		}
		return *first
	}), "BUF-4] step 0: y[0]: 2 in one run, -2 in another")
	for _, last := range []int{9, 100} {
		says(t, p, kernel(func(n int, _ *float32, x float32) float32 {
			if n >= last {
				return 7
			}
			return x
		}), fmt.Sprintf("BUF-4] step 0: y[0]: 2 in the first call of a kernel, 7 in call %d", last))
	}
	sum := kernel(func(_ int, sum *float32, x float32) float32 { *sum += x; return *sum })
	says(t, p, sum, "BUF-4] step 0: y[0]: 0 in the first call of a kernel, 2 in call 2")
	p.impl = sum
	if _, err := execute(p, f32Formats, 1, true); err != nil {
		t.Errorf("once: %v", err)
	}

	steps := traceOf(t, [2]float64{2, 2}, [2]float64{3, 5})
	steps.op = "attention.cached" // the Runs of a stateful op are the case's, and no others
	says(t, steps, sum, "")
}

// What is supported once is supported always, alone and beside another kernel.
func TestSupportedOnlyOnce(t *testing.T) {
	for want, until := range map[string]int32{"BUF-4] step 0: supported the first time": 1, "BUF-5] step 0: supported the first time": 4} {
		var opened atomic.Int32
		says(t, traceOf(t, [2]float64{1, 1}), func(op.Spec) (op.Kernel, error) {
			if opened.Add(1) > until {
				return nil, op.Unsupported("relu", "once is enough")
			}
			return runs(identity), nil
		}, want)
	}
	never := traceOf(t, [2]float64{1, 1})
	never.impl = opens(func(op.Spec) (op.Kernel, error) { return nil, op.Unsupported("relu", "never") })
	_, err := execute(never, f32Formats, 1, false)
	if !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("never supported: got %v", err)
	}
}

// The steps before one that is not supported are judged all the same.
func TestWrongBeforeUnsupported(t *testing.T) {
	for first, want := range map[float32]string{1: "unsupported: the second step", 9: "ACT-1] step 0: y[0]: got 9, want 1"} {
		says(t, traceOf(t, [2]float64{1, 1}, [2]float64{2, 2}), func(op.Spec) (op.Kernel, error) {
			steps := 0
			return runs(func(dst, _ []op.Tensor) error {
				if steps++; steps == 2 {
					return op.Unsupported("relu", "the second step")
				}
				dst[0].F32[0] = first
				return nil
			}), nil
		}, want)
	}
}

// A trace's ratio is the largest of all its elements and steps.
func TestLargestRatio(t *testing.T) {
	u := op.Float32Format.UnitRoundoff()
	for at := range 3 {
		p := traceOf(t, [2]float64{1, 1}, [2]float64{1, 1}, [2]float64{1, 1})
		for i := range p.Steps {
			p.Steps[i].Dst[0].Want[0] += u / 8
		}
		p.Steps[at].Dst[0].Want[0] = 1 + u
		p.impl = opens(func(op.Spec) (op.Kernel, error) { return runs(identity), nil })
		worst, err := execute(p, f32Formats, 1, false)
		if err != nil || math.Abs(worst-0.5) > 0.001 { // lambda is 2
			t.Errorf("step %d is half a bound off: ratio %v, %v", at, worst, err)
		}
	}
}

// An error that a case of one step wants may come from Open; in a trace the first steps must succeed.
func TestErrorsOfOpen(t *testing.T) {
	refuse := func(err error) opens { return func(op.Spec) (op.Kernel, error) { return nil, err } }
	one, two := traceOf(t, [2]float64{1, 1}), traceOf(t, [2]float64{1, 1}, [2]float64{2, 2})
	two.Steps[1].Error = "index"
	says(t, two, refuse(op.ErrIndex), "BUF-6 ACT-1] step 0: Open: unexpected error")
	two.Steps[0].Error = "index"
	says(t, two, refuse(op.ErrIndex), "BUF-6 ACT-1] step 0: Open: unexpected error")
	for kind, sentinel := range vector.ErrorKinds {
		one.Steps[0].Error = kind
		want := ""
		if kind != "shape" && kind != "attributes" && kind != "index" { // of numbers, positions and capacities Open knows nothing
			want = "Open: unexpected error"
		}
		says(t, one, refuse(sentinel), want)
	}
	one.Steps[0].Error = "shape"
	says(t, one, refuse(op.ErrIndex), "want an error about the shape, got: index")
	one.Steps[0].Error = ""
	says(t, one, refuse(op.ErrShape), "BUF-6 ACT-1] step 0: Open: unexpected error")
}

// closing is a kernel that does something when it is closed.
type closing struct {
	runs
	close func()
}

func (c closing) Close() error {
	c.close()
	return nil
}

// lookup is a trace of embedding that looks up the one row of its table, which holds a 5.
func lookup(t *testing.T) trace {
	t.Helper()
	return loaded(t, opCase{"embedding", &vector.Case{
		ID: "embedding/lookup", Clauses: []string{"EMB-1"}, Attrs: json.RawMessage("{}"), Compare: vector.Exact,
		Const: []vector.Input{{Name: "table", DType: op.F32, Type: "F32", Shape: []int{1, 1}, Data: op.Float32([]float32{5}, 1, 1)}},
		Steps: []vector.Step{{
			Src: []vector.Input{{Name: "ids", DType: op.I64, Type: "I64", Shape: []int{1}, Data: op.Int64([]int64{0}, 1)}},
			Dst: []vector.Expect{{Name: "y", Shape: []int{1, 1}, Want: []float64{5}, Acc: []float64{0}, In: []float64{0}}},
		}},
	}})
}

// Constants are the caller's until the end: Close may not change them either.
func TestConstantsChangedByClose(t *testing.T) {
	p := lookup(t)
	for add, want := range map[float32]string{0: "", 1: "BUF-3] step 0: table[0 0] was changed"} {
		says(t, p, func(s op.Spec) (op.Kernel, error) {
			run := func(dst, _ []op.Tensor) error { dst[0].F32[0] = s.Const[0].F32[0]; return nil }
			return closing{run, func() { s.Const[0].F32[0] += add }}, nil
		}, want)
	}
}

// A neighbour that panics in Open keeps nobody waiting.
func TestNeighbourThatDoesNotOpen(t *testing.T) {
	tr := lookup(t)
	tr.impl = opens(func(s op.Spec) (op.Kernel, error) {
		row := s.Const[0].F32[0]
		if row != 5 {
			panic("another number")
		}
		return runs(func(dst, _ []op.Tensor) error { dst[0].F32[0] = row; return nil }), nil
	})
	done := make(chan error, 1)
	go func() { _, err := execute(tr, f32Formats, 1, false); done <- err }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("still waiting")
	}
}

// A panic is reported with the place where the kernel was.
func TestPanicsSayWhere(t *testing.T) {
	var none []float32
	says(t, traceOf(t, [2]float64{1, 1}), func(op.Spec) (op.Kernel, error) {
		return runs(func([]op.Tensor, []op.Tensor) error { none[3] = 1; return nil }), nil
	}, "conformance.TestPanicsSayWhere")
}
