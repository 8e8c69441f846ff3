package binary

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// same opens the trees, asks, and looks that nothing is left in the directory for temporary files.
func same(t *testing.T, base, head map[string]string) bool {
	t.Helper()
	b, h := trees(t, base, head, ".")
	temp := t.TempDir()
	builder := mustOpen(t, b, h, Settings{Temp: temp})
	x, y := both(t, builder, ".")
	got, err := builder.Same(t.Context(), x, y, temp)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", left, err)
	}
	return got
}

// replace returns a file of plain with old replaced by new, in pairs.
func replace(t *testing.T, file string, pairs ...string) map[string]string {
	t.Helper()
	data := plain[file]
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(data, pairs[i]) {
			t.Fatalf("%s has no %q", file, pairs[i])
		}
		data = strings.ReplaceAll(data, pairs[i], pairs[i+1])
	}
	return map[string]string{file: data}
}

// comments is plain's source with comments that move every line, the further the later.
func comments(t *testing.T) map[string]string {
	return replace(t, "m.go", "\t\t", "\t\t// why"+strings.Repeat("\n", 300)+"\t\t")
}

// many is a source of many functions whose lines have varying or equal distances: its table of lines takes some pages or a few bytes.
func many(varying bool) map[string]string {
	var b, table strings.Builder
	b.WriteString("package m\n")
	for i := range 200 {
		fmt.Fprintf(&table, "\tf%d,\n", i)
		fmt.Fprintf(&b, "\n//go:noinline\nfunc f%d(n int) int {\n", i)
		for j := range 16 {
			b.WriteString("\tn += n / 3\n")
			if varying {
				b.WriteString(strings.Repeat("\n", 100+i+j))
			}
		}
		b.WriteString("\treturn n\n}\n")
	}
	fmt.Fprintf(&b, "\nvar table = []func(int) int{\n%s}\n\nfunc init() { sink = table[len(table)-1](sink) }\n", table.String())
	return map[string]string{"many.go": b.String()}
}

func TestSame(t *testing.T) {
	quiet(t)
	for _, test := range []struct {
		name         string
		more, change map[string]string // for both, for the head
		want         bool
	}{
		{"comments", nil, comments(t), true},
		{"CI: larger tables", many(false), many(true), true},
		{"CI: what is no code", nil, changed(replace(t, "m.go", "\tif", "\n\n\n\tif", "total", "sum", "var sink int", "func unreachable() {}"),
			map[string]string{"z.go": "package m\n\nvar sink int\n"}), true},
		{"constant", nil, replace(t, "m.go", "17", "19"), false},
		{"CI: string", nil, replace(t, "m.go", "hello", "world"), false},
		{"embedded file", nil, map[string]string{"data/in.txt": "other"}, false},
		{"CI: reachable function", nil, replace(t, "m.go", "var sink", "//go:noinline\nfunc init() { sink++ }\n\nvar sink"), false},
		{"testdata", nil, map[string]string{"testdata/in.txt": "other"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.HasPrefix(test.name, "CI: ") {
				slow(t)
			}
			if got := same(t, changed(plain, test.more), changed(plain, test.more, test.change)); got != test.want {
				t.Errorf("same code: %v, want %v", got, test.want)
			}
		})
	}
}

// TestSameElsewhere crosses over to other formats of binaries.
func TestSameElsewhere(t *testing.T) {
	slow(t)
	quiet(t)
	t.Setenv("CGO_ENABLED", "0")
	for _, test := range []struct {
		goos, goarch string
		change       map[string]string
		want         bool
	}{
		{"darwin", "arm64", comments(t), true},
		{"windows", "amd64", nil, false},
	} {
		t.Setenv("GOOS", test.goos)
		t.Setenv("GOARCH", test.goarch)
		if got := same(t, plain, changed(plain, test.change)); got != test.want {
			t.Errorf("%s/%s: same code: %v, want %v", test.goos, test.goarch, got, test.want)
		}
	}
}

func TestSameCgo(t *testing.T) {
	slow(t)
	quiet(t)
	requireC(t)
	cgo := map[string]string{
		"go.mod":    plain["go.mod"],
		"m.go":      "package m\n\n// static int twice(int x) { return x * 2; }\nimport \"C\"\n\nvar sink int\n\nfunc Twice(x int) int { return int(C.twice(C.int(x))) }\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc BenchmarkTwice(b *testing.B) {\n\tfor b.Loop() {\n\t\tTwice(2)\n\t}\n}\n",
	}
	for _, test := range []struct {
		name, old, new string
		varying, want  bool
	}{
		{"comment in C, larger tables", "{ return", "{ /* twice */ return", true, true},
		{"C", "x * 2", "x * 3", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			change := map[string]string{"m.go": strings.Replace(cgo["m.go"], test.old, test.new, 1)}
			if got := same(t, changed(cgo, many(false)), changed(cgo, many(test.varying), change)); got != test.want {
				t.Errorf("same code: %v, want %v", got, test.want)
			}
		})
	}
	t.Run("linked dynamically by Go", func(t *testing.T) {
		user := map[string]string{"user.go": "package m\n\nimport \"os/user\"\n\nfunc init() { _, _ = user.Current() }\n"}
		if !same(t, changed(plain, user, many(false)), changed(plain, user, many(true))) {
			t.Error("larger tables are other code")
		}
	})
}
