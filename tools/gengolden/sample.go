package main

import (
	"slices"
)

// maxSamples is how many elements of a result a case stores at most, where it does not store all.
const maxSamples = 512

// tileEdges samples a matrix, or a batch of them, where kernels change from one tile to the next: rows and columns 0, the last, and those
// around the multiples of 8, 32, 64 and 256, thinned to maxSamples.
func tileEdges(shape []int) []int64 {
	n := len(shape)
	rows, cols := 1, shape[n-1]
	for _, d := range shape[:n-1] {
		rows *= d
	}
	var at []int64
	columns := edges(cols)
	for _, r := range edges(rows) {
		for _, c := range columns {
			at = append(at, int64(r*cols+c))
		}
	}
	return thin(at)
}

// edges returns positions below n in ascending order: first, last, and those next to multiples of the usual block sizes.
func edges(n int) []int {
	at := []int{0, n - 1}
	for _, block := range []int{8, 32, 64, 256} {
		for m := block; m < n+1; m *= 2 {
			at = append(at, m-1, m, m+1)
		}
		last := n / block * block
		at = append(at, last-1, last, last+1)
	}
	at = slices.DeleteFunc(at, func(i int) bool { return i < 0 || i >= n })
	slices.Sort(at)
	return slices.Compact(at)
}

// thin keeps at most maxSamples positions, evenly spread, the first and the last among them.
func thin(at []int64) []int64 {
	if len(at) <= maxSamples {
		return at
	}
	kept := make([]int64, maxSamples)
	for i := range kept {
		kept[i] = at[i*(len(at)-1)/(maxSamples-1)]
	}
	return kept
}
