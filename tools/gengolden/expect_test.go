package main

import (
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/vector"
)

func TestAdmission(t *testing.T) {
	// Two terms cancel to a millionth of their size: a bound that follows from theirs would accept any answer.
	cancelling := testCase{name: "cancelling", comment: "A case.", clauses: "MM-1", src: args{
		"a": floats([]float64{1e7, 1e7, 1}, 1, 3), "b": floats([]float64{1, -1, 0.25}, 3, 1)}}
	_, err := cancelling.finish("matmul")
	if err == nil || !strings.Contains(err.Error(), "compare finite") {
		t.Errorf("a case whose bound says nothing: got error %v, want one with a remedy", err)
	}
	for _, compare := range []vector.Compare{vector.Finite, vector.Exact} {
		c := cancelling
		c.compare = compare
		if _, err := c.finish("matmul"); err != nil {
			t.Errorf("the same, compared %s: %v", compare, err)
		}
	}
	hidden := testCase{name: "hidden", comment: "A case.", clauses: "MSK-10",
		src: square(2, 2).args().with("mask", bools(func(i int) bool { return i < 2 }, 1, 1, 2, 2))}
	if _, err := hidden.finish("attention"); err != nil {
		t.Errorf("a row that is exactly 0: %v", err)
	}
}
