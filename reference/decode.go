package reference

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Rank returns the tokens whose logit is not -Inf, the largest logit first, equal ones by index
//
//	i before j  where  x_i > x_j,  or x_i = x_j and i < j
//
// A row that holds a NaN or a +Inf, or nothing but -Inf, is an error that wraps ErrNumber: nothing can be chosen from it.
func Rank(logits []float64) ([]int, error) {
	var ranked []int
	for i, x := range logits {
		if math.IsNaN(x) || math.IsInf(x, 1) {
			return nil, fmt.Errorf("reference: logit %d is %v: %w", i, x, ErrNumber)
		}
		if !math.IsInf(x, -1) {
			ranked = append(ranked, i)
		}
	}
	if len(ranked) == 0 {
		return nil, fmt.Errorf("reference: all %d logits are -Inf: %w", len(logits), ErrNumber)
	}
	slices.SortStableFunc(ranked, func(i, j int) int { return cmp.Compare(logits[j], logits[i]) })
	return ranked, nil
}

// Greedy returns the token ranked first: the largest logit, of equal ones the lowest index. Errors are those of Rank.
func Greedy(logits []float64) (int, error) {
	ranked, err := Rank(logits)
	if err != nil {
		return 0, err
	}
	return ranked[0], nil
}

// Sampling says how a distribution is made of logits: they are divided by Temperature (0: greedy), the TopK ranked first are left (0: all),
// and of these the first whose probabilities reach TopP (1: all).
type Sampling struct {
	Temperature float64
	TopK        int
	TopP        float64
}

// Distribution returns the probabilities that sampling chooses with (Fan et al. 2018, top-k; Holtzman et al. 2019, top-p)
//
//	p_i = exp((x_i - m)/T) / sum_j exp((x_j - m)/T)        over the tokens that are left, 0 for all others
//
// with m = max_j x_j: no temperature is so small that a quotient overflows. The tokens that are left are the first TopK by rank, and of
// these the first n by rank, n the smallest number such that
//
//	p_1 + ... + p_n >= TopP        of the probabilities after top-k
//
// Special cases:
//
//	T = 0    -> 1 for the token ranked first
//	TopP = 0 -> 1 for the token ranked first
//	TopP = 1 -> no token is dropped, also where the rounded sum reaches 1 early
//	no sum reaches TopP -> no token is dropped
//
// Errors are those of Rank.
func Distribution(logits []float64, s Sampling) ([]float64, error) {
	require(s.Temperature >= 0 && s.TopK >= 0 && s.TopP >= 0 && s.TopP <= 1, "Distribution: %+v", s)
	left, err := Rank(logits)
	if err != nil {
		return nil, err
	}
	p := make([]float64, len(logits))
	if s.Temperature == 0 {
		p[left[0]] = 1
		return p, nil
	}
	if s.TopK > 0 {
		left = left[:min(s.TopK, len(left))]
	}
	m := logits[left[0]]
	scaled := make([]float64, len(left))
	for n, i := range left {
		scaled[n] = (logits[i] - m) / s.Temperature
	}
	if s.TopP < 1 {
		n := nucleus(Softmax(scaled), s.TopP)
		left, scaled = left[:n], scaled[:n]
	}
	for n, v := range Softmax(scaled) {
		p[left[n]] = v
	}
	return p, nil
}

// nucleus returns how many of the probabilities, largest first, it takes for their sum to reach topP; all where it does not. It takes one
// at least.
func nucleus(ranked []float64, topP float64) int {
	sum := 0.0
	for n, v := range ranked {
		sum += v
		if sum >= topP {
			return n + 1
		}
	}
	return len(ranked)
}

// Sample returns the token that a draw of 32 bits chooses from the distribution, by inversion
//
//	u = floor(draw / 2^8) 2^-24        in [0, 1)
//	token = the first i in index order with p_0 + ... + p_i > u
//
// and the last token that is left where rounding leaves no such sum. A draw outside [0, 2^32) is an error that wraps ErrIndex; other
// errors are those of Rank.
func Sample(logits []float64, s Sampling, draw int) (int, error) {
	if draw < 0 || int64(draw) > math.MaxUint32 {
		return 0, fmt.Errorf("reference: Sample: the draw is %d, want a number of 32 bits: %w", draw, ErrIndex)
	}
	p, err := Distribution(logits, s)
	if err != nil {
		return 0, err
	}
	return invert(p, upper24(draw)), nil
}

// invert returns the first token whose cumulative probability is greater than u, the last of positive probability where none is.
func invert(p []float64, u float64) int {
	sum, last := 0.0, 0
	for i, v := range p {
		sum += v
		if v > 0 {
			last = i
		}
		if sum > u {
			return i
		}
	}
	return last
}
