package op_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

// Every op stands in the file of its family, beside its gradient, in a group that exists.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range op.Table() {
		if seen[r.Name] {
			t.Errorf("%s stands twice in the table", r.Name)
		}
		seen[r.Name] = true
		if !slices.Contains(op.Families, r.Family) {
			t.Errorf("%s: family %q: want one of %v", r.Name, r.Family, op.Families)
		}
		if !slices.ContainsFunc(op.Groups, func(g op.Group) bool { return g.Name == r.Group }) {
			t.Errorf("%s: group %q: want one of %v", r.Name, r.Group, op.Groups)
		}
		source, err := os.ReadFile(r.Family + ".go")
		if err != nil || !strings.Contains(string(source), `{ return "`+r.Name+`" }`) {
			t.Errorf("%s: its family is %s, and %s.go does not declare it (%v)", r.Name, r.Family, r.Family, err)
		}
		if r.Gradient == "" {
			continue
		}
		g, err := op.Lookup(r.Gradient)
		if err != nil || g.Family != r.Family || r.Gradient != r.Name+".grad" {
			t.Errorf("%s: its gradient is %q (%v)", r.Name, r.Gradient, err)
		}
	}
	if len(seen) < 52 {
		t.Errorf("the table has %d ops", len(seen))
	}
}

// A gradient takes what its forward takes, and one gradient for each result.
func TestGradientsTakeTheInputsOfTheirForward(t *testing.T) {
	for _, r := range op.Table() {
		if r.Gradient == "" {
			continue
		}
		names := func(name string, roles ...op.Role) (all []string) {
			args, err := op.Arguments(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range args {
				if slices.Contains(roles, a.Role) {
					all = append(all, string(a.Role)+" "+a.Name)
				}
			}
			return all
		}
		want := names(r.Name, op.Const, op.Src)
		for _, y := range names(r.Name, op.Dst) {
			want = append(want, "src d"+strings.TrimPrefix(y, "dst "))
		}
		if got := names(r.Gradient, op.Const, op.Src); !slices.Equal(got, want) {
			t.Errorf("%s takes %v, want %v", r.Gradient, got, want)
		}
	}
}
