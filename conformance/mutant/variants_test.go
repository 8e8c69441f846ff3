package mutant_test

import (
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/mutant"
	"github.com/assaykit/assay/conformance/op"
)

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
	if os.Getenv("ASSAY_REPLAYS") != "all" {
		t.Skip("half a minute: ASSAY_REPLAYS=all replays the cases, as CI does")
	}
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
