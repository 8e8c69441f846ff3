package binary

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSameTestdata(t *testing.T) {
	files := map[string]string{"p/q/x.go": "x", "p/q/testdata/a/b": "1", "p/testdata/c": "2", "testdata/d": "3", "p/other/testdata/e": "4"}
	for _, test := range []struct {
		name   string
		change map[string]string
		want   bool
	}{
		{"nothing", nil, true},
		{"other files", map[string]string{"p/q/x.go": "y", "p/q/README": "z", "p/other/testdata/e": "5"}, true},
		{"contents", map[string]string{"p/q/testdata/a/b": "0"}, false},
		{"name", map[string]string{"p/q/testdata/a/b": "", "p/q/testdata/a/c": "1"}, false},
		{"added", map[string]string{"p/q/testdata/z": "1"}, false},
		{"removed", map[string]string{"p/q/testdata/a/b": ""}, false},
		{"above", map[string]string{"p/testdata/c": "0"}, false},
		{"at the root", map[string]string{"testdata/d": "0"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, head := trees(t, files, changed(files, test.change), ".")
			b := &Builder{trees: [2]*tree{{Side: base}, {Side: head}}}
			x, y := Package{Dir: filepath.Join(base.Root, "p", "q")}, Package{Dir: filepath.Join(head.Root, "p", "q")}
			if got := b.sameTestdata(x, y); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
	base, head := trees(t, files, files, ".")
	b := &Builder{trees: [2]*tree{{Side: base}, {Side: head}}}
	for _, s := range []Side{base, head} {
		if err := os.Symlink("d", filepath.Join(s.Root, "testdata", "link")); err != nil {
			t.Fatal(err)
		}
	}
	if b.sameTestdata(Package{Dir: base.Root}, Package{Dir: head.Root}) {
		t.Error("the same with links that lead anywhere")
	}
}
