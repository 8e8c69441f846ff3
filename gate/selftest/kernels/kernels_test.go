package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var rng = rand.New(rand.NewPCG(1, 2))

func floats(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func integers(n int) []uint32 {
	x := make([]uint32, n)
	for i := range x {
		x[i] = rng.Uint32()
	}
	return x
}

func BenchmarkMatMul(b *testing.B) {
	const n = 32
	c, x, y := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	for i := range x {
		x[i], y[i] = rng.Float32(), rng.Float32()
	}
	for b.Loop() {
		MatMul(c, x, y, n)
	}
}

func BenchmarkSoftmax(b *testing.B) {
	x := floats(512)
	y := make([]float64, len(x))
	for b.Loop() {
		Softmax(y, x)
	}
}

func BenchmarkWords(b *testing.B) {
	var text []byte
	for range 500 {
		text = append(text, byte('a'+rng.IntN(26)), byte('a'+rng.IntN(8)), ' ')
	}
	counts := map[string]int{}
	for b.Loop() {
		Words(counts, text)
	}
}

func BenchmarkSort(b *testing.B) {
	x := integers(256)
	y := make([]uint32, len(x))
	for b.Loop() {
		Sort(y, x)
	}
}

func BenchmarkStream(b *testing.B) {
	x := floats(1 << 18)
	y := make([]float64, len(x))
	for b.Loop() {
		Stream(y, x)
	}
}

func BenchmarkNodes(b *testing.B) {
	keys := integers(200)
	for b.Loop() {
		Nodes(keys)
	}
}

func TestKernels(t *testing.T) {
	c := make([]float32, 4)
	MatMul(c, []float32{1, 2, 3, 4}, []float32{5, 6, 7, 8}, 2)
	if want := []float32{19, 22, 43, 50}; !slices.Equal(c, want) {
		t.Errorf("matrix product %v, want %v", c, want)
	}
	y := make([]float64, 2)
	Softmax(y, []float64{0, math.Log(3)})
	if math.Abs(y[0]-0.25) > 1e-15 || math.Abs(y[1]-0.75) > 1e-15 {
		t.Errorf("softmax %v, want 0.25 0.75", y)
	}
	counts := map[string]int{}
	Words(counts, []byte("to be to "))
	if counts["to"] != 2*wordsReps || counts["be"] != wordsReps {
		t.Errorf("words %v", counts)
	}
	x := []uint32{3, 1, 2}
	sorted := make([]uint32, 3)
	Sort(sorted, x)
	if !slices.IsSorted(sorted) || x[0] != 3 {
		t.Errorf("sorted %v of %v", sorted, x)
	}
	Stream(y, []float64{1, 2})
	if math.Abs(y[1]-(0.75+2*streamReps)) > 1e-9 {
		t.Errorf("stream %v", y)
	}
	if root := Nodes(x); root.Key != 3 || root.Left.Right.Key != 2 {
		t.Errorf("tree %+v", root)
	}
}
