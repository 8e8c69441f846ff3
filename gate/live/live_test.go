package live

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assaykit/assay/gate"
	"github.com/assaykit/assay/gate/paired"
)

// The module that is measured, at its base.
var module = map[string]string{
	"go.mod": "module example.com/m\n\ngo 1.24\n",
	"m.go": `package m

func Sum(x []int) (s int) {
	for _, v := range x {
		s += v
	}
	return s
}
`,
	"m_test.go": `package m

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	fmt.Println("Unit rows/op better=higher assume=exact")
	os.Exit(m.Run())
}

var sink []byte

func BenchmarkSum(b *testing.B) {
	x := make([]int, 100)
	for _, n := range []int{10, 100} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.SetBytes(int64(8 * n))
			for b.Loop() {
				Sum(x[:n])
			}
			b.ReportMetric(2, "rows/op")
		})
	}
}
`,
}

// data is another package of it, which reads a file.
var data = map[string]string{
	"data/data.txt": "one\n",
	"data/data.go":  "package data\n\nfunc F() int { return 1 }\n",
	"data/data_test.go": `package data

import (
	"os"
	"testing"
)

func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		if _, err := os.ReadFile("data.txt"); err != nil {
			b.Fatal(err)
		}
		F()
	}
}
`,
}

// repository makes a repository of the module and applies the changes to its working tree: from and to of a file's text; from "" replaces it all. The
// base has those of files that begin with "base:".
func repository(t *testing.T, changes ...[3]string) string {
	t.Helper()
	dir := t.TempDir()
	files := maps.Clone(module)
	for _, c := range changes {
		if strings.HasPrefix(c[0], "data/") {
			maps.Copy(files, data)
		}
	}
	apply := func(c [3]string) {
		if c[1] == "" {
			files[c[0]] = c[2]
		} else if files[c[0]] = strings.Replace(files[c[0]], c[1], c[2], 1); !strings.Contains(files[c[0]], c[2]) {
			t.Fatalf("%q is not in %s", c[1], c[0])
		}
	}
	for _, c := range changes {
		if name, ok := strings.CutPrefix(c[0], "base:"); ok {
			apply([3]string{name, c[1], c[2]})
		}
	}
	write := func() {
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "commit", "-qm", "base"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
	}
	for _, c := range changes {
		if !strings.HasPrefix(c[0], "base:") {
			apply(c)
		}
	}
	write()
	return dir
}

// options are those of a run that has time to find everything.
func options(dir string) Options {
	opt := Defaults("HEAD")
	opt.Dir, opt.Budget, opt.Seed = dir, 10*time.Minute, 1
	return opt
}

// runShort is Run, but that the budget ends when everything is found, if anything is to be timed.
func runShort(ctx context.Context, opt Options) (report *gate.Report, err error) {
	s, err := open(ctx, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.pair.Close()) }()
	if err := s.find(ctx); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(s.benchmarks, func(b *benchmark) bool { return len(b.timed) > 0 }) {
		s.deadline = time.Now()
	}
	return s.report, s.compare(ctx)
}

// other is a change of the code.
var other = [3]string{"m.go", "s += v", "s += v + v"}

// exits is the head of a package that prints a result and ends the process.
const exits = `package m

import (
	"fmt"
	"os"
	"runtime"
)

func init() {
	fmt.Printf("BenchmarkSum/n=100-%d 1 100 ns/op 0 B/op 0 allocs/op\n", runtime.GOMAXPROCS(0))
	os.Exit(0)
}
`

// TestRun holds what is found, and what is refused with which remedy, without measuring. Each case builds; those marked CI are run there, where
// ASSAY_GATE is "all".
func TestRun(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes [][3]string
		set     func(*Options)
		want    string // the rows, or of the error
	}{
		{"a comment", [][3]string{{"m.go", "package m", "// Package m.\npackage m\n"}, {"data/data.go", "package", "package"}}, nil, "Read same code; Sum same code"},
		{"CI: data beside the code", [][3]string{other, {"data/data.txt", "one", "two"}}, nil, "Read sec/op inconclusive; Sum/n=10 sec/op inconclusive; Sum/n=100 sec/op inconclusive"},
		{"CI: data of another package", [][3]string{{"data/data.txt", "one", "two"}}, func(o *Options) { o.Packages = []string{"."} }, "Sum same code"},
		{"a benchmark added", [][3]string{other, {"m_test.go", "var sink", "func BenchmarkNew(b *testing.B) {}\n\nvar sink"}}, func(o *Options) { o.Bench = "New|Sum/=100$" },
			"Sum/n=100 sec/op inconclusive; added example.com/m.BenchmarkNew"},
		{"CI: a benchmark removed", [][3]string{{"m_test.go", "{10, 100}", "{100}"}}, nil, "--allow-removed"},
		{"CI: a benchmark removed and one changed, allowed", [][3]string{{"m_test.go", "{10, 100}", "{100}"}}, func(o *Options) { o.AllowRemoved, o.AllowChanged = true, true },
			"Sum/n=100 sec/op inconclusive; removed example.com/m.BenchmarkSum/n=10"},
		{"CI: a benchmark changed", [][3]string{{"m_test.go", "Sum(x[:n])", "Sum(x[1:n])"}}, nil, "--allow-changed-benchmarks"},
		{"CI: a package removed", [][3]string{{"data/data_test.go", "BenchmarkRead", "benchmarkRead"}}, nil, "example.com/m/data.BenchmarkRead"},
		{"it fails", [][3]string{{"m.go", "return s", "if len(x) > 50 {\n\t\tprintln(`too long`)\n\t\tos.Exit(3)\n\t}\n\treturn s"}, {"m.go", "package m", "package m\nimport \"os\""}}, nil, "too long"},
		{"CI: it prints", [][3]string{{"m.go", "return s", "os.Stdout.WriteString(`x`); return s"}, {"m.go", "package m", "package m\nimport \"os\""}}, nil, "print to standard error"},
		{"CI: a unit removed", [][3]string{{"m_test.go", `"rows/op")`, `"cols/op")`}}, func(o *Options) { o.AllowChanged = true }, "BenchmarkSum/n=10-2 rows/op"},
		{"CI: skipped", [][3]string{{"m.go", "return s", "return -s"}, {"m_test.go", "x := make", "b.Skip()\n\tx := make"}},
			func(o *Options) { o.AllowRemoved, o.AllowChanged = true, true }, "removed example.com/m.BenchmarkSum/n=10; removed example.com/m.BenchmarkSum/n=100"},
		{"CI: nothing selected below a function", [][3]string{other}, func(o *Options) { o.Bench = "Sum/=1000$" }, "no benchmark of example.com/m matches"},
		{"CI: nothing that rests on time", [][3]string{other, {"m_test.go", `b.ReportMetric(2, `, `b.ReportMetric(0, "ns/op"); b.ReportMetric(3, `}, {"m_test.go", "b.SetBytes(int64(8 * n))", "_ = n"}},
			func(o *Options) { o.AllowRemoved, o.AllowChanged, o.Bench = true, true, "Sum/=100$" }, "Sum/n=100 rows/op improved; removed example.com/m.BenchmarkSum/n=100; removed example.com/m.BenchmarkSum/n=100"},
		{"CI: without a result in the base", [][3]string{other, {"base:m_test.go", "x := make([]int, 100)", "x := make([]int, 100)\n\tif _, err := os.Stat(\"cache\"); err != nil {\n\t\tb.Skip()\n\t}"},
			{"base:m_test.go", "var sink", "func BenchmarkOther(b *testing.B) {\n\tfor b.Loop() {\n\t\tSum(nil)\n\t}\n}\n\nvar sink"}, {"base:.gitignore", "", "cache\n"}, {"cache", "", "1"}}, nil,
			"Other sec/op inconclusive; added example.com/m.BenchmarkSum/n=10; added example.com/m.BenchmarkSum/n=100; note example.com/m.BenchmarkSum has no result in the base"},
		{"a direction turned", [][3]string{other, {"m.go", "package m", "package m\n\nimport \"fmt\"\n\nfunc init() { fmt.Println(\"Unit ns/op better=higher\") }"}}, nil,
			"Sum/n=10 sec/op inconclusive; Sum/n=100 sec/op inconclusive; note \"Unit ns/op better=higher\" is ignored: the direction of what package testing prints is fixed"},
		{"CI: a direction that the base has otherwise", [][3]string{other, {"base:m.go", "package m", "package m\n\nimport \"fmt\"\n\nfunc init() { fmt.Println(\"Unit odd/op better=lower\") }"},
			{"m.go", "better=lower", "better=higher"}}, nil, "base and head must declare their units alike"},
		{"CI: it prints a result of its own and exits", [][3]string{other, {"m.go", "package m", exits}}, nil, "without PASS"},
		{"CI: it prints a result of its own", [][3]string{other, {"m.go", "package m", strings.Replace(exits, "os.Exit(0)", "_ = os.Args", 1)}}, nil, "two benchmarks Sum/n=100"},
		{"CI: it prints a result of no benchmark", [][3]string{other, {"m.go", "package m", strings.NewReplacer("os.Exit(0)", "_ = os.Args", "Sum/n=100", "Other").Replace(exits)}}, nil, "does not declare"},
		{"CI: it sets b.N", [][3]string{other, {"m_test.go", "for b.Loop() {", "b.N = 7\n\t\t\tfor range b.N {"}}, func(o *Options) { o.AllowChanged = true }, "set b.N"},
		{"CI: a unit left out", [][3]string{other, {"m_test.go", "b.ReportMetric(2, ", "b.ReportMetric(-3, \"odd/op\")\n\t\t\tb.ReportMetric(2, "}},
			func(o *Options) { o.AllowChanged, o.SkipUnits = true, []string{"odd/op", "rows/op"} }, "Sum/n=10 sec/op inconclusive; Sum/n=100 sec/op inconclusive; note left out, as asked: odd/op, rows/op"},
		{"CI: a negative metric", [][3]string{other, {"m_test.go", "b.ReportMetric(2, ", "b.ReportMetric(-3, "}}, func(o *Options) { o.AllowChanged = true }, "--skip-unit rows/op"},
		{"nothing changed", nil, nil, "nothing to compare"},
		{"alpha", nil, func(o *Options) { o.Alpha = 7 }, "Alpha is 7"},
		{"nothing selected", nil, func(o *Options) { o.Bench = "Product" }, "no benchmark matches"},
		{"a bad pattern", nil, func(o *Options) { o.Bench = "Sum/[" }, "--bench"},
		{"an unknown ref", nil, func(o *Options) { o.Base = "nowhere" }, "nowhere"},
		{"no time", nil, func(o *Options) { o.Budget = 0 }, "budget"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.HasPrefix(test.name, "CI: ") && os.Getenv("ASSAY_GATE") != "all" {
				t.Skip("not run: ASSAY_GATE=all runs it, as CI does")
			}
			t.Parallel()
			opt := options(repository(t, test.changes...))
			if test.set != nil {
				test.set(&opt)
			}
			report, err := runShort(t.Context(), opt)
			got := describe(report, err)
			if !strings.Contains(got, test.want) || err == nil && test.want != "" && got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			left(t, opt.Dir)
		})
	}
}

// describe is the error, or the rows that rest on time or are of the same code, and what was added and removed.
func describe(r *gate.Report, err error) string {
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, row := range r.Rows {
		name, _, _ := strings.Cut(row.Name, "-")
		if row.Verdict == gate.SameCode {
			parts = append(parts, name+" same code")
		} else if row.Unit != "B/op" && row.Unit != "allocs/op" {
			parts = append(parts, fmt.Sprintf("%s %s %s", name, row.Unit, row.Verdict))
		}
	}
	slices.Sort(parts)
	for _, l := range []struct {
		what  string
		names []string
	}{{"added ", r.Added}, {"removed ", r.Removed}} {
		for _, name := range l.names {
			name, _, _ = strings.Cut(name, "-")
			parts = append(parts, l.what+name)
		}
	}
	for _, note := range r.Notes {
		for _, known := range []string{"which has it too", "is ignored", "left out"} {
			if strings.Contains(note, known) {
				name, _, _ := strings.Cut(note, ", which has it too")
				parts = append(parts, "note "+name)
			}
		}
	}
	return strings.Join(parts, "; ")
}

// left fails if a worktree is left.
func left(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, ".git", "worktrees")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a worktree is left: %v", err)
	}
}

// TestUnits holds which units are judged by pairs (first list), which otherwise (second), and which follow from the time.
func TestUnits(t *testing.T) {
	m := func(sec, bytes, flops, hits, extra float64) map[string]float64 {
		return map[string]float64{"sec/op": sec, "B/s": bytes, "flop/s": flops, "hits/op": hits, "extra/op": extra, "B/op": 8, "allocs/op": 1}
	}
	for _, test := range []struct {
		name     string
		declared string
		seen     []map[string]float64
		want     string
	}{
		{"rates follow, to the digits printed", "", []map[string]float64{
			{"sec/op": 2e-3, "B/s": 0.05e6, "flop/s": 500}, {"sec/op": 1e-3, "B/s": 0.11e6, "flop/s": 1000.5}}, "sec/op;"},
		{"a rate that does not follow", "Unit flop/s better=higher", []map[string]float64{{"sec/op": 2e-3, "flop/s": 500}, {"sec/op": 1e-3, "flop/s": 990}}, "sec/op flop/s;"},
		{"times that are equal show nothing", "Unit flop/s better=higher", []map[string]float64{{"sec/op": 1e-3, "flop/s": 500}, {"sec/op": 1e-3, "flop/s": 500}}, "sec/op flop/s;"},
		{"exact and allocations", "Unit hits/op better=higher assume=exact\nUnit extra/op better=lower", []map[string]float64{m(1, 1e9, 1, 1, 1), m(2, .5e9, 1./2, 1, 1)},
			"sec/op extra/op;B/op allocs/op hits/op"},
		{"not in the last run", "", []map[string]float64{{"sec/op": 1, "odd/op": 2}, {"sec/op": 2}}, "sec/op;"},
		{"not in the first run", "Unit odd/op better=lower", []map[string]float64{{"sec/op": 1}, {"sec/op": 2, "odd/op": 2}, {"sec/op": 3, "odd/op": 2}}, "sec/op odd/op;"},
		{"no direction", "", []map[string]float64{{"sec/op": 1, "odd/op": 2}, {"sec/op": 2, "odd/op": 2}}, `"Unit odd/op better=higher"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &comparison{runner: &runner{}}
			if _, err := s.runner.read([]byte(test.declared+"\nPASS\n"), "test", "1x"); err != nil {
				t.Fatal(err)
			}
			b := &benchmark{name: "B"}
			err := s.units(b, test.seen)
			got := fmt.Sprint(err)
			if err == nil {
				var lists [2][]string
				for i, units := range [][]unit{b.timed, b.other} {
					for _, u := range units {
						lists[i] = append(lists[i], u.name)
					}
				}
				got = strings.Join(lists[0], " ") + ";" + strings.Join(lists[1], " ")
			}
			if !strings.Contains(got, test.want) || err == nil && got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestLogRatio holds the ratio of values that may be 0.
func TestLogRatio(t *testing.T) {
	for _, test := range [][3]float64{{1, 1, 0}, {2, 4, math.Ln2}, {0, 0, 0}, {0, 1, 20}, {1, 0, -20}} {
		if got := boundedLogRatio(test[0], test[1]); math.Abs(got-test[2]) > 1e-12 {
			t.Errorf("log ratio of %v to %v is %v, want %v", test[1], test[0], got, test[2])
		}
	}
}

// TestDisagreement holds that a quad's disagreement is that of its sides' own slices, whichever side comes first and however much slower one is.
func TestDisagreement(t *testing.T) {
	quad := func(x ...float64) (q [4]result) {
		for k, v := range x {
			q[k] = result{values: map[string]float64{"sec/op": v}}
		}
		return q
	}
	for _, test := range []struct {
		quad [4]result
		want float64
	}{
		{quad(1, 1, 1, 1), 0},
		{quad(1, 3, 3, 1), 0},
		{quad(1, 1, 1, 2), math.Ln2},
		{quad(2, 3, 6, 2), math.Ln2},
		{quad(4, 1, 2, 1), 2 * math.Ln2},
	} {
		if got := disagreement(test.quad, "sec/op"); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", test.quad, got, test.want)
		}
	}
	for _, test := range []struct {
		apart []float64
		want  float64
	}{{nil, 0.1}, {[]float64{1, 1, 1}, 0.1}, {[]float64{0.03, 0.01, 0.02, 5, 0.01}, 0.02}, {make([]float64, 5), 0.002}} {
		if got := (&benchmark{apart: test.apart}).calm(); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%v: calm up to %v, want %v", test.apart, got, test.want)
		}
	}
}

// TestSettle holds which of several quads is kept: the first whose own slices agree as well as they use to, else the best of four.
func TestSettle(t *testing.T) {
	const usual = 0.01
	for _, test := range []struct {
		name  string
		apart []float64 // of the quads to come
		late  int       // how many are left when time is up
		want  int       // which is kept
		more  int       // quads that are left
	}{
		{"calm at once", []float64{0.015, 0.001}, 0, 0, 1},
		{"disturbed once", []float64{0.5, 0.019, 0.001}, 0, 1, 1},
		{"always disturbed", []float64{0.5, 0.2, 0.1, 0.3, 0.001}, 0, 2, 1},
		{"no time", []float64{0.5, 0.2, 0.001}, 1, 1, 1},
	} {
		b := &benchmark{timed: []unit{{name: "sec/op"}}, apart: []float64{usual, usual, usual, usual, 1, 1, 1}}
		var quads [][4]result
		for i, apart := range test.apart {
			var q [4]result
			for k, v := range []float64{1, 1, math.Exp(-apart), 1} {
				q[k] = result{iters: i, values: map[string]float64{"sec/op": v}}
			}
			quads = append(quads, q)
		}
		first, kept, err := b.settle(func() ([4]result, error) {
			q := quads[0]
			quads = quads[1:]
			return q, nil
		}, func() bool { return len(quads) != test.late })
		if first[0].iters != 0 {
			t.Errorf("%s: quad %d is the first", test.name, first[0].iters)
		}
		if err != nil || kept[0].iters != test.want || len(quads) != test.more {
			t.Errorf("%s: kept quad %d, %d left, %v; want %d, %d left", test.name, kept[0].iters, len(quads), err, test.want, test.more)
		}
	}
}

// TestFunctions holds which functions a pattern can select, as package testing splits it.
func TestFunctions(t *testing.T) {
	for _, test := range []struct {
		bench    string
		yes, not string
	}{
		{"", "BenchmarkA", ""},
		{".", "BenchmarkA", ""},
		{"^BenchmarkA$/x", "BenchmarkA", "BenchmarkAB"},
		{"A$/x|B$/y", "BenchmarkB", "BenchmarkC"},
		{"(A|B)$/x", "BenchmarkB", "BenchmarkC"},
		{"[A|]/x", "BenchmarkA", "BenchmarkB"},
		{`A\|B`, "", "BenchmarkA"},
	} {
		selected, err := functions(test.bench)
		if err != nil {
			t.Fatal(err)
		}
		if test.yes != "" && !selected(test.yes) || test.not != "" && selected(test.not) {
			t.Errorf("%q: %s %v, %s %v", test.bench, test.yes, selected(test.yes), test.not, selected(test.not))
		}
	}
}

// TestLayout holds that layout is named where it explains the spread, and only there.
func TestLayout(t *testing.T) {
	for _, test := range []struct {
		name  string
		step  float64 // what a layout costs at most
		slow  float64
		shown bool
	}{{"noise only", 0, 0, false}, {"layout below the noise", 0.01, 0, false}, {"layout", 0.3, 0, true}, {"a slowdown is no layout", 0, 0.2, false}} {
		rng := rand.New(rand.NewPCG(5, 6))
		b := &benchmark{timed: []unit{{name: "sec/op"}}}
		for range 24 {
			cost := [2]float64{1 + test.step*rng.Float64(), (1 + test.slow) * (1 + test.step*rng.Float64())}
			var quad [4]float64
			for k, side := range []int{base, head, head, base} {
				quad[k] = cost[side] * math.Exp(0.02*rng.NormFloat64())
				b.runs[side] = append(b.runs[side], result{values: map[string]float64{"sec/op": quad[k]}})
			}
			b.quads = append(b.quads, quad)
		}
		spread, links := b.layout()
		if shown := links > 0; shown != test.shown || shown && (spread < test.step/2 || spread > 2*test.step) {
			t.Errorf("%s: spread %v over %d links", test.name, spread, links)
		}
	}
}

// TestQuad holds one quad in each order at layouts of its own, and what is made of them: the head does more than ten times the work.
func TestQuad(t *testing.T) {
	opt := options(repository(t, [3]string{"m.go", "s += v", "for range 50 {\n\t\t\ts += v ^ s\n\t\t}"}))
	opt.Bench, opt.Samples = "Sum/n=100", t.TempDir()
	s, err := open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.pair.Close()
	if err := s.find(t.Context()); err != nil {
		t.Fatal(err)
	}
	src := &quads{comparison: s, benchmarks: s.benchmarks}
	if err := src.Prepare(t.Context(), []int{0, 1}, []int{0}); err != nil {
		t.Fatal(err)
	}
	for seed, reverse := range []bool{false, true} {
		d, err := src.Quad(t.Context(), 0, 0, seed, reverse)
		if err != nil || len(d) != 1 || d[0] < math.Log(5) {
			t.Errorf("log ratios %v, %v, want at least %.2f", d, err, math.Log(5))
		}
		if x := src.benchmarks[0].quads[seed]; x[1] < 5*x[0] || x[2] < 5*x[3] { // base, head, head, base
			t.Errorf("reverse %v: quad %v", reverse, x)
		}
	}
	if err := s.conclude(s.benchmarks, [][]paired.Result{{{Verdict: paired.Regression, Center: 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.keep(); err != nil {
		t.Fatal(err)
	}
	rows := map[string]gate.Row{}
	for _, row := range s.report.Rows {
		rows[row.Unit] = row
	}
	if _, ok := rows["B/s"]; ok || len(rows) != 4 { // MB/s follows from the time
		t.Errorf("units %v", slices.Sorted(maps.Keys(rows)))
	}
	if r := rows["sec/op"]; r.Old.Runs != 4 || r.New.Center < 5*r.Old.Center || r.Verdict != gate.Regression || r.File != "m_test.go" {
		t.Errorf("%+v", r)
	}
	if r := rows["rows/op"]; !r.Exact || r.Verdict != gate.Pass || r.Old.Center != 2 {
		t.Errorf("%+v", r)
	}
	// What was kept is what the gate of files reads.
	var files [2]gate.Source
	for i, name := range s.report.Samples {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = gate.Source{Name: name, Reader: f}
	}
	loose := gate.Defaults()
	loose.Alpha = 0.2 // four runs a side
	again, err := gate.Compare(files[0], files[1], loose)
	if err != nil {
		t.Fatal(err)
	}
	if again.Count(gate.Regression) != 1 || len(again.Rows) != 4 { // here too
		t.Errorf("%+v", again.Rows)
	}
}

// TestInterrupt holds that a run that is interrupted while it measures leaves nothing but what it measured.
func TestInterrupt(t *testing.T) {
	opt := options(repository(t, other))
	opt.Samples = t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	opt.Log = func(format string, _ ...any) {
		if strings.HasPrefix(format, "%s: link") {
			cancel(errors.New("that is enough"))
		}
	}
	_, err := Run(ctx, opt)
	if err == nil || !strings.Contains(err.Error(), "interrupted, nothing was judged: that is enough") {
		t.Error(err)
	}
	left(t, opt.Dir)
}
