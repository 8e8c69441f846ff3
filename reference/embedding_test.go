package reference

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestEmbedding(t *testing.T) {
	table := rowsOf([]float64{1, 2}, []float64{3, 4}, []float64{5, 6})
	sameBits(t, must(Embedding([]int{2, 0, 2}, table)).Data, []float64{5, 6, 1, 2, 5, 6})
	sameBits(t, must(LearnedPositions([]int{1, 2}, table)).Data, []float64{3, 4, 5, 6})
	for _, bad := range []int{-1, 3, -100} {
		if _, err := Embedding([]int{0, bad}, table); !errors.Is(err, ErrIndex) {
			t.Errorf("id %d: error %v, want ErrIndex", bad, err)
		}
		if _, err := LearnedPositions([]int{0, bad}, table); !errors.Is(err, ErrPosition) {
			t.Errorf("position %d: error %v, want ErrPosition", bad, err)
		}
	}
}

var _ = derivative(func(s source) []differentiable { return []differentiable{embeddingOf(s)} })

func embeddingOf(s source) differentiable {
	table, ids := s.matrix(5, 3), []int{4, 1, 4, 0}
	return differentiable{"Embedding", [][]float64{table.Data}, func() []float64 { return must(Embedding(ids, table)).Data },
		func(dy []float64) [][]float64 { return [][]float64{must(EmbeddingGrad(ids, 5, Matrix{4, 3, dy})).Data} }}
}

// EmbeddingGrad is the product with one-hot rows.
func TestEmbeddingGradOfOneHotRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t)
		n := 2 + s.IntN(20)
		ids, m := s.ids(n, 5), s.matrix(n, 3)
		hot := NewMatrix(n, 5)
		for i, id := range ids {
			hot.Data[i*5+id] = 1
		}
		sameBits(t, must(EmbeddingGrad(ids, 5, m)).Data, MatMul(hot.T(), m).Data)
	})
}

func TestEmbeddingGradErrors(t *testing.T) {
	for _, id := range []int{-1, 3, 4} {
		if _, err := EmbeddingGrad([]int{1, id}, 3, NewMatrix(2, 2)); !errors.Is(err, ErrIndex) {
			t.Errorf("EmbeddingGrad of id %d in a table of 3: error %v, want one that wraps ErrIndex", id, err)
		}
	}
}
