package main

import (
	"github.com/assaykit/assay/conformance/vector"
)

// randomMask admits two keys of three.
func randomMask(shape ...int) draw {
	return func(s *source) vector.Input { return bools(func(int) bool { return s.IntN(3) > 0 }, shape...)(s) }
}

// hideRows hides all keys of the given rows of a boolean mask over keys keys.
func hideRows(d draw, keys int, rows ...int) draw {
	return func(s *source) vector.Input {
		in := d(s)
		for _, r := range rows {
			for j := range keys {
				in.Data.Bool[r*keys+j] = false
			}
		}
		return in
	}
}

func span(lo, hi int) []int {
	at := make([]int, hi-lo)
	for i := range at {
		at[i] = lo + i
	}
	return at
}
