package main

import (
	"iter"
	"maps"
	"slices"
)

func trainingFamilies() []family {
	return []family{
		initFamily(), adamFamily(), sgdFamily(), clipNormFamily(), clipValueFamily(), learningRateFamily(), gptTrainFamily(),
	}
}

// sorted goes through a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
