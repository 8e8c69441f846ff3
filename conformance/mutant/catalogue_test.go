package mutant_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/mutant"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

// raceDetector makes everything ten times slower, as does an emulator, where -short is given; whole models are left to the runs without.
var raceDetector bool

// load returns the embedded vectors, the cases of each op from the smallest to the largest.
func load(t *testing.T) *vector.Set {
	t.Helper()
	embedded, err := golden.Load()
	if err != nil {
		t.Fatal(err)
	}
	set := &vector.Set{Manifest: embedded.Manifest}
	without := 0
	for _, f := range embedded.Files {
		sorted := *f
		sorted.Cases = slices.Clone(f.Cases)
		if raceDetector || testing.Short() {
			sorted.Cases = slices.DeleteFunc(sorted.Cases, large)
		}
		without += len(f.Cases) - len(sorted.Cases)
		slices.SortStableFunc(sorted.Cases, func(a, b *vector.Case) int { return size(a) - size(b) })
		set.Files = append(set.Files, &sorted)
	}
	if without > 0 {
		t.Logf("%d cases of whole models are left to runs without -race and -short", without)
	}
	return set
}

// size returns how many elements a case's inputs have.
func size(c *vector.Case) int {
	total := 0
	count := func(ins []vector.Input) {
		for i := range ins {
			if ins[i].DType != 0 {
				n, _ := op.Elements(ins[i].Shape)
				total += n
			}
		}
	}
	count(c.Const)
	for _, s := range c.Steps {
		count(s.Src)
	}
	return total
}

// large reports whether a case is that of a whole model.
func large(c *vector.Case) bool { return size(c) > 1<<20 }

func TestCatalogueIsWellFormed(t *testing.T) {
	set := load(t)
	seen := map[string]bool{}
	perOp := map[string]int{}
	for _, m := range mutant.Catalogue() {
		perOp[m.Op]++
		switch {
		case seen[m.ID]:
			t.Errorf("%s: the id is there twice", m.ID)
		case !strings.HasPrefix(m.ID, strings.NewReplacer(".", "-", "_", "-").Replace(strings.TrimSuffix(m.Op, "_positions"))):
			t.Errorf("%s: want the id to begin with the op, %s", m.ID, m.Op)
		case !slices.Contains(set.Manifest.Clauses, m.Clause):
			t.Errorf("%s: SPEC.md has no clause %s", m.ID, m.Clause)
		case !strings.HasSuffix(m.Bug, "."):
			t.Errorf("%s: want a sentence, got %q", m.ID, m.Bug)
		}
		seen[m.ID] = true
	}
	for _, name := range op.Names() {
		if perOp[name] < 3 {
			t.Errorf("%s has %d mutants, want at least 3", name, perOp[name])
		}
	}
	for _, clause := range set.Manifest.Clauses {
		if !slices.ContainsFunc(mutant.Catalogue(), func(m mutant.Mutant) bool { return m.Clause == clause }) {
			t.Errorf("no planted bug breaks %s", clause)
		}
	}
	t.Logf("%d mutants of %d ops", len(seen), len(perOp))
}

// Each mutant is run on the cases of its op until one of them names its clause.
func TestMutantsDie(t *testing.T) {
	set := load(t)
	for _, m := range mutant.Catalogue() {
		t.Run(m.ID, func(t *testing.T) {
			t.Parallel()
			killer, others := kill(t, set, m)
			switch {
			case killer == "" && others > 0:
				t.Errorf("%d cases kill it, none of them for %s: %s", others, m.Clause, m.Bug)
			case killer == "":
				t.Errorf("survives: %s", m.Bug)
			}
		})
	}
}

// kill returns the first case that fails the mutant and names its clause, and how many fail it for another.
func kill(t *testing.T, set *vector.Set, m mutant.Mutant) (killer string, others int) {
	for _, f := range set.Files {
		if f.Op != m.Op {
			continue
		}
		for _, c := range f.Cases {
			r, err := conformance.Check(m.New, append(m.Options(), conformance.Vectors(set), conformance.Cases(c.ID))...)
			if err != nil {
				t.Fatal(err)
			}
			for _, failure := range r.Failures {
				if slices.Contains(failure.Clauses, m.Clause) {
					return c.ID, others
				}
				others++
			}
		}
	}
	return "", others
}
