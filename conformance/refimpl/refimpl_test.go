package refimpl_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// The reference is held to every golden vector. It is what they were made with, so that a replay of each, which takes most of the time, is for CI.
func TestConformance(t *testing.T) {
	// The reference is plain and slow: under an emulator or the race detector a whole model takes minutes, and -timeout ends what hangs.
	opts := []conformance.Option{conformance.Profile("all"), conformance.TimeLimit(time.Hour)}
	if os.Getenv("ASSAY_REPLAYS") != "all" {
		t.Log("each case is run once: ASSAY_REPLAYS=all replays it, as CI does")
		opts = append(opts, conformance.Once())
	}
	conformance.Run(t, refimpl.New, opts...)
}

func open(t *testing.T, name, attrs string, consts ...op.Tensor) op.Kernel {
	t.Helper()
	k, err := refimpl.New().Open(op.Spec{Op: name, Attrs: json.RawMessage(attrs), Const: consts})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// absent is an optional argument that is not given.
var absent op.Tensor

// cacheStep runs one position for each of two sequences through a cache of one head with head dimension 1: keys are 0, so the result is
// the mean of the values seen.
func cacheStep(k op.Kernel, pos int64, beam op.Tensor, v0, v1 float64) ([]float64, error) {
	out := op.New(op.F64, 2, 1, 1, 1)
	zero := op.New(op.F64, 2, 1, 1, 1)
	err := k.Run([]op.Tensor{out}, []op.Tensor{zero, zero, op.Float64([]float64{v0, v1}, 2, 1, 1, 1), op.Int64([]int64{pos}), beam})
	return out.F64, err
}

func TestCachedTrace(t *testing.T) {
	k := open(t, "attention.cached", `{"capacity": 3}`)
	for i, s := range []struct {
		pos    int64
		beam   op.Tensor
		v0, v1 float64
		want   []float64
		err    error
	}{
		{0, absent, 4, 8, []float64{4, 8}, nil},
		{1, absent, 0, 2, []float64{2, 5}, nil},
		{3, absent, 9, 9, nil, op.ErrPosition},
		{-1, absent, 9, 9, nil, op.ErrPosition},
		{1, op.Int64([]int64{1, 2}, 2), 9, 9, nil, op.ErrIndex},
		{3, op.Int64([]int64{1, 0}, 2), 9, 9, nil, op.ErrPosition}, // the rows stay where they were
		{2, op.Int64([]int64{1, 1}, 2), 2, 5, []float64{4, 5}, nil},
		{3, absent, 9, 9, nil, op.ErrCapacity},
		{1, absent, 0, 2, []float64{4, 5}, nil}, // both rows begin with 8
	} {
		got, err := cacheStep(k, s.pos, s.beam, s.v0, s.v1)
		if !errors.Is(err, s.err) {
			t.Fatalf("step %d: got error %v, want %v", i, err, s.err)
		}
		if s.err == nil && !slices.EqualFunc(got, s.want, func(x, y float64) bool { return math.Abs(x-y) < 1e-14 }) {
			t.Errorf("step %d: got %v, want %v", i, got, s.want)
		}
	}
}

func TestCacheKeepsItsShape(t *testing.T) {
	k := open(t, "attention.cached", `{"capacity": 9}`)
	if _, err := cacheStep(k, 0, absent, 1, 2); err != nil {
		t.Fatal(err)
	}
	step := func(batch, dim int) error {
		x := op.New(op.F64, batch, 1, 1, dim)
		return k.Run([]op.Tensor{op.New(op.F64, batch, 1, 1, dim)}, []op.Tensor{x, x, x, op.Int64([]int64{1}), absent})
	}
	for name, err := range map[string]error{"another batch": step(3, 1), "another head dimension": step(2, 4)} {
		if !errors.Is(err, op.ErrShape) {
			t.Errorf("%s: got error %v, want one that wraps op.ErrShape", name, err)
		}
	}
	if got, err := cacheStep(k, 1, absent, 3, 2); err != nil || !slices.Equal(got, []float64{2, 2}) {
		t.Errorf("after the errors: got %v, error %v", got, err)
	}
}

func TestErrorsWrapBothSentinels(t *testing.T) {
	k := open(t, "embedding", `{}`, op.New(op.F64, 3, 2))
	for _, id := range []int64{3, -1, 1 << 40, math.MinInt64} {
		err := k.Run([]op.Tensor{op.New(op.F64, 1, 2)}, []op.Tensor{op.Int64([]int64{id}, 1)})
		if !errors.Is(err, op.ErrIndex) || !errors.Is(err, reference.ErrIndex) {
			t.Errorf("id %d: error %v wraps op.ErrIndex: %v, reference.ErrIndex: %v", id, err, errors.Is(err, op.ErrIndex), errors.Is(err, reference.ErrIndex))
		}
	}
}

func TestFloat32IsRefused(t *testing.T) {
	impl := refimpl.New()
	if _, err := impl.Open(op.Spec{Op: "embedding", Const: []op.Tensor{op.New(op.F32, 3, 2)}}); !errors.Is(err, op.ErrDType) {
		t.Errorf("an F32 constant: got error %v, want one that wraps op.ErrDType", err)
	}
	k := open(t, "softmax", `{}`)
	f32, f64 := []op.Tensor{op.New(op.F32, 2)}, []op.Tensor{op.New(op.F64, 2)}
	if err := k.Run(f64, f32); !errors.Is(err, op.ErrDType) {
		t.Errorf("an F32 source: got error %v, want one that wraps op.ErrDType", err)
	}
	if err := k.Run(f32, f64); !errors.Is(err, op.ErrDType) {
		t.Errorf("an F32 destination: got error %v, want one that wraps op.ErrDType", err)
	}
	if want := (op.Formats{Storage: op.Float64Format, Accumulate: op.Float64Format}); op.FormatsOf(impl) != want {
		t.Errorf("declares %v, want %v", op.FormatsOf(impl), want)
	}
}

func TestOffersEveryOp(t *testing.T) {
	for _, name := range op.Names() {
		if !op.Offers(refimpl.New(), name) {
			t.Errorf("does not list %s", name)
		}
	}
}

func TestWithReplacesFunctions(t *testing.T) {
	f := reference.Exact
	f.Softmax = func(x []float64) []float64 { return []float64{7, 7} }
	k, err := refimpl.With(f).Open(op.Spec{Op: "softmax"})
	if err != nil {
		t.Fatal(err)
	}
	y := op.New(op.F64, 2)
	if err := k.Run([]op.Tensor{y}, []op.Tensor{op.New(op.F64, 2)}); err != nil || y.F64[0] != 7 {
		t.Errorf("got %v, error %v", y.F64, err)
	}
}
