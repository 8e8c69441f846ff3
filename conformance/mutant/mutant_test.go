package mutant_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/mutant"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

func load(t *testing.T) *vector.Set {
	t.Helper()
	set, err := golden.Load()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

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
	t.Logf("%d mutants of %d ops", len(seen), len(perOp))
}

// thorough are the variants that are judged on whole models, too: naive sums, vectorised ones and low precision. Those cases take most of
// the time of a run and differ from the small models in the size of the vocabulary only.
var thorough = []string{"forward", "blocked", "bfloat16"}

// large reports whether a case has more than a million weights.
func large(c *vector.Case) bool {
	weights := 0
	for _, in := range c.Const {
		n, _ := op.Elements(in.Shape)
		weights += n
	}
	return weights > 1<<20
}

func TestVariantsPass(t *testing.T) {
	set := load(t)
	var all, small []string
	for _, f := range set.Files {
		for _, c := range f.Cases {
			all = append(all, c.ID)
			if !large(c) {
				small = append(small, c.ID)
			}
		}
	}
	var mu sync.Mutex
	worst := map[string]conformance.Worst{}
	by := map[string]string{}
	t.Run("variants", func(t *testing.T) {
		for _, v := range mutant.Variants() {
			t.Run(v.ID, func(t *testing.T) {
				t.Parallel()
				cases := small
				if slices.Contains(thorough, v.ID) {
					cases = all
				}
				r, err := conformance.Check(v.New, conformance.Vectors(set), conformance.Cases(cases...))
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Err(); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				judged := map[string]bool{}
				for _, w := range r.Worst {
					judged[w.Op] = true
					if w.Ratio >= worst[w.Op].Ratio {
						worst[w.Op], by[w.Op] = w, v.ID
					}
				}
				for _, name := range op.Names() {
					if offered := op.Offers(v.New(), name); offered != judged[name] {
						t.Errorf("%s: offered %t, judged %t", name, offered, judged[name])
					}
				}
			})
		}
	})
	for _, name := range op.Names() {
		t.Logf("%-20s %.2f of the bound: %s at %s", name, float64(worst[name].Ratio), by[name], worst[name].Case)
	}
}

// survivors are the mutants that no case kills yet, with the case that is missing.
var survivors = map[string]string{
	"softmax-maximum-of-prefix":   "a row whose maximum comes after the eighth element and is ahead of all before it by more than 90",
	"attention-maximum-of-prefix": "a query whose largest score comes after the sixteenth key and is ahead of all before it by more than 90",
}

// Each mutant is run on the cases of its op until one of them names its clause.
func TestMutantsDie(t *testing.T) {
	set := load(t)
	for _, m := range mutant.Catalogue() {
		t.Run(m.ID, func(t *testing.T) {
			t.Parallel()
			killer, others := kill(t, set, m)
			switch missing, ok := survivors[m.ID]; {
			case ok && (killer != "" || others > 0):
				t.Errorf("%s kills it: take it off the list of survivors", killer)
			case ok:
				t.Logf("survives: wanted is %s", missing)
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
			r, err := conformance.Check(m.New, conformance.Vectors(set), conformance.Cases(c.ID))
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

func TestKills(t *testing.T) {
	full := load(t)
	set := &vector.Set{Manifest: full.Manifest}
	for _, f := range full.Files {
		if f.Op == "relu" || f.Op == "embedding" {
			set.Files = append(set.Files, f)
		}
	}
	kills, err := mutant.Kills(set)
	if err != nil {
		t.Fatal(err)
	}
	for id, mutants := range kills {
		for _, m := range mutants {
			if op, _, _ := strings.Cut(id, "/"); !strings.HasPrefix(m, op+"-") {
				t.Errorf("%s kills %s, a mutant of another op", id, m)
			}
		}
	}
	for _, m := range []string{"relu-leaky", "relu-nan-zero", "embedding-clamps", "embedding-off-by-one"} {
		n := 0
		for _, mutants := range kills {
			if slices.Contains(mutants, m) {
				n++
			}
		}
		if n == 0 || n == set.Cases() {
			t.Errorf("%s: killed by %d of %d cases", m, n, set.Cases())
		}
	}
	broken := &vector.Set{Files: []*vector.File{{Op: "relu", Cases: []*vector.Case{{ID: "relu/none", Steps: []vector.Step{{Src: nil}}}}}}}
	if kills, err := mutant.Kills(broken); err == nil {
		t.Errorf("corrupt vectors: want an error, got %v", kills)
	}
}
