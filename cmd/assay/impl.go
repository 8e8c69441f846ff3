package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assaykit/assay/benchmarks/gonumimpl"
	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/mutant"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/optimized"
)

// factories are the implementations that --impl names.
var factories = map[string]conformance.Factory{
	"optimized": func() op.Implementation { return optimized.New() },
	"reference": refimpl.New,
	"gonum":     gonumimpl.New,
}

func implementationNames() string {
	return strings.Join(slices.Sorted(maps.Keys(factories)), ", ") + ", mutant:ID (a planted bug) or variant:ID (a correct float32 variant)"
}

// implementation returns the factory of a named implementation.
func implementation(name string) (conformance.Factory, error) {
	if f, ok := factories[name]; ok {
		return f, nil
	}
	known := slices.Collect(maps.Keys(factories))
	for _, m := range mutant.Catalogue() {
		if known = append(known, "mutant:"+m.ID); name == known[len(known)-1] {
			return m.New, nil
		}
	}
	for _, v := range mutant.Variants() {
		if known = append(known, "variant:"+v.ID); name == known[len(known)-1] {
			return v.New, nil
		}
	}
	slices.Sort(known)
	return nil, fmt.Errorf("--impl: no implementation %q: %s (want %s)", name, op.Suggest(name, known), implementationNames())
}
