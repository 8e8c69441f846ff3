package paired

import (
	"cmp"
	"slices"
)

// Holm returns the p-values corrected by Holm's step-down procedure (1979), and the level at which each was judged: alpha/(k-i) for the i-th
// smallest up to the first that is not below its level, and that one's level from there on.
func Holm(p []float64, alpha float64) (corrected, level []float64) {
	k := len(p)
	order := make([]int, k)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	corrected, level = make([]float64, k), make([]float64, k)
	largest, steps, stopped := 0.0, 0, false
	for i, at := range order {
		largest = max(largest, min(1, p[at]*float64(k-i)))
		corrected[at] = largest
		if !stopped {
			steps, stopped = k-i, largest >= alpha
		}
		level[at] = alpha / float64(steps)
	}
	return corrected, level
}
