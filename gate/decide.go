package gate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"golang.org/x/perf/benchmath"

	"github.com/assaykit/assay/gate/paired"
)

const (
	maxRuns   = 1000   // of a row on each side: the test works on all pairs of runs
	maxExact  = 10_000 // pairs up to which the distribution of U is computed exactly
	resamples = 400    // bootstrap samples behind a resolution
)

// rounding is added to the slack, so that a change by exactly the slack (100 to 101 at 1 %) lies within it whatever log rounds to.
const rounding = 1e-12

// trial is a row with its measurements, and between the steps of judge its test.
type trial struct {
	row    Row
	runs   [2][]float64         // OLD and NEW, in file order
	assume benchmath.Assumption // of the unit, as declared
	worse  float64              // +1 if lower is better, -1 if higher is
	floor  float64              // smaller values count as this one
	d      []float64            // all log(new) - log(old), times worse, ascending
	tail   []float64            // tail[u] = P0(U >= u)
	slow   float64              // p against "not slower by more than the slack"
	fast   float64              // p against "not faster by more than the slack"
}

// decide fills in the row of each trial, or refuses if there is a row that could not be found to have regressed.
func decide(trials []*trial, opt Options) error {
	var tested []*trial
	for _, t := range trials {
		switch {
		case t.row.Verdict == Inconclusive: // it has no measurements
		case t.row.Exact:
			t.judgeExactly()
		default:
			tested = append(tested, t)
		}
	}
	if len(tested) == 0 {
		return nil
	}
	theta := math.Log1p(opt.Slack) + rounding
	level := opt.Alpha / float64(len(tested))
	tails := map[[2]int][]float64{}
	var slow, fast []float64
	for _, t := range tested {
		n, m := len(t.runs[0]), len(t.runs[1])
		if max(n, m) > maxRuns {
			return refuse("%s %s: %d and %d runs; at most %d a side are compared: drop some", t.row.Name, t.row.Unit, n, m, maxRuns)
		}
		size := [2]int{min(n, m), max(n, m)}
		if tails[size] == nil {
			tails[size] = uTail(size[0], size[1])
		}
		t.tail = tails[size]
		if t.tail[n*m] >= level {
			need := minRuns(level)
			return refuse("%s %s: %d and %d runs cannot reach p < %v over %d tested rows: needs at least %d runs a side: go test -count=%d",
				t.row.Name, t.row.Unit, n, m, opt.Alpha, len(tested), need, need)
		}
		t.test(theta)
		slow, fast = append(slow, t.slow), append(fast, t.fast)
	}
	slowP, slowLevel := paired.Holm(slow, opt.Alpha)
	fastP, fastLevel := paired.Holm(fast, opt.Alpha)
	for i, t := range tested {
		t.row.Resolution = t.resolution(theta, level)
		t.conclude(slowP[i], fastP[i], slowLevel[i], fastLevel[i], opt)
	}
	return nil
}

// exactness decides whether a row is judged exactly: where its unit is declared to be exact, and where allocations do not vary.
func (t *trial) exactness(declared bool) error {
	constant := isConstant(t.runs[0]) && isConstant(t.runs[1])
	smallest, allocation := smallestAllocation[t.row.Unit]
	if allocation && !constant {
		t.floor = smallest
		constant = slices.Max(t.runs[0]) <= smallest && slices.Max(t.runs[1]) <= smallest
	}
	if declared && !constant {
		all := slices.Concat(t.runs[0], t.runs[1])
		return refuse("%s %s: declared assume=exact, but runs of one side differ, between %v and %v: drop the declaration",
			t.row.Name, t.row.Unit, slices.Min(all), slices.Max(all))
	}
	t.row.Exact = declared || constant && allocation
	return nil
}

func (t *trial) judgeExactly() {
	t.summarize()
	old, new := median(slices.Sorted(slices.Values(t.runs[0]))), median(slices.Sorted(slices.Values(t.runs[1])))
	old, new = max(old, t.floor), max(new, t.floor)
	ratio := 1.0 // 0/0 too
	if old != new {
		ratio = new / old
	}
	t.row.Ratio, t.row.P = Interval{ratio, ratio, ratio}, 1
	switch change := t.worse * (new - old); {
	case change > 0:
		t.row.Verdict = Regression
	case change < 0:
		t.row.Verdict = Improved
	default:
		t.row.Verdict = Pass
	}
}

func (t *trial) summarize() {
	t.row.Old, t.row.New = Summarize(t.runs[0], t.assume), Summarize(t.runs[1], t.assume)
}

// test summarizes the sides and computes the p-values.
func (t *trial) test(theta float64) {
	t.summarize()
	t.d = make([]float64, 0, len(t.runs[0])*len(t.runs[1]))
	for _, old := range t.runs[0] {
		for _, new := range t.runs[1] {
			t.d = append(t.d, t.worse*logRatio(max(old, t.floor), max(new, t.floor)))
		}
	}
	slices.Sort(t.d)
	slower := len(t.d) - sort.Search(len(t.d), func(i int) bool { return t.d[i] > theta })
	faster := sort.Search(len(t.d), func(i int) bool { return t.d[i] >= -theta })
	t.slow, t.fast = t.tail[slower], t.tail[faster]
}

// resolution returns the smallest slowdown that the test at level would have found with 95 % power, by resampling; see the package comment.
func (t *trial) resolution(theta, level float64) float64 {
	var pool []float64
	for _, runs := range t.runs {
		logs := make([]float64, len(runs))
		for i, x := range runs {
			if x = max(x, t.floor); x == 0 {
				return math.Inf(1) // no ratio describes it
			}
			logs[i] = t.worse * math.Log(x)
		}
		slices.Sort(logs)
		center := median(logs)
		for _, x := range logs {
			pool = append(pool, x-center)
		}
	}
	// Residuals about two fitted centers are too small by this factor.
	inflate := math.Sqrt(float64(len(pool)) / float64(max(1, len(pool)-2)))
	rng := rand.New(rand.NewPCG(1, 2)) // for each row: the same data gives the same report
	draw := func(x []float64) {
		for i := range x {
			x[i] = inflate * pool[rng.IntN(len(pool))]
		}
		slices.Sort(x)
	}
	old, new := make([]float64, len(t.runs[0])), make([]float64, len(t.runs[1]))
	needed := make([]float64, resamples)
	for i := range needed {
		draw(old)
		draw(new)
		needed[i] = theta - kthDifference(old, new, critical(t.tail, level))
	}
	slices.Sort(needed)
	return math.Expm1(needed[resamples*95/100])
}

// kthDifference returns the k-th largest of all new[j] - old[i], both ascending, to 2^-30 of their range: it bisects on the value and counts
// in linear time, because the pairs may be a million.
func kthDifference(old, new []float64, k int) float64 {
	lo, hi := new[0]-old[len(old)-1], new[len(new)-1]-old[0]
	for range 30 {
		mid := lo + (hi-lo)/2
		above, i := 0, 0 // pairs with new - old > mid
		for _, y := range new {
			for i < len(old) && y-old[i] > mid {
				i++
			}
			above += i
		}
		if above >= k {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// conclude sets the verdict from the corrected p-values and the levels at which they were judged.
func (t *trial) conclude(slowP, fastP, slowLevel, fastLevel float64, opt Options) {
	r := &t.row
	center := median(t.d)
	lo, hi := t.lower(slowLevel), t.upper(fastLevel)
	r.Ratio = Interval{math.Exp(center), math.Exp(lo), math.Exp(hi)}
	if t.worse < 0 {
		r.Ratio = Interval{math.Exp(-center), math.Exp(-hi), math.Exp(-lo)}
	}
	r.P = slowP
	if center < 0 {
		r.P = fastP
	}
	switch {
	case slowP < opt.Alpha:
		r.Verdict = Regression
	case fastP < opt.Alpha:
		r.Verdict = Improved
	case r.Resolution <= opt.limit() && hi <= math.Log1p(opt.limit()):
		r.Verdict = Pass
	case math.IsInf(r.Resolution, 1):
		r.Verdict, r.Reason = Inconclusive, "runs of 0 have no ratio"
	case r.Resolution > opt.limit():
		r.Verdict, r.Reason = Inconclusive, "the runs vary too much"
	default:
		r.Verdict, r.Reason = Inconclusive, fmt.Sprintf("a slowdown of up to %s is not excluded", percent(math.Expm1(hi)))
	}
}

// lower is the lower confidence bound on the log ratio: the test at level rejects "at most theta" exactly for theta below it.
func (t *trial) lower(level float64) float64 { return t.d[len(t.d)-critical(t.tail, level)] }

// upper is the same bound on the other side.
func (t *trial) upper(level float64) float64 { return t.d[critical(t.tail, level)-1] }

// critical returns the smallest u with P0(U >= u) < level. judge has made sure that it is at most n*m, and level < 1 makes it at least 1.
func critical(tail []float64, level float64) int {
	return sort.Search(len(tail), func(u int) bool { return tail[u] < level })
}

// uTail returns P0(U >= u) for u = 0 ... n*m + 1, where U counts the pairs in which the second of two samples of sizes n and m is the larger
// and all orders are equally likely.
func uTail(n, m int) []float64 {
	if n*m > maxExact {
		return normalTail(n, m)
	}
	return exactTail(n, m)
}

// exactTail uses the recurrence of Mann and Whitney (1947) on the sample that holds the largest value, in n^2 m^2 / 4 steps:
//
//	P_{i,j}(u) = i/(i+j) P_{i-1,j}(u-j) + j/(i+j) P_{i,j-1}(u).
func exactTail(n, m int) []float64 {
	nm := n * m
	p := make([][]float64, n+1) // p[i] is P_{i,j} for the current j
	for i := range p {
		p[i] = make([]float64, nm+1)
		p[i][0] = 1
	}
	for j := 1; j <= m; j++ {
		for i := 1; i <= n; i++ {
			for u := range i*j + 1 {
				x := float64(j) * p[i][u]
				if u >= j {
					x += float64(i) * p[i-1][u-j]
				}
				p[i][u] = x / float64(i+j)
			}
		}
	}
	tail := make([]float64, nm+2)
	for u := nm; u > 0; u-- {
		tail[u] = tail[u+1] + p[n][u]
	}
	tail[0] = 1
	return tail
}

// normalTail is normal with mean nm/2 and variance nm(n+m+1)/12, with continuity correction. U has lighter tails than the normal, so where
// verdicts fall the error is towards larger p.
func normalTail(n, m int) []float64 {
	nm := float64(n * m)
	sigma := math.Sqrt(nm * float64(n+m+1) / 12)
	tail := make([]float64, n*m+2)
	for u := range n*m + 1 {
		tail[u] = math.Erfc((float64(u)-0.5-nm/2)/(sigma*math.Sqrt2)) / 2
	}
	return tail
}

// minRuns returns the least n for which n runs a side can reach p < level: the smallest with 1/C(2n, n) < level, taking rounding for equality.
func minRuns(level float64) int {
	n, p := 1, 0.5
	for p >= level*(1-1e-9) {
		n++
		p *= float64(n) / float64(2*(2*n-1)) // C(2n, n) = C(2n-2, n-1) * 2 (2n-1) / n
	}
	return n
}

// logRatio is log(new/old), with 0/0 = 1.
func logRatio(old, new float64) float64 {
	if old == new {
		return 0
	}
	return math.Log(new) - math.Log(old)
}

// median of an ascending slice.
func median(d []float64) float64 { return (d[(len(d)-1)/2] + d[len(d)/2]) / 2 }

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCannotJudge, fmt.Sprintf(format, args...))
}
