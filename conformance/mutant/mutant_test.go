package mutant_test

import (
	"errors"
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

// thorough are the variants that are judged on whole models, too: naive sums, vectorised ones and low precision. Those cases take most of
// the time of a run and differ from the small models in the size of the vocabulary only.
var thorough = []string{"forward", "blocked", "bfloat16"}

func TestVariantsPass(t *testing.T) {
	set := load(t)
	var small []string
	for _, f := range set.Files {
		for _, c := range f.Cases {
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
				opts := []conformance.Option{conformance.Vectors(set), conformance.Once()} // they differ in their arithmetic only
				if !slices.Contains(thorough, v.ID) {
					opts = append(opts, conformance.Cases(small...))
				}
				r, err := conformance.Check(v.New, opts...)
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

// The plain implementation is held to BUF-4 and BUF-5, too.
func TestReplaysPass(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, f := range set.Files {
		f.Cases = slices.DeleteFunc(f.Cases, large)
	}
	r, err := conformance.Check(mutant.Variants()[0].New, conformance.Vectors(set))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
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

// Judge is what the command prints: who died, of which cases, and who did not.
func TestJudge(t *testing.T) {
	outcomes, err := mutant.Judge(t.Context(), load(t), []string{"relu", "embed*ing"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]mutant.Outcome{}
	for _, o := range outcomes {
		seen[o.ID] = o
		if o.Op != "relu" && o.Op != "embedding" {
			t.Errorf("%s is a mutant of %s", o.ID, o.Op)
		}
		for _, id := range o.KilledBy {
			if !strings.HasPrefix(id, o.Op+"/") {
				t.Errorf("%s is killed by %s, a case of another op", o.ID, id)
			}
		}
	}
	for _, id := range []string{"relu-leaky", "relu-nan-zero", "embedding-clamps", "embedding-off-by-one"} {
		if len(seen[id].KilledBy) == 0 {
			t.Errorf("%s survives", id)
		}
	}
}

// A mutant must be able to survive: vectors that do not reach the bug let it live.
func TestJudgeFindsSurvivors(t *testing.T) {
	full := load(t)
	set := &vector.Set{Manifest: full.Manifest}
	for _, f := range full.Files {
		if f.Op == "embedding" {
			gentle := *f
			gentle.Cases = slices.DeleteFunc(slices.Clone(f.Cases), func(c *vector.Case) bool { return slices.Contains(c.Clauses, "EMB-2") })
			set.Files = append(set.Files, &gentle)
		}
	}
	outcomes, err := mutant.Judge(t.Context(), set, []string{"embedding"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(outcomes, func(o mutant.Outcome) bool { return o.ID == "embedding-clamps" })
	if i < 0 || len(outcomes[i].KilledBy) != 0 {
		t.Errorf("without the cases of EMB-2, embedding-clamps is killed by %v", outcomes[i].KilledBy)
	}
}

func TestJudgeNothing(t *testing.T) {
	for _, pattern := range []string{"conv", "["} {
		if o, err := mutant.Judge(t.Context(), load(t), []string{pattern}, nil); !errors.Is(err, conformance.ErrNothingJudged) {
			t.Errorf("op %q: got %v, %v, want ErrNothingJudged", pattern, o, err)
		}
	}
}
