package reference

import (
	"math"
	"testing"
)

// Pictures of masks: a row a query, a column a key, x visible.
func TestVisible(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name    string
		mask    Mask
		picture []string
	}{
		{"nothing hidden", Mask{}, []string{"xxx", "xxx"}},
		{"causal, square", Mask{Causal: true}, []string{"x..", "xx.", "xxx"}},
		{"causal, more keys: the last query sees the last key", Mask{Causal: true}, []string{"xxx..", "xxxx.", "xxxxx"}},
		{"causal, one query", Mask{Causal: true}, []string{"xxxx"}},
		{"causal, fewer keys: the first queries see none", Mask{Causal: true}, []string{"..", "..", "x.", "xx"}},
		{"window 1: itself", Mask{Window: 1}, []string{"x..", ".x.", "..x"}},
		{"window 2, both ways", Mask{Window: 2}, []string{"xx...", "xxx..", ".xxx.", "..xxx", "...xx"}},
		{"window 2, causal", Mask{Causal: true, Window: 2}, []string{"x....", "xx...", ".xx..", "..xx.", "...xx"}},
		{"window 2, causal, more keys", Mask{Causal: true, Window: 2}, []string{"..xx..", "...xx.", "....xx"}},
		{"window 2, more keys", Mask{Window: 2}, []string{"..xxx.", "...xxx", "....xx"}},
		{"window wider than the keys", Mask{Causal: true, Window: 9}, []string{"x.", "xx"}},
		{"allow", Mask{Allow: []bool{true, false, false, false, true, true}}, []string{"x..", ".xx"}},
		{"bias: -Inf hides, NaN and +Inf do not", Mask{Bias: []float64{0, -inf, inf, nan, -1e30, -inf}}, []string{"x.x", "xx."}},
		{"all at once", Mask{Causal: true, Window: 2, Allow: []bool{true, true, true, true, false, true}, Bias: []float64{0, 0, 0, 0, 0, -inf}},
			[]string{"xx.", "..."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seqQ, seqK := len(tt.picture), len(tt.picture[0])
			for i, row := range tt.picture {
				for j := range seqK {
					if got, want := tt.mask.Visible(i, j, seqQ, seqK), row[j] == 'x'; got != want {
						t.Errorf("query %d, key %d: visible is %v, want %v", i, j, got, want)
					}
				}
			}
		})
	}
}

func TestSpecialsOfCapGrad(t *testing.T) {
	inf := math.Inf(1)
	checkSpecials(t, []special{
		{"soft cap at Inf", []float64{Mask{Softcap: 2}.CapGrad(inf, 3)}, []float64{0}},
		{"soft cap at 0", []float64{Mask{Softcap: 2}.CapGrad(0, 3)}, []float64{3}},
		{"no soft cap", []float64{Mask{}.CapGrad(inf, 3)}, []float64{3}},
	})
}
