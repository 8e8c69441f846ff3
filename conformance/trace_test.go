package conformance_test

import (
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// Each kernel breaks one rule of the contract; the failure must name its clause.
func TestBrokenKernelsFail(t *testing.T) {
	var calls atomic.Int32
	previous := make([]float32, 4)
	tests := []struct {
		name, clause, says string
		f                  func(op.ReLUArgs) error
	}{
		{"wrong number", "ACT-1", "y[1]: got 2.5, want 2, bound", func(a op.ReLUArgs) error {
			_ = correct(a)
			a.Y.F32[1] += 0.5
			return nil
		}},
		{"two ulp off", "ACT-1", "ratio", func(a op.ReLUArgs) error {
			_ = correct(a)
			for range 3 {
				a.Y.F32[1] = math.Nextafter32(a.Y.F32[1], 10)
			}
			return nil
		}},
		{"NaN for a number", "ACT-1", "got NaN", func(a op.ReLUArgs) error {
			_ = correct(a)
			a.Y.F32[0] = float32(math.NaN())
			return nil
		}},
		{"a number for NaN", "ACT-1", "want NaN", func(a op.ReLUArgs) error {
			for i, x := range a.X.F32 {
				a.Y.F32[i] = max(x, 0)
				if x != x {
					a.Y.F32[i] = 0
				}
			}
			return nil
		}},
		{"the wrong infinity", "ACT-1", "want an infinity", func(a op.ReLUArgs) error {
			_ = correct(a)
			for i, y := range a.Y.F32 {
				if math.IsInf(float64(y), 1) {
					a.Y.F32[i] = math.MaxFloat32
				}
			}
			return nil
		}},
		{"writes nothing", "BUF-1", "y[0] holds what it held before", func(op.ReLUArgs) error { return nil }},
		{"leaves the last element", "BUF-1", "never written", func(a op.ReLUArgs) error {
			last := a.Y.F32[len(a.Y.F32)-1]
			_ = correct(a)
			a.Y.F32[len(a.Y.F32)-1] = last
			return nil
		}},
		{"writes past the end", "BUF-2", "outside its 4 elements", func(a op.ReLUArgs) error {
			_ = correct(a)
			y := a.Y.F32
			y[:len(y)+1][len(y)] = 0
			return nil
		}},
		{"writes a vector and more past the end", "BUF-2", "y: element 60, outside its 4 elements", func(a op.ReLUArgs) error {
			_ = correct(a)
			y := a.Y.F32
			y[:61][60] = 0
			return nil
		}},
		{"writes before the beginning", "BUF-2", "y: element -1", func(a op.ReLUArgs) error {
			_ = correct(a)
			*(*float32)(unsafe.Add(unsafe.Pointer(&a.Y.F32[0]), -4)) = 0
			return nil
		}},
		{"writes past a source", "BUF-2", "x: element 4", func(a op.ReLUArgs) error {
			_ = correct(a)
			a.X.F32[:5][4] = 0
			return nil
		}},
		{"works in place", "BUF-3", "x[0] was changed", func(a op.ReLUArgs) error {
			for i, x := range a.X.F32 {
				a.X.F32[i] = relu(x)
			}
			copy(a.Y.F32, a.X.F32)
			return nil
		}},
		{"adds to what is there", "BUF-1", "or added to", func(a op.ReLUArgs) error {
			for i, x := range a.X.F32 {
				a.Y.F32[i] += relu(x)
			}
			return nil
		}},
		{"panics", "BUF-6", "panic: boom", func(op.ReLUArgs) error { panic("boom") }},
		{"fails", "BUF-6", "unexpected error: no", func(op.ReLUArgs) error { return errors.New("no") }},
		{"answers differently each time", "BUF-4", "in one run", func(a op.ReLUArgs) error {
			_ = correct(a)
			if calls.Add(1)%2 == 0 {
				a.Y.F32[1] = math.Nextafter32(a.Y.F32[1], 10)
			}
			return nil
		}},
		{"needs alignment", "BUF-6", "panic", func(a op.ReLUArgs) error {
			if uintptr(unsafe.Pointer(&a.X.F32[0]))%16 != 0 {
				panic("not aligned")
			}
			return correct(a)
		}},
		{"scribbles on a shape", "BUF-3", "the shape of x was changed", func(a op.ReLUArgs) error {
			err := correct(a)
			a.X.Shape[0]++
			return err
		}},
		{"scribbles on the shape of a result", "BUF-2", "the shape of y was changed from [4] to [5]", func(a op.ReLUArgs) error {
			err := correct(a)
			a.Y.Shape[0]++
			return err
		}},
		{"ends its goroutine", "BUF-6", "ended its goroutine", func(op.ReLUArgs) error { runtime.Goexit(); return nil }},
		{"repeats the previous answer", "ACT-1", "", func(a op.ReLUArgs) error {
			copy(a.Y.F32, previous)
			_ = correct(op.ReLUArgs{X: a.X, Y: op.Float32(previous[:len(a.X.F32)], len(a.X.F32))})
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls.Store(0)
			r := mustCheck(t, of(tt.f), conformance.Vectors(reluSet))
			if r.Failed == 0 || r.Err() == nil {
				t.Fatalf("passed: %+v", r)
			}
			i := slices.IndexFunc(r.Failures, func(f *conformance.Failure) bool {
				return slices.Contains(f.Clauses, tt.clause) && strings.Contains(f.Error(), tt.says)
			})
			if i < 0 {
				t.Errorf("no failure names %s and says %q: %v", tt.clause, tt.says, r.Err())
			}
		})
	}
}

func TestFailureNamesEverything(t *testing.T) {
	r := mustCheck(t, of(func(a op.ReLUArgs) error {
		_ = correct(a)
		a.Y.F32[1] = 2.5
		return nil
	}), conformance.Vectors(reluSet), conformance.Cases("relu/plain"))
	const want = "relu/plain [ACT-1] step 0: y[1]: got 2.5, want 2, bound 2.38e-07, ratio 2.1e+06: outside the bound (1 of 4 elements)"
	if got := r.Err().Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A kernel whose state is shared between the kernels of one implementation goes wrong only when two are open.
func TestSharedStateFails(t *testing.T) {
	for _, tt := range []struct {
		name, clause string
		shared       bool
	}{{"state of its own", "", false}, {"shared state", "BUF-4", true}} {
		t.Run(tt.name, func(t *testing.T) {
			var count float32
			step := func(want float64) vector.Step {
				lr := input("lr", 1)
				lr.Shape, lr.Data.Shape = nil, nil
				return vector.Step{Src: []vector.Input{input("grad", 1), lr}, Dst: []vector.Expect{expect("new_param", want), expect("new_v", 0)}}
			}
			set := vectorSet("sgd", &vector.Case{
				ID: "sgd/count", Comment: "two steps", Clauses: []string{"ACT-1"}, Attrs: json.RawMessage("{}"), Compare: vector.Finite,
				Const: []vector.Input{input("param", 0), {Name: "v"}}, Steps: []vector.Step{step(1), step(2)},
			})
			impl := op.SGD(func(op.SGDArgs) (op.Runner[op.SGDArgs], error) {
				if tt.shared {
					return counter{&count, true}, nil
				}
				return counter{new(float32), false}, nil
			})
			r := mustCheck(t, func() op.Implementation { return impl }, conformance.Vectors(set))
			switch {
			case tt.clause == "" && r.Failed != 0:
				t.Error(r.Err())
			case tt.clause != "" && (r.Failed != 1 || r.Failures[0].Clauses[0] != tt.clause):
				t.Errorf("want %s to fail, got %v", tt.clause, r.Err())
			}
		})
	}
}

// counter adds 1 for each Run. Where it is shared it is called by two goroutines, so it counts under a lock to be a clean bug, not a race.
type counter struct {
	n      *float32
	shared bool
}

var counterLock = make(chan struct{}, 1)

func (c counter) Run(a op.SGDArgs) error {
	counterLock <- struct{}{}
	defer func() { <-counterLock }()
	*c.n++
	a.NewParam.F32[0], a.NewV.F32[0] = *c.n, 0
	return nil
}

type closeFails struct{}

func (closeFails) Run(a op.ReLUArgs) error { return correct(a) }

func (closeFails) Close() error { return errors.New("stuck") }

func TestCloseIsCalledAndItsErrorCounts(t *testing.T) {
	impl := op.Open(func(op.ReLUArgs) (op.Runner[op.ReLUArgs], error) { return closeFails{}, nil })
	r := mustCheck(t, func() op.Implementation { return impl }, conformance.Vectors(reluSet))
	if r.Failed != 2 || !strings.Contains(r.Err().Error(), "Close: unexpected error: stuck") {
		t.Errorf("got %v", r.Err())
	}
}

func TestExpectedErrors(t *testing.T) {
	wants := &vector.Case{
		ID: "embedding/outside", Comment: "an id that is not there", Clauses: []string{"EMB-2"}, Attrs: json.RawMessage("{}"), Compare: vector.Exact,
		Const: []vector.Input{{Name: "table", DType: op.F32, Type: "F32", Shape: []int{1, 1}, Data: op.Float32([]float32{5}, 1, 1)}},
		Steps: []vector.Step{{Src: []vector.Input{{Name: "ids", DType: op.I64, Type: "I64", Shape: []int{1}, Data: op.Int64([]int64{1}, 1)}}, Error: "index"}},
	}
	tests := []struct {
		name string
		f    func(op.EmbeddingArgs) error
		says string
	}{
		{"refuses", func(op.EmbeddingArgs) error { return op.ErrIndex }, ""},
		{"clamps", func(a op.EmbeddingArgs) error { a.Y.F32[0] = a.Table.F32[0]; return nil }, "want an error about the index, got none"},
		{"refuses for another reason", func(op.EmbeddingArgs) error { return op.ErrCapacity }, "want an error about the index, got: cache capacity"},
		{"refuses without a sentinel", func(op.EmbeddingArgs) error { return errors.New("no such row") }, ""},
		{"panics", func(a op.EmbeddingArgs) error { a.Y.F32[0] = a.Table.F32[a.IDs.I64[0]]; return nil }, "panic: runtime error: index out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := mustCheck(t, func() op.Implementation { return op.Embedding(tt.f) }, conformance.Vectors(vectorSet("embedding", wants)))
			switch {
			case tt.says == "" && r.Failed != 0:
				t.Error(r.Err())
			case tt.says != "" && (r.Failed != 1 || !strings.Contains(r.Err().Error(), tt.says)):
				t.Errorf("got %v, want a failure that says %q", r.Err(), tt.says)
			}
		})
	}
}

// late is a kernel that launches its work in Run and waits for it only in Close.
type late struct{ dst, result *[]float32 }

func (l late) Run(a op.ReLUArgs) error {
	err := correct(a)
	*l.dst, *l.result = a.Y.F32, slices.Clone(a.Y.F32)
	clear(a.Y.F32)
	return err
}

func (l late) Close() error {
	copy(*l.dst, *l.result)
	return nil
}

func TestResultsThatComeAfterRunFail(t *testing.T) {
	impl := op.Open(func(op.ReLUArgs) (op.Runner[op.ReLUArgs], error) { return late{new([]float32), new([]float32)}, nil })
	r := mustCheck(t, func() op.Implementation { return impl }, conformance.Vectors(reluSet), conformance.Cases("relu/plain"))
	if r.Failed != 1 || r.Failures[0].Clauses[0] != "BUF-7" {
		t.Errorf("want BUF-7 to fail, got %v", r.Err())
	}
}

// Scratch memory that all kernels of an implementation share is right alone, and wrong beside a kernel that works on other numbers.
func TestSharedScratchFails(t *testing.T) {
	var cases []*vector.Case
	for i := range 50 {
		cases = append(cases, reluCase(strconv.Itoa(i), []float32{-1, 2, 0, 3, 5, -7, 1, 4}, []float64{0, 2, 0, 3, 5, 0, 1, 4}))
	}
	var scratch [8]atomic.Uint32 // no race, and yet a bug
	r := mustCheck(t, of(func(a op.ReLUArgs) error {
		for i, x := range a.X.F32 {
			scratch[i].Store(math.Float32bits(relu(x)))
		}
		for range 20 {
			runtime.Gosched()
		}
		for i := range a.Y.F32 {
			a.Y.F32[i] = math.Float32frombits(scratch[i].Load())
		}
		return nil
	}), conformance.Vectors(vectorSet("relu", cases...)))
	if r.Failed == 0 { // two kernels have to meet: once in many cases is enough, and never is not
		t.Error("passed")
	}
	for _, f := range r.Failures {
		if f.Clauses[0] != "BUF-5" {
			t.Errorf("want BUF-5 to fail, got %v", f)
		}
	}
}
