// Package toy has one of everything that mutate changes.
package toy

import (
	"errors"
	"math"
)

const offset = 2.5

var start = 3 - offset

// Sum adds the positive elements that are not too large, from the first on.
func Sum(xs []float64, limit float64) (float64, error) {
	if len(xs) == 0 {
		return 0, errors.New("toy: nothing to add")
	}
	total := start
	for i := range len(xs) {
		if !(xs[i] > 0 && xs[i] <= limit) {
			continue
		}
		total += xs[i] * 2
	}
	return -total, nil
}

// Count says how many elements are odd.
func Count(xs []int) int {
	n := make([]int, 1, 8)
	for _, x := range xs {
		if x%2 != 0 || x == -7 {
			n[0]++
		}
	}
	return min(n[0], 3)
}

// Angle is 2 sin x.
func Angle(x float64) float64 { return math.Sin(x) * [...]float64{0: 2}[0] }
