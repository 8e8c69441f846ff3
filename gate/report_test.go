package gate

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// commits is a report on two commits: packages of which some code is the same, and rows in the order of the benchmarks.
func commits() *Report {
	config := func(pkg string) map[string]string {
		return map[string]string{"pkg": pkg, "goos": "linux", "goarch": "amd64", "cpu": "Test CPU"}
	}
	row := func(name, unit string, old, new, resolution float64, v Verdict) Row {
		side := func(x float64) Side { return Side{Interval{x, x * 0.99, x * 1.01}, 32} }
		ratio, p := new/old, 0.4
		if v == Regression {
			p = 0.0004
		}
		return Row{
			Name: name, Unit: unit, Config: config("example.com/m"), Better: "lower", Old: side(old), New: side(new), Ratio: Interval{ratio, ratio * 0.97, ratio * 1.03},
			P: p, Resolution: resolution, Verdict: v, Quads: [2]int{16, 32}, File: "sub/mul_test.go", Line: 41,
		}
	}
	same := func(pkg, name string) Row {
		return Row{Name: name, Config: map[string]string{"pkg": pkg}, Verdict: SameCode, File: "same_test.go", Line: 7}
	}
	exact := row("Mul/p=50%,x:y-2", "allocs/op", 1, 2, 0, Regression)
	exact.Exact, exact.File = true, "odd %,:/mul_test.go"
	layout := row("Sum_of|all-2", "sec/op", 1e-6, 1.02e-6, 0.081, Inconclusive)
	layout.Layout, layout.Links, layout.Quads = 0.47, 16, [2]int{16, 0}
	slow := row("Slow-2", "sec/op", 1, 1, math.Inf(1), Inconclusive)
	slow.Reason, slow.Quads, slow.File, slow.Old, slow.New = "the budget was spent\nbefore it ran", [2]int{}, "", Side{}, Side{}
	passed := row("Mul/p=50%,x:y-2", "B/s", 2e9, 2e9, 0.03, Pass)
	passed.Better = "higher"
	return &Report{
		Old: "main 1a2b3c4", New: "checkout 5d6e7f8 and 3 changed files", Alpha: 0.01, Slack: 0.01, Limit: 0.05, Seconds: 142.6,
		Rows: []Row{
			same("example.com/a", "A"), row("Mul/p=50%,x:y-2", "sec/op", 1e-6, 1.1e-6, 0.03, Regression), exact, passed, layout,
			same("example.com/m", "B"), same("example.com/a", "C"), slow,
		},
		Added: []string{"example.com/m New"}, Removed: []string{"example.com/m Gone"}, Notes: []string{"the machine was busy"}, Samples: []string{"base.txt", "head.txt"},
	}
}

const commitsText = `goos: linux
goarch: amd64
pkg: example.com/m
cpu: Test CPU
                │ main 1a2b3c4 │ checkout 5d6e7f8 and 3 changed files │
                │    sec/op    │    sec/op     vs base                │  finds  verdict
Mul/p=50%,x:y-2    1.000µ ± 1%    1.100µ ± 1%  +10.00% (p=0.000 n=32)       3%  regression
Sum_of|all-2       1.000µ ± 1%    1.020µ ± 1%        ~ (p=0.400 n=32)     8.1%  inconclusive
Slow-2                                                                          inconclusive
geomean            1.000µ         1.059µ        +5.92%

                │ main 1a2b3c4 │ checkout 5d6e7f8 and 3 changed files │
                │  allocs/op   │      allocs/op       vs base         │  finds  verdict
Mul/p=50%,x:y-2     1.000 ± 1%            2.000 ± 1%  +100.00% (n=32)      any  regression

                │ main 1a2b3c4 │ checkout 5d6e7f8 and 3 changed files │
                │     B/s      │        B/s          vs base          │  finds  verdict
Mul/p=50%,x:y-2   1.863Gi ± 1%         1.863Gi ± 1%  ~ (p=0.400 n=32)       3%  pass

same code: example.com/a: 2 benchmarks (A, C)
same code: example.com/m: 1 benchmark (B)
REGRESSION Mul/p=50%,x:y-2 sec/op: new/old 1.1 in [1.067, 1.133], lower is better, p=0.0004 against a slack of 1%, 16 + 32 quads (sub/mul_test.go:41)
REGRESSION Mul/p=50%,x:y-2 allocs/op: 1.000 to 2.000, judged exactly (odd %,:/mul_test.go:41)
inconclusive Sum_of|all-2 sec/op: finds 8.1%, limit 5%, 16 quads (sub/mul_test.go:41)
inconclusive Slow-2 sec/op: the budget was spent before it ran
2 of 5 rows inconclusive, which is never a pass: a change for the worse by more than 5% could have been missed
layout-sensitive Sum_of|all-2 sec/op: 47% over 16 links
removed, not judged: example.com/m Gone
added, not judged: example.com/m New
note: the machine was busy
measurements, for benchstat: base.txt head.txt
1 pass, 2 regression, 0 improved, 2 inconclusive, 3 same code (alpha 0.01 over the suite, slack 1%, limit 5%; 143 s)
`

const commitsMarkdown = `**1 pass, 2 regression, 0 improved, 2 inconclusive, 3 same code (alpha 0.01 over the suite, slack 1%, limit 5%; 143 s)**

| benchmark | unit | main 1a2b3c4 | checkout 5d6e7f8 and 3 changed files | new/old | p | finds | verdict |
|---|---|---|---|---|---|---|---|
| Mul/p=50%,x:y-2 | sec/op | 1.000µ ± 1% | 1.100µ ± 1% | +10.00% ± 3% | p=0.000 n=32 | 3% | regression |
| Mul/p=50%,x:y-2 | allocs/op | 1.000 ± 1% | 2.000 ± 1% | +100.00% | exact | any | regression |
| Sum\_of\|all-2 | sec/op | 1.000µ ± 1% | 1.020µ ± 1% | +2.00% ± 3% | p=0.400 n=32 | 8.1% | inconclusive |

- same code: example.com/a: 2 benchmarks (A, C)
- same code: example.com/m: 1 benchmark (B)
- REGRESSION Mul/p=50%,x:y-2 sec/op: new/old 1.1 in \[1.067, 1.133], lower is better, p=0.0004 against a slack of 1%, 16 + 32 quads (sub/mul\_test.go:41)
- REGRESSION Mul/p=50%,x:y-2 allocs/op: 1.000 to 2.000, judged exactly (odd %,:/mul\_test.go:41)
- inconclusive Sum\_of\|all-2 sec/op: finds 8.1%, limit 5%, 16 quads (sub/mul\_test.go:41)
- inconclusive Slow-2 sec/op: the budget was spent before it ran
- 2 of 5 rows inconclusive, which is never a pass: a change for the worse by more than 5% could have been missed
- layout-sensitive Sum\_of\|all-2 sec/op: 47% over 16 links
- removed, not judged: example.com/m Gone
- added, not judged: example.com/m New
- note: the machine was busy
- measurements, for benchstat: base.txt head.txt
`

const commitsAnnotations = `::error file=sub/mul_test.go,line=41,title=regression%3A Mul/p=50%25%2Cx%3Ay-2 sec/op::` +
	`new/old 1.1 in [1.067, 1.133], lower is better, p=0.0004 against a slack of 1%25, 16 + 32 quads
::error file=odd %25%2C%3A/mul_test.go,line=41,title=regression%3A Mul/p=50%25%2Cx%3Ay-2 allocs/op::1.000 to 2.000, judged exactly
::warning title=inconclusive benchmarks::2 of 5 rows inconclusive, which is never a pass: a change for the worse by more than 5%25 could have been missed
`

func TestWriteCommits(t *testing.T) {
	r := commits()
	wantLines(t, r.WriteText, commitsText)
	wantLines(t, r.WriteMarkdown, commitsMarkdown)
	wantLines(t, r.WriteAnnotations, commitsAnnotations)
}

// TestAnnotationsOfFiles holds that a regression of no known place is annotated without one, and that a report without regressions says nothing.
func TestAnnotationsOfFiles(t *testing.T) {
	r := &Report{Rows: []Row{{Name: "A-8", Unit: "sec/op\r\n", Better: "lower", Ratio: Interval{2, 1.5, 2.5}, P: 0.001, Verdict: Regression}}, Slack: 0.02}
	wantLines(t, r.WriteAnnotations, "::error title=regression%3A A-8 sec/op%0D%0A::new/old 2 in [1.5, 2.5], lower is better, p=0.001 against a slack of 2%25\n")
	r.Rows[0].Verdict = Pass
	wantLines(t, r.WriteAnnotations, "")
}

// TestNothingToShow holds that a report without rows or remarks has no tables and no list.
func TestNothingToShow(t *testing.T) {
	r := &Report{Rows: []Row{{Name: "A", Verdict: SameCode, Config: map[string]string{"pkg": "m"}}}, Alpha: 0.01, Slack: 0.01, Limit: 0.05}
	const counts = "0 pass, 0 regression, 0 improved, 0 inconclusive, 1 same code (alpha 0.01 over the suite, slack 1%, limit 5%)"
	wantLines(t, r.WriteText, "same code: m: 1 benchmark (A)\n"+counts+"\n")
	wantLines(t, r.WriteMarkdown, "**"+counts+"**\n\n- same code: m: 1 benchmark (A)\n")
	r = &Report{Rows: []Row{{Name: "A", Unit: "sec/op", Verdict: Pass}}, Alpha: 0.01, Slack: 0.01, Limit: 0.05}
	wantLines(t, r.WriteMarkdown, "**1 pass, 0 regression, 0 improved, 0 inconclusive (alpha 0.01 over the suite, slack 1%, limit 5%)**\n")
}

// TestJSONOfCommits pins the fields that only a report on two commits has, and that a row of the same code has no numbers.
func TestJSONOfCommits(t *testing.T) {
	data, err := json.Marshal(commits())
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Rows    []map[string]any
		Seconds float64
		Samples []string
		Counts  map[Verdict]int
	}
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(report.Seconds, report.Samples, report.Counts[SameCode]); got != "142.6 [base.txt head.txt] 3" {
		t.Errorf("seconds, samples and same code: %s", got)
	}
	if got := fmt.Sprint(report.Rows[0]); got != "map[config:map[pkg:example.com/a] file:same_test.go line:7 name:A verdict:same code]" {
		t.Errorf("same code: %s", got)
	}
	for at, want := range map[int]string{
		1: "[16 32] <nil> <nil> <nil> sub/mul_test.go 41", 4: "[16 0] <nil> 0.47 16 sub/mul_test.go 41", 7: "<nil> the budget was spent\nbefore it ran <nil> <nil> <nil> 41",
	} {
		row := report.Rows[at]
		if got := fmt.Sprint(row["quads"], " ", row["reason"], " ", row["layout"], " ", row["links"], " ", row["file"], " ", row["line"]); got != want {
			t.Errorf("row %d: %s, want %s", at, got, want)
		}
	}
}

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		verdicts string
		require  bool
		want     int
	}{
		{"", false, 2},
		{"same code", false, 0},
		{"same code", true, 0},
		{"same code, pass", false, 0},
		{"same code, inconclusive", false, 2},
		{"pass, inconclusive", false, 0},
		{"pass, inconclusive", true, 2},
		{"improved, inconclusive", false, 0},
		{"exact, inconclusive", false, 2},
		{"exact, same code", true, 0},
		{"regression, inconclusive, same code", true, 1},
	} {
		r := &Report{RequireResolution: test.require}
		for v := range strings.SplitSeq(test.verdicts, ", ") {
			switch v {
			case "":
			case "exact":
				r.Rows = append(r.Rows, Row{Exact: true, Verdict: Pass})
			default:
				r.Rows = append(r.Rows, Row{Verdict: Verdict(v)})
			}
		}
		if got := r.ExitCode(); got != test.want {
			t.Errorf("%q, required %v: exit code %d, want %d", test.verdicts, test.require, got, test.want)
		}
	}
}

// TestReasons holds that two files' inconclusive rows say which of the conditions of a pass they miss.
func TestReasons(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{lines("A", noise, 100.0, "ns/op") + "BenchmarkA 1 0 ns/op\n", lines("A", times(1, noise), 100.0, "ns/op"), "old.txt:15: 0 ns/op is no time: let the benchmark do its work while its timer runs"},
		{"Unit x better=lower\n" + lines("A", noise, 100.0, "x") + "BenchmarkA 1 0 x\n", lines("A", times(1, noise), 100.0, "x"), "runs of 0 have no ratio"},
		{lines("A", []float64{1, 2, 3, 4, 5, 6}, 1.0, "ns/op"), lines("A", []float64{3, 1, 2, 4, 5, 6}, 1.0, "ns/op"), "the runs vary too much"},
		{lines("A", noise, 100.0, "ns/op"), lines("A", times(1.017, noise), 100.0, "ns/op"), "a slowdown of up to 2.5% is not excluded"},
	} {
		opt := Defaults()
		opt.Resolution = 0.025
		r, err := compare(header+test.old, header+test.new, opt)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Rows[0].Reason; got != test.want {
			t.Errorf("%+v: want %q", r.Rows[0], test.want)
		}
	}
}

func TestPercent(t *testing.T) {
	for x, want := range map[float64]string{0.0123: "1.2%", 0.095: "9.5%", 0.47: "47%", 0.994: "99%", 0.996: "100%", 1: "100%", 6.18: "618%", math.Inf(1): "∞", 0: "0%"} {
		if got := percent(x); got != want {
			t.Errorf("percent(%v) = %s, want %s", x, got, want)
		}
	}
}

// TestWriteFails holds that a writer's error is returned.
func TestWriteFails(t *testing.T) {
	r := commits()
	for _, write := range []func(io.Writer) error{r.WriteText, r.WriteMarkdown, r.WriteAnnotations} {
		if err := write(brokenWriter{}); err != io.ErrClosedPipe {
			t.Errorf("error %v, want the writer's", err)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestZeros holds that tables of nothing but zeros are a line behind the others.
func TestZeros(t *testing.T) {
	zeros := []any{100.0, "ns/op", 0.0, "B/op=", 0.0, "allocs/op="}
	old := header + lines("A", noise, zeros...) + lines("B", noise, zeros...) + "pkg: example.com/l\n" + lines("C", noise, 100.0, "ns/op", 8.0, "B/op=", 0.0, "allocs/op=")
	new := header + lines("A", times(1, noise), zeros...) + lines("B", times(1, noise), zeros...) + "pkg: example.com/l\n" + lines("C", times(1, noise), 100.0, "ns/op", 0.0, "B/op=", 0.0, "allocs/op=")
	r, err := compare(old, new, Defaults())
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	require.Equal(t, 3, strings.Count(b.String(), "finds  verdict"), b.String()) // sec/op of both packages, B/op of the second
	require.Contains(t, b.String(), "\n0 B/op on both sides: 2 benchmarks\n0 allocs/op on both sides: 3 benchmarks\n")
}
