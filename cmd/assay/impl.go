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
	kind, id, _ := strings.Cut(name, ":")
	switch kind {
	case "mutant":
		for _, m := range mutant.Catalogue() {
			if m.ID == id {
				return m.New, nil
			}
		}
		return nil, fmt.Errorf("--impl: no mutant %q: the mutants are\n  %s", id, strings.Join(mutantIDs(), "\n  "))
	case "variant":
		for _, v := range mutant.Variants() {
			if v.ID == id {
				return v.New, nil
			}
		}
		return nil, fmt.Errorf("--impl: no variant %q: the variants are %s", id, strings.Join(variantIDs(), ", "))
	}
	return nil, fmt.Errorf("--impl: no implementation %q: want %s", name, implementationNames())
}

func mutantIDs() []string {
	var ids []string
	for _, m := range mutant.Catalogue() {
		ids = append(ids, fmt.Sprintf("%s (%s): %s", m.ID, m.Op, m.Bug))
	}
	return ids
}

func variantIDs() []string {
	var ids []string
	for _, v := range mutant.Variants() {
		ids = append(ids, v.ID)
	}
	return ids
}
