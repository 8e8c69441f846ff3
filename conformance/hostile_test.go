package conformance_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// perKernel is a relu whose kernels each have a state of their own.
func perKernel(open func() func(op.ReLUArgs) error) conformance.Factory {
	return func() op.Implementation {
		return op.Open(func(op.ReLUArgs) (op.Runner[op.ReLUArgs], error) { return reluRunner(open()), nil })
	}
}

type reluRunner func(op.ReLUArgs) error

func (f reluRunner) Run(a op.ReLUArgs) error { return f(a) }

// memo remembers results by the address of what they were computed from, for all kernels. What it remembers is not collected, so that no
// address is used twice by chance.
type memo struct {
	sync.Mutex
	results map[*float32][]float32
}

func (m *memo) get(key *float32, compute func() []float32) []float32 {
	m.Lock()
	defer m.Unlock()
	if m.results == nil {
		m.results = map[*float32][]float32{}
	}
	if m.results[key] == nil {
		m.results[key] = slices.Clone(compute())
	}
	return m.results[key]
}

// Kernels that are right in the first call of each case, and wrong where a caller goes on with them.
func TestKernelsThatAreWrongLater(t *testing.T) {
	var bySource, byConstant memo
	rows := vectorSet("embedding", &vector.Case{
		ID: "embedding/rows", Comment: "a test", Clauses: []string{"ACT-1"}, Attrs: []byte("{}"), Compare: vector.Exact,
		Const: []vector.Input{{Name: "table", DType: op.F32, Type: "F32", Shape: []int{2, 1}, Data: op.Float32([]float32{5, 6}, 2, 1)}},
		Steps: []vector.Step{{
			Src: []vector.Input{{Name: "ids", DType: op.I64, Type: "I64", Shape: []int{1}, Data: op.Int64([]int64{1}, 1)}},
			Dst: []vector.Expect{{Name: "y", Shape: []int{1, 1}, Want: []float64{6}, Acc: []float64{0}, In: []float64{0}}},
		}},
	})
	for _, tt := range []struct {
		name, says string
		factory    conformance.Factory
		set        *vector.Set
	}{
		{"from the ninth call on", "in the first call of a kernel, 2.5 in call 9", perKernel(func() func(op.ReLUArgs) error {
			calls := 0
			return func(a op.ReLUArgs) error {
				err := correct(a)
				if calls++; calls > 9 { // the first was on other numbers
					a.Y.F32[1] += 0.5
				}
				return err
			}
		}), reluSet},
		{"in every hundredth call", "2.5 in call 99", perKernel(func() func(op.ReLUArgs) error {
			calls := 0
			return func(a op.ReLUArgs) error {
				err := correct(a)
				if calls++; calls%100 == 0 {
					a.Y.F32[1] += 0.5
				}
				return err
			}
		}), reluSet},
		{"remembers by the address of a source", "in one run, ", of(func(a op.ReLUArgs) error {
			copy(a.Y.F32, bySource.get(&a.X.F32[0], func() []float32 { _ = correct(a); return a.Y.F32 }))
			return nil
		}), reluSet},
		{"remembers by the address of a constant", "6 in one run, -5 in another", func() op.Implementation {
			return op.Embedding(func(a op.EmbeddingArgs) error {
				table := byConstant.get(&a.Table.F32[0], func() []float32 { return a.Table.F32 })
				a.Y.F32[0] = table[a.IDs.I64[0]]
				return nil
			})
		}, rows},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustCheck(t, tt.factory, conformance.Vectors(tt.set))
			require.NotZero(t, r.Failed)
			require.Equal(t, []string{"BUF-4"}, r.Failures[0].Clauses)
			require.ErrorContains(t, r.Failures[0], tt.says)
		})
	}
}

// lateWriter is a right relu, a goroutine of which writes to its first result while a later case runs.
func lateWriter() conformance.Factory {
	var once sync.Once
	var first []float32
	return of(func(a op.ReLUArgs) error {
		if first == nil {
			first = a.Y.F32
		}
		if len(a.X.F32) == 3 {
			once.Do(func() {
				done := make(chan struct{})
				go func() { first[2] = 0; close(done) }()
				<-done
			})
		}
		return correct(a)
	})
}

// A result that is written after its case has ended is seen when the op ends.
func TestLateWritesFail(t *testing.T) {
	r := mustCheck(t, lateWriter(), conformance.Vectors(reluSet), conformance.Once())
	require.Equal(t, 1, r.Failed)
	require.Equal(t, 1, r.Passed)
	require.EqualError(t, r.Failures[0], "relu/plain [BUF-7] step 0: y was written after its Run had returned, by the time that its op ended")
}

// A kernel may decline by attributes and shapes, and not by numbers.
func TestDecliningByNumbers(t *testing.T) {
	declining := func(when func(x []float32) bool) conformance.Factory {
		return of(func(a op.ReLUArgs) error {
			if when(a.X.F32) {
				return op.Unsupported("relu", "too hard")
			}
			return correct(a)
		})
	}
	for _, tt := range []struct {
		name             string
		when             func(x []float32) bool
		failed, declined int
	}{
		{"by shape", func(x []float32) bool { return len(x) == 3 }, 0, 1},
		{"by size of the numbers", func(x []float32) bool { return slices.Max(x) > 2 || x[0] != x[0] }, 2, 0},
		{"by the numbers of a case", func(x []float32) bool { return slices.Equal(x, []float32{-1, 2, 0, 3}) }, 1, 0},
		{"by a number and what the replays make of it", func(x []float32) bool { return max(x[1], -x[1], x[0], -x[0]) == 2 }, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := mustCheck(t, declining(tt.when), conformance.Vectors(vectorSet("relu", append(slices.Clone(reluSet.Files[0].Cases),
				reluCase("easy", []float32{1, -1}, []float64{1, 0}))...)), conformance.Seed(1))
			require.Equal(t, tt.failed, r.Failed, "%v", r.Failures)
			require.Equal(t, tt.declined, r.Unsupported())
			for _, f := range r.Failures {
				require.ErrorContains(t, f, "[BUF-6] step 0: relu: unsupported: too hard: declined for its numbers, for others of the same shapes are taken (seed 1)")
			}
		})
	}
}

// A kernel that hangs costs the limit twice, and not for every case of its op.
func TestOpsThatHangAreGivenUp(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	set := vectorSet("relu", slices.Repeat(reluSet.Files[0].Cases[:1], 5)...)
	r := mustCheck(t, of(func(op.ReLUArgs) error { <-block; return nil }), conformance.Vectors(set), conformance.TimeLimit(time.Millisecond))
	require.Equal(t, 2, r.Failed)
	require.Zero(t, r.Unsupported())
	require.Len(t, r.Skipped, 1)
	require.Equal(t, "GIVEN UP relu: 3 of 5 cases: given up: in 2 cases it did not return within 1ms", r.Skipped[0].String())
	require.True(t, strings.HasPrefix(r.Verdict(), "FAIL"))
}
