// Package sampling judges samplers that have a random generator of their own, which no stored token can be held to: it counts what they
// draw, and compares the counts with the probabilities that SPEC.md DEC gives, by Pearson's chi-square test.
//
// The probabilities are those of the golden vectors of the op distribution. A test of frequencies sees what moves them by more than the
// noise of its draws, and nothing else; an implementation that takes its draws as an argument is held to the op sample instead, token by
// token. With the draws and the rate of false alarms that Config has by default, of 100 checks so many fail
//
//	temperature left out, or 1% too high                     100
//	temperature 0.5% too high                                100
//	temperature 0.2% too high                                  0
//	one token too many after top-k                           100
//	top-p without the token that crosses, or left out        100
//	what is left is not renormalised                         100
//	u of 8 bits                                              100
//	u of 16 bits                                               0
//	>= u for > u, which shows in one draw of 2^24             13
//	a correct sampler                                          0
//
// TestPower and TestFalseAlarmRate measure it.
package sampling

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

// Sampler draws a token from a row of logits.
type Sampler func(logits []float32, a op.SamplingAttrs) (token int, err error)

// Config says how a sampler is judged. The zero value has sensible numbers.
type Config struct {
	Draws      int     // from each row; 20,000 where it is 0
	FalseAlarm float64 // how likely it is that a correct sampler fails the whole check; 1e-4 where it is 0
	Seed       uint64  // of the samplers
}

// Row is a distribution and the numbers of draws of its tokens.
type Row struct {
	Case   string // of the golden vectors, and the row
	Probs  []float64
	Counts []int

	Statistic float64 // Pearson's, 0 where one token has all probability
	Freedom   int     // its degrees of freedom
	P         float64 // how likely a correct sampler is to have one as large
}

// Report is what Check found.
type Report struct {
	Rows       []Row // all that were tested
	Level      float64
	FalseAlarm float64 // that of the whole check
	Failures   []Row   // those with P below Level
}

// Err returns nil where every row passed, and an error that names the others.
func (r *Report) Err() error {
	var lines []string
	for _, row := range r.Failures {
		if i := row.impossible(); i >= 0 {
			lines = append(lines, fmt.Sprintf("%s: token %d was drawn %d times, and has no probability", row.Case, i, row.Counts[i]))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: chi-square %.1f with %d degrees of freedom: p = %.2g, level %.2g", row.Case, row.Statistic, row.Freedom, row.P, r.Level))
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d distributions: %s", len(lines), len(r.Rows), strings.Join(lines, "; "))
}

// Check draws from every distribution of the golden vectors with samplers that open makes, each from a seed of its own. A correct sampler
// fails with probability Config.FalseAlarm: the levels of the rows' tests, which are independent, are equal and make up that of all (Šidák
// 1967).
//
// The error is not nil where the sampler returns one, or a token outside the vocabulary. What it drew is in the report: see Report.Err.
func Check(open func(seed uint64) Sampler, c Config) (*Report, error) {
	if c.Draws == 0 {
		c.Draws = 20_000
	}
	if c.FalseAlarm == 0 {
		c.FalseAlarm = 1e-4
	}
	if c.Draws < minDraws || !(c.FalseAlarm > 0 && c.FalseAlarm < 1) {
		return nil, fmt.Errorf("sampling: %d draws at a false-alarm rate of %v: want %d draws or more, and a rate between 0 and 1", c.Draws, c.FalseAlarm, minDraws)
	}
	tests, err := distributions()
	if err != nil {
		return nil, err
	}
	var rows []Row
	for i, t := range tests {
		row := Row{Case: t.name, Probs: t.probs, Counts: make([]int, len(t.probs))}
		sample := open(c.Seed + uint64(i))
		for range c.Draws {
			token, err := sample(t.logits, t.attrs)
			switch {
			case err != nil:
				return nil, fmt.Errorf("sampling: %s: %w", t.name, err)
			case token < 0 || token >= len(row.Counts):
				return nil, fmt.Errorf("sampling: %s: token %d is outside the vocabulary of %d", t.name, token, len(row.Counts))
			}
			row.Counts[token]++
		}
		rows = append(rows, row)
	}
	return testAll(rows, c.FalseAlarm), nil
}

// testAll tests rows of counts at a false-alarm rate of all together.
func testAll(rows []Row, falseAlarm float64) *Report {
	r := &Report{Rows: rows, FalseAlarm: falseAlarm}
	tests := 0 // of rows in which something is left to chance
	for i := range rows {
		if rows[i].test(); rows[i].Freedom > 0 {
			tests++
		}
	}
	r.Level = -math.Expm1(math.Log1p(-falseAlarm) / float64(tests))
	for _, row := range rows {
		if row.P < r.Level {
			r.Failures = append(r.Failures, row)
		}
	}
	return r
}

// minExpected is how many draws of a token the chi-square distribution wants to be expected; rarer tokens are counted together. With 5, as
// is usual, the tail at levels of 1e-6 is several times too heavy.
const minExpected = 40

// minDraws leaves two bins at least where two tokens are equally likely.
const minDraws = 4 * minExpected

// test computes Pearson's statistic over the tokens that are expected minExpected times or more, and all others together, and its P. A
// token without probability that was drawn leaves no doubt.
func (r *Row) test() {
	total := 0
	for _, n := range r.Counts {
		total += n
	}
	type bin struct{ expected, got float64 }
	var bins []bin
	var rest bin
	for i, p := range r.Probs {
		b := bin{p * float64(total), float64(r.Counts[i])}
		switch {
		case b.expected >= minExpected:
			bins = append(bins, b)
		default:
			rest.expected += b.expected
			rest.got += b.got
		}
	}
	switch {
	case rest.expected >= minExpected:
		bins = append(bins, rest)
	case rest.expected > 0: // too few by themselves: with the rarest of the others
		rarest := &bins[0]
		for i := range bins {
			if bins[i].expected < rarest.expected {
				rarest = &bins[i]
			}
		}
		rarest.expected += rest.expected
		rarest.got += rest.got
	}
	r.Statistic, r.P, r.Freedom = 0, 1, len(bins)-1
	if r.impossible() >= 0 {
		r.P = 0
		return
	}
	for _, b := range bins {
		r.Statistic += (b.got - b.expected) * (b.got - b.expected) / b.expected
	}
	if r.Freedom > 0 {
		r.P = distuv.ChiSquared{K: float64(r.Freedom)}.Survival(r.Statistic)
	}
}

// impossible returns the first token that was drawn and has no probability, or -1.
func (r *Row) impossible() int {
	for i, n := range r.Counts {
		if n > 0 && r.Probs[i] == 0 {
			return i
		}
	}
	return -1
}

// distribution is a row of a golden vector.
type distribution struct {
	name   string
	attrs  op.SamplingAttrs
	logits []float32
	probs  []float64
}

// distributions returns the rows of all cases of the op distribution that have one answer, and all of it stored.
func distributions() ([]distribution, error) {
	set, err := golden.Load()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(set.Files, func(f *vector.File) bool { return f.Op == "distribution" })
	if i < 0 {
		return nil, errors.New("sampling: the golden vectors have no distribution")
	}
	var all []distribution
	for _, c := range set.Files[i].Cases {
		s := &c.Steps[0]
		if s.Error != "" || len(s.Or) > 0 || s.Dst[0].Sampled {
			continue
		}
		a := op.SamplingAttrs{Temperature: 1, TopP: 1}
		if err := json.Unmarshal(c.Attrs, &a); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", vector.ErrCorrupt, c.ID, err)
		}
		x := s.Src[0].Tensor()
		vocab := x.Shape[1]
		for r := range x.Shape[0] {
			all = append(all, distribution{fmt.Sprintf("%s, row %d", c.ID, r), a, x.F32[r*vocab:][:vocab], s.Dst[0].Want[r*vocab:][:vocab]})
		}
	}
	return all, nil
}
