// Package paired decides from paired measurements which of many benchmarks became slower, with a bound on the probability that any verdict
// is wrong. It is pure: what measures is a Source, so that the very code that judges a live run can be run a thousand times on recorded noise.
//
// # Measurements
//
// An item is a benchmark; its rows are the units it reports that rest on time. A quad measures one item on one pair of binaries, base and head
// linked at a layout seed, in the order A B B A or B A A B, and gives for each row
//
//	d = (log B1 + log B2 - log A1 - log A2) / 2
//
// with the sign turned where higher is better, so that positive is worse. Drift that is linear over a quad cancels. If both sides run the same
// code, they are exchangeable (neither noise nor layouts know which side is which), so d is symmetric about 0, whatever its distribution;
// a slowdown by the factor f moves the center to log f. That symmetry is the only assumption of what follows, and it is what layouts drawn
// anew for each quad buy: on a fixed pair of layouts the center is off by what the layouts happen to cost.
//
// # Two stages
//
// The first stage screens: every item is measured at 16 seeds, at 8 if time is short, a noisy one at more while the second stage will not need the time. An item is a suspect if
// Wilcoxon's signed rank test, uncorrected, gives p < 0.1 for any of its rows against "not slower". The second stage measures the suspects again
// at seeds that the first has not used, and its data alone decide: Wilcoxon's test against "slower by at most the slack", one-sided and exact,
// Holm's correction over the rows of the suspects. Because the selection saw none of these data, the probability that a suite in which nothing
// became slower by more than the slack shows any regression is at most Alpha, however many benchmarks were screened, and however the screening
// chose or stopped.
// Improvements (suspects at p < 0.02, because nothing hangs on them but time) are a family of their own.
//
// # Resolution
//
// A row's resolution is the slowdown that this procedure would have found with 95 % power: large enough both to become a suspect and to be
// confirmed. It is a high percentile, over resamples of the row's own residuals about its center with random signs, of the larger of the two
// slowdowns that the two tests would have needed: theta minus the critical order statistic of the Walsh averages. For a row that was carried,
// with the number of quads and the correction that it had; for any other, with those that it would have had.
//
// # Verdicts
//
//   - regression, improved: the corrected p of the second stage is below Alpha.
//   - pass: neither, the resolution is at most Limit, and so is the upper bound of the interval.
//   - inconclusive: neither, with the reason.
package paired

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Design is the procedure's parameters.
type Design struct {
	Alpha float64 // bound on the probability of any false regression, and of any false improvement
	Slack float64 // slowdown that is tolerated, as a fraction
	Limit float64 // resolution that the verdict pass needs, as a fraction above Slack
	Seed  uint64  // of the orders in which things are measured and of the resamples
}

// Quads of the two stages.
const (
	minScreen  = 8  // with fewer, an item is not judged
	screen     = 16 // planned
	maxScreen  = 48 // for an item whose resolution is above the limit, while time allows
	minConfirm = 16
	maxConfirm = 64
	// What screening leaves room for, of a suspect, until it has the planned quads, and afterwards: the second stage's test is the stricter one.
	fairConfirm, goodConfirm = 24, 48
)

// Levels of the screening.
const (
	slowLevel = 0.1
	fastLevel = 0.02
)

// confirmShare is the fraction of what screening left that confirming plans to use.
const confirmShare = 0.9

// wishedFor is the part of the way from the slack to the limit that a suspect's resolution shall reach in the second stage.
const wishedFor = 0.6

// Item is what is measured together.
type Item struct {
	Rows int           // units judged
	Cost time.Duration // expected time of one quad
}

// ErrEnded is wrapped by the error of a Source whose time ended while it worked: what it was at is lost, and what came before is judged.
var ErrEnded = errors.New("the budget ended")

// Source measures.
type Source interface {
	// Prepare makes the binaries of the items at the seeds; earlier ones are not used again.
	Prepare(ctx context.Context, seeds []int, items []int) error
	// Quad measures an item at a prepared seed: base head head base, or the reverse. The result has a value for each of the item's rows.
	Quad(ctx context.Context, stage, item, seed int, reverse bool) ([]float64, error)
	// Left is the time that remains.
	Left() time.Duration
	// Link is the expected time that Prepare takes for one seed and these items.
	Link(items []int) time.Duration
}

// Verdict is the outcome for a row.
type Verdict string

// The verdicts.
const (
	Pass         Verdict = "pass"
	Regression   Verdict = "regression"
	Improved     Verdict = "improved"
	Inconclusive Verdict = "inconclusive"
)

// Result is the outcome for a row, of log ratios: positive is worse.
type Result struct {
	Verdict    Verdict
	Reason     string    // why Inconclusive
	Quads      [2]int    // measured in the two stages
	Center     float64   // Hodges-Lehmann estimate of the log ratio, from the second stage if the item was carried to it, else from the first
	Lo, Hi     float64   // the bounds that invert the test at the levels at which the row was judged
	P          float64   // corrected, in the direction that was suspected; if not carried, of the first stage, uncorrected, where Center points
	Resolution float64   // as a fraction; infinite if too little was measured
	Pairs      []float64 // the log ratios, of both stages
}

// validate returns an error for parameters that make no test.
func (d Design) validate(items []Item) error {
	switch {
	case !(d.Alpha > 0 && d.Alpha < 0.5):
		return fmt.Errorf("paired: Alpha is %v, want a value in (0, 0.5)", d.Alpha)
	case !(d.Slack >= 0) || math.IsInf(d.Slack, 0):
		return fmt.Errorf("paired: Slack is %v, want a fraction at least 0", d.Slack)
	case !(d.Limit > d.Slack) || math.IsInf(d.Limit, 0):
		return fmt.Errorf("paired: Limit is %v, want a fraction above Slack, %v", d.Limit, d.Slack)
	}
	for i, item := range items {
		if item.Rows < 1 || item.Cost < 0 {
			return fmt.Errorf("paired: item %d has %d rows and a quad of %v", i, item.Rows, item.Cost)
		}
	}
	return nil
}

// theta is the log of the slowdown that is tolerated. The addition keeps a change by exactly the slack within it whatever log rounds to.
func (d Design) theta() float64 { return math.Log1p(d.Slack) + 1e-12 }
