package main

import (
	"slices"
)

// A result of up to fullBelow elements is stored whole, of a larger one about maxSamples.
const (
	fullBelow  = 1 << 15
	maxSamples = 4096
)

// tileEdges samples a matrix, or a batch of them. Half of the samples are where kernels change from one tile to the next: rows and columns
// 0, the last, and those around the multiples of 8, 32, 64 and 256. The other half are spread over all rows, in columns that move from row
// to row, so that no row goes unseen.
func tileEdges(shape []int) []int64 { return tiles(shape, maxSamples) }

// tiles is tileEdges with about so many samples.
func tiles(shape []int, samples int) []int64 {
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
	at = thin(at, samples/2)
	each := min(cols, max(1, samples/2/rows))
	for r := range rows {
		for i := range each {
			at = append(at, int64(r*cols+(7*r+i*cols/each)%cols))
		}
	}
	slices.Sort(at)
	return slices.Compact(at)
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

// thin keeps at most n positions, evenly spread, the first and the last among them.
func thin(at []int64, n int) []int64 {
	if len(at) <= n {
		return at
	}
	kept := make([]int64, n)
	for i := range kept {
		kept[i] = at[i*(len(at)-1)/(n-1)]
	}
	return kept
}
