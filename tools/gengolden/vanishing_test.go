package main

import (
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/vector"
)

func TestVanish(t *testing.T) {
	of := func(noise, gauge, beside float64) []vector.Expect {
		return []vector.Expect{
			{Name: "dwk", Shape: []int{2, 2}, Want: []float64{beside, -beside, beside, beside}, Acc: make([]float64, 4)},
			{Name: "dbk", Shape: []int{2}, Want: []float64{noise, nan}, Acc: []float64{gauge, 0}},
		}
	}
	c := &vector.Case{ID: "mha.grad/c", Compare: vector.Bound}
	ok := of(3e-17, 1, 2)
	if err := vanish(c, ok); err != nil || ok[1].Want[0] != 0 {
		t.Errorf("rounding of 0 becomes %v, error %v", ok[1].Want[0], err)
	}
	if w := ok[1].Want[1]; w == w {
		t.Errorf("NaN becomes %v", w)
	}
	for want, results := range map[string][]vector.Expect{
		"is not 0":             of(1e-9, 1, 2),
		"root mean square":     of(3e-17, 1e7, 2),
		"dbk[0] = 1 is not 0:": of(1, 1, 2),
	} {
		if err := vanish(c, results); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	absent := []vector.Expect{{Name: "dwk", Shape: []int{1}}, {Name: "dbk"}}
	if err := vanish(c, absent); err != nil {
		t.Errorf("an absent result: %v", err)
	}
}
