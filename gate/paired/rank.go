package paired

import (
	"math"
	"slices"
	"sort"
)

// A sample holds log ratios of pairs, ascending. Everything here rests on its n(n+1)/2 Walsh averages (x[i]+x[j])/2, i <= j (Walsh 1949):
// Wilcoxon's signed rank statistic of x - t is the number of them above t, their median is the Hodges-Lehmann estimate, and their order
// statistics are the bounds of the intervals that invert the test. They are never listed: each question is answered by counting.
type sample []float64

func newSample(x []float64) sample { return slices.Sorted(slices.Values(x)) }

// above returns the number of Walsh averages greater than t, in linear time. Ties, which have no rank, count as not above.
func (x sample) above(t float64) int {
	count := 0
	for lo, hi := 0, len(x)-1; hi >= 0; hi-- { // pairs whose larger index is hi: the smaller one must be at least lo
		for lo < len(x) && x[lo]+x[hi] <= 2*t {
			lo++
		}
		if lo > hi {
			break
		}
		count += hi - lo + 1
	}
	return count
}

// walsh returns the k-th largest Walsh average, k = 1 ... n(n+1)/2, by bisection down to 2^-40 of the range.
func (x sample) walsh(k int) float64 {
	lo, hi := x[0], x[len(x)-1]
	if x.above(lo) < k { // it is the smallest
		return lo
	}
	for range 40 { // above(lo) >= k > above(hi)
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi {
			break
		}
		if x.above(mid) >= k {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// center is the Hodges-Lehmann estimate: the median of the Walsh averages.
func (x sample) center() float64 {
	m := len(x) * (len(x) + 1) / 2
	return (x.walsh((m+1)/2) + x.walsh(m/2+1)) / 2
}

// tails caches signedRankTail by n.
type tails map[int][]float64

func (t tails) of(n int) []float64 {
	if t[n] == nil {
		t[n] = signedRankTail(n)
	}
	return t[n]
}

// signedRankTail returns P(W >= w) for w = 0 ... n(n+1)/2 + 1, where W is the sum of the ranks 1 ... n that a fair coin selects: the
// distribution of Wilcoxon's signed rank statistic of n values that are symmetric about 0 (Wilcoxon 1945).
func signedRankTail(n int) []float64 {
	top := n * (n + 1) / 2
	p := make([]float64, top+1)
	p[0] = 1
	for rank, sum := 1, 0; rank <= n; rank++ {
		sum += rank
		for w := sum; w >= 0; w-- {
			if w >= rank {
				p[w] += p[w-rank]
			}
			p[w] /= 2
		}
	}
	tail := make([]float64, top+2)
	for w := top; w > 0; w-- {
		tail[w] = tail[w+1] + p[w]
	}
	tail[0] = 1
	return tail
}

// critical returns the least w with P(W >= w) < level; one above the largest attainable w if there is none.
func critical(tail []float64, level float64) int {
	return sort.Search(len(tail)-1, func(w int) bool { return tail[w] < level })
}

// test is a sample's one-sided tests: p-values against "not slower by more than theta" and "not faster by more than theta".
func (x sample) test(theta float64, t tails) (slow, fast float64) {
	tail := t.of(len(x))
	negated := make(sample, len(x))
	for i, v := range x {
		negated[len(x)-1-i] = -v
	}
	return tail[x.above(theta)], tail[negated.above(theta)]
}

// bounds returns the one-sided confidence bounds at two levels: the test at slowLevel rejects "not slower by more than theta" exactly for
// theta below lo, and mirrored for hi. They are infinite where the sample is too small for the level.
func (x sample) bounds(slowLevel, fastLevel float64, t tails) (lo, hi float64) {
	tail := t.of(len(x))
	m := len(x) * (len(x) + 1) / 2
	lo, hi = math.Inf(-1), math.Inf(1)
	if c := critical(tail, slowLevel); c <= m {
		lo = x.walsh(c)
	}
	if c := critical(tail, fastLevel); c <= m {
		hi = x.walsh(m + 1 - c)
	}
	return lo, hi
}
