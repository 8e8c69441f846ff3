package onnx

import (
	"math"
	"testing"
	"testing/fstest"

	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/reference"
)

// ONNX's RotaryEmbedding takes sines and cosines, so it is not the op rotary; but its pairs, its interleaving and its partial rotation are
// the op's: with the tables of the op's angles it passes, and with the other pairing it does not.
func TestRotaryEmbeddingIsTheOps(t *testing.T) {
	const seq, d, length = 3, 6, 12
	pos := []int{2, 0, 11}
	x := reference.NewMatrix(seq, d)
	for i := range x.Data {
		x.Data[i] = float64(float32(math.Sin(float64(i + 1))))
	}
	to32 := func(x []float64) []float32 {
		y := make([]float32, len(x))
		for i, v := range x {
			y[i] = float32(v)
		}
		return y
	}
	for _, rotated := range []int{2, 4, 6} {
		for _, pairing := range []reference.Pairing{reference.PairInterleaved, reference.PairHalves} {
			c := reference.RotaryConfig{Pairing: pairing, Dims: rotated, Base: 10000}
			want, err := reference.Rotary(x, pos, c)
			if err != nil {
				t.Fatal(err)
			}
			var cos, sin []float64
			for p := range length {
				for i := range rotated / 2 {
					s, c := math.Sincos(c.Angle(p, i))
					cos, sin = append(cos, c), append(sin, s)
				}
			}
			table := func(x []float64) message { return float32s(to32(x), length, int64(rotated/2)) }
			for interleaved, same := range map[int64]bool{1: pairing == reference.PairInterleaved, 0: pairing == reference.PairHalves} {
				n := nodeTest{op: "RotaryEmbedding", version: 23, attrs: []message{intAttr("interleaved", interleaved), intAttr("rotary_embedding_dim", int64(rotated))},
					inputs:  []message{float32s(to32(x.Data), 1, 1, seq, d), table(cos), table(sin), int64s([]int64{2, 0, 11}, 1, seq)},
					outputs: []message{float32s(to32(want.Data), 1, 1, seq, d)}}
				fsys := fstest.MapFS{}
				n.write(fsys, "test_rotary")
				r := check(t, fsys, refimpl.New)
				if same = same || rotated == 2; (r.Passed == 1) != same { // one pair is the same in both
					t.Errorf("%d features in pairs of %s, ONNX with interleaved = %d: %+v, want a pass: %v", rotated, pairing, interleaved, r, same)
				}
			}
		}
	}
}
