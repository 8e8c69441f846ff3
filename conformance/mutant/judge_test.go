package mutant_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/mutant"
	"github.com/assaykit/assay/conformance/vector"
)

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
