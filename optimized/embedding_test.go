package optimized_test

import "testing"

func TestEmbedding(t *testing.T) {
	r := newRand(t)
	check(t, 0, spec("embedding", "", normal(r, 1, 9, 5)), ids(r, 9, 2, 3))
}

func TestEmbeddingGradient(t *testing.T) {
	r := newRand(t)
	checkAll(t, 4*u, spec("embedding.grad", "", normal(r, 1, 9, 70)), ids(r, 9, 40), normal(r, 1, 40, 70))
}
