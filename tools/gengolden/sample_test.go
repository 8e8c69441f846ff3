package main

import (
	"slices"
	"testing"
)

func TestEdges(t *testing.T) {
	if got, want := edges(10), []int{0, 1, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("edges(10) = %v, want %v", got, want)
	}
	if got := edges(1); !slices.Equal(got, []int{0}) {
		t.Errorf("edges(1) = %v", got)
	}
	at := tileEdges([]int{300, 5000})
	if len(at) > maxSamples || at[0] != 0 || at[len(at)-1] != 300*5000-1 || !slices.IsSorted(at) || len(slices.Compact(slices.Clone(at))) != len(at) {
		t.Errorf("tileEdges gives %d positions from %d to %d", len(at), at[0], at[len(at)-1])
	}
}
