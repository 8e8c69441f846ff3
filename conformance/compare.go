package conformance

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// tolerance says how far each element of one result may be from what is wanted.
type tolerance struct {
	expect  *vector.Expect
	compare vector.Compare
	formats op.Formats
}

// bound returns how far element i may be from its wanted value. In exact cases it is one ulp of the coarser of the two formats.
func (t tolerance) bound(i int) float64 {
	storage := t.formats.Storage
	want := t.expect.Want[i]
	switch t.compare {
	case vector.Exact:
		return max(storage.ULP(storage.Round(want)), t.formats.Accumulate.ULP(want))
	case vector.Finite:
		return math.Inf(1)
	}
	return t.formats.Bound(want, op.Gauge{Acc: t.expect.Acc[i], In: t.expect.In[i], Eta: t.expect.Eta}, op.Stored)
}

// compareElement holds element i to what is wanted. ratio is |got - want| / bound, 0 for a perfect match and +Inf where the kinds differ; why
// is empty where the element is accepted.
func (t tolerance) compareElement(i int, got float64) (ratio float64, why string) {
	want := t.expect.Want[i]
	bound := t.bound(i)
	largest := t.formats.Storage.Max()
	switch {
	case math.IsNaN(want):
		if !math.IsNaN(got) {
			return math.Inf(1), "want NaN"
		}
		return 0, ""
	case math.IsNaN(got):
		return math.Inf(1), "got NaN"
	case math.IsInf(want, 0):
		if got != want {
			return math.Inf(1), "want an infinity"
		}
		return 0, ""
	case math.IsInf(got, 0):
		overflows := math.Abs(want) >= largest || t.compare != vector.Finite && math.Abs(want)+bound >= largest
		if math.Signbit(got) == math.Signbit(want) && overflows {
			return 0, ""
		}
		return math.Inf(1), "got an infinity"
	case math.IsInf(t.formats.Storage.Round(want), 0) && t.compare != vector.Bound:
		return math.Inf(1), "want an overflow"
	}
	diff := math.Abs(got - want)
	switch {
	case diff == 0: // -0 equals 0, and a bound of 0 is met exactly
		return 0, ""
	case diff > bound:
		return diff / bound, "outside the bound"
	}
	return diff / bound, ""
}

// Mismatch is the element of a result that is furthest outside its bound.
type Mismatch struct {
	Tensor string `json:"tensor"`
	Index  []int  `json:"index"`
	Got    Number `json:"got"`
	Want   Number `json:"want"`
	Bound  Number `json:"bound"`
	Ratio  Number `json:"ratio"`
	Why    string `json:"why"`
	Count  int    `json:"count"` // how many elements are outside
	Of     int    `json:"of"`    // of how many that were judged
}

// compareTensor judges every stored element of one result. worst is the largest ratio; m is nil where all are accepted.
func compareTensor(t tolerance, got op.Tensor) (worst float64, m *Mismatch) {
	if t.expect.Integers() {
		return compareIntegers(t.expect, got)
	}
	for i := range t.expect.Want {
		at := i
		if t.expect.Sampled {
			at = int(t.expect.Index[i])
		}
		g := got.At(at)
		ratio, why := t.compareElement(i, g)
		if why != "" {
			if m == nil {
				m = &Mismatch{Tensor: t.expect.Name, Of: len(t.expect.Want)}
			}
			if m.Count++; m.Count == 1 || ratio > float64(m.Ratio) {
				m.Index, m.Why = unravel(at, t.expect.Shape), why
				m.Got, m.Want, m.Bound, m.Ratio = Number(g), Number(t.expect.Want[i]), Number(t.bound(i)), Number(ratio)
			}
		}
		worst = math.Max(worst, ratio)
	}
	if m == nil && t.expect.Sampled && !slices.ContainsFunc(t.expect.Want, notFinite) {
		m = checkRest(t.expect, got)
	}
	return worst, m
}

// compareIntegers holds a result of integers to equality, in every kind of comparison: a token is right or wrong.
func compareIntegers(e *vector.Expect, got op.Tensor) (worst float64, m *Mismatch) {
	for i, want := range e.Ints {
		at := i
		if e.Sampled {
			at = int(e.Index[i])
		}
		if g := got.I64[at]; g != want {
			if m == nil {
				m = &Mismatch{Tensor: e.Name, Index: unravel(at, e.Shape), Got: Number(g), Want: Number(want), Ratio: Number(math.Inf(1)),
					Why: "want exactly this integer", Of: len(e.Ints)}
			}
			m.Count++
			worst = math.Inf(1)
		}
	}
	return worst, m
}

// checkRest holds the elements between the samples to what can be said of them: where all samples are finite, they are too.
func checkRest(e *vector.Expect, got op.Tensor) *Mismatch {
	for i := range got.Len() {
		if g := got.At(i); notFinite(g) {
			return &Mismatch{Tensor: e.Name, Index: unravel(i, e.Shape), Got: Number(g), Want: Number(math.NaN()), Bound: Number(math.Inf(1)),
				Ratio: Number(math.Inf(1)), Why: "want a finite number between the samples", Count: 1, Of: got.Len()}
		}
	}
	return nil
}

func notFinite(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }

// unravel turns a flat position into one index an axis.
func unravel(flat int, shape []int) []int {
	index := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		index[axis] = flat % shape[axis]
		flat /= shape[axis]
	}
	return index
}

// Number is a float64 that JSON can carry: infinities and NaN are the strings "+Inf", "-Inf" and "NaN".
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	x := float64(n)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Appendf(nil, "%q", fmt.Sprintf("%+v", x)), nil
	}
	return fmt.Appendf(nil, "%.9g", x), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(data []byte) error {
	x, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	*n = Number(x)
	return err
}
