package main

import (
	"slices"
	"testing"
)

func TestOpticksText(t *testing.T) {
	tokens, targets, err := opticksText()
	if err != nil {
		t.Fatal(err)
	}
	if len(tokens) != opticksTokens || len(targets) != opticksTokens || !slices.Equal(tokens[1:], targets[:opticksTokens-1]) {
		t.Errorf("%d tokens, %d targets: want %d of both, targets one ahead", len(tokens), len(targets), opticksTokens)
	}
	if want := []int64{3666, 8495, 287, 428, 4897}; !slices.Equal(tokens[:5], want) { // "My Design in this Book"
		t.Errorf("the text begins with tokens %v, want %v", tokens[:5], want)
	}
}
