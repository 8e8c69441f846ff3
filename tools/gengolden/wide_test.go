package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

// few are the dimensions that count things of which there are few, by op; "" is every op. Kernels do not cut them into blocks.
var few = map[string]string{
	"":                 "B B|1 G H H|1 L",
	"attention.cached": "T", // of one step; the cache grows beyond
	"gpt.cached":       "T",
	"beam_search":      "K N S",
	"gpt.generate":     "K N",
	"gpt.train":        "M",
	"text.clean":       "6",
	"text.encode":      "2 R",
	"text.decode":      "2 R",
	"text.pack":        "D N P",
	"text.split":       "V",
	"text.batches":     "N T",
}

// Every op meets more than one block of 64 in each dimension that kernels cut into blocks, in a case that succeeds. In ops over any leading
// axes, these together are one.
func TestEveryDimensionPassesABlock(t *testing.T) {
	set, err := golden.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Files {
		for name, longest := range longestDims(t, f) {
			exempt := slices.Contains(strings.Fields(few[""]+" "+few[f.Op]), name)
			if longest <= 64 && !exempt {
				t.Errorf("%s: the longest %s is %d: no case meets a second block of 64", f.Op, name, longest)
			}
			if longest > 64 && exempt && !slices.Contains(strings.Fields(few[""]), name) {
				t.Errorf("%s: %s reaches %d: it needs no exemption", f.Op, name, longest)
			}
		}
	}
}

// longestDims returns the greatest length of each dimension that the op table names, over the cases of an op that succeed.
func longestDims(t *testing.T, f *vector.File) map[string]int {
	args, err := op.Arguments(f.Op)
	if err != nil {
		t.Fatal(err)
	}
	longest := map[string]int{}
	note := func(name string, shape []int) {
		rule := strings.Fields(args[slices.IndexFunc(args, func(a op.Argument) bool { return a.Name == name })].Rule)
		if len(rule) > 0 && rule[0] == "..." {
			lead := len(shape) - len(rule) + 1
			n, _ := op.Elements(shape[:lead])
			longest["..."] = max(longest["..."], n)
			rule, shape = rule[1:], shape[lead:]
		}
		for i, dim := range rule[:min(len(rule), len(shape))] {
			longest[dim] = max(longest[dim], shape[i])
		}
	}
	for _, c := range f.Cases {
		if slices.ContainsFunc(c.Steps, func(s vector.Step) bool { return s.Error != "" }) {
			continue
		}
		for _, in := range c.Const {
			if in.DType != 0 {
				note(in.Name, in.Shape)
			}
		}
		for _, s := range c.Steps {
			for _, in := range s.Src {
				if in.DType != 0 {
					note(in.Name, in.Shape)
				}
			}
			for _, e := range s.Dst {
				if e.Present() {
					note(e.Name, e.Shape)
				}
			}
		}
	}
	return longest
}

// What is sampled is compared at its positions.
func TestSameDecisionsOfSamples(t *testing.T) {
	list := []vector.Expect{{Name: "probs", Shape: []int{4}, Sampled: true, Index: []int64{1, 3}, Want: []float64{0, 1}}}
	for _, tt := range []struct {
		probs []float64
		want  bool
	}{{[]float64{1, 0, 0, 1}, true}, {[]float64{0, 1, 0, 1}, false}, {[]float64{0, 0, 1, 0}, false}} {
		if got := sameDecisions(list, []op.Tensor{op.Float64(tt.probs, 4)}); got != tt.want {
			t.Errorf("%v: the decisions are the same: %v, want %v", tt.probs, got, tt.want)
		}
	}
}
