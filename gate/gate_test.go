package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const header = "goos: linux\ngoarch: amd64\npkg: example.com/k\ncpu: Test CPU\n"

// noise is ten multiples around 1 with a spread of 1 %.
var noise = []float64{1.003, 0.998, 1.011, 0.994, 1.001, 1.007, 0.989, 1.004, 0.996, 0.999}

// lines returns a result line for each factor: the value of each unit times the factor, unless its unit ends with '=', which keeps it.
func lines(name string, factors []float64, units ...any) string {
	var b strings.Builder
	for i, f := range factors {
		fmt.Fprintf(&b, "Benchmark%s \t%d", name, 1000+i)
		for u := 0; u < len(units); u += 2 {
			value, unit := units[u].(float64), units[u+1].(string)
			if kept, ok := strings.CutSuffix(unit, "="); ok {
				fmt.Fprintf(&b, "\t%v %s", value, kept)
			} else {
				fmt.Fprintf(&b, "\t%.6g %s", value*f, unit)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func times(factor float64, x []float64) []float64 {
	y := make([]float64, len(x))
	for i := range x { // reversed, so that no two files hold the same measurements
		y[i] = factor * x[len(x)-1-i]
	}
	return y
}

func compare(old, new string, opt Options) (*Report, error) {
	return Compare(Source{"old.txt", strings.NewReader(old)}, Source{"new.txt", strings.NewReader(new)}, opt)
}

func TestVerdicts(t *testing.T) {
	const declared = "Unit tok/s better=higher\nUnit size assume=exact better=lower\nUnit hits assume=exact better=higher\n"
	ns := func(v float64) []any { return []any{v, "ns/op"} }
	for _, test := range []struct {
		name     string
		old, new string
		row      int
		want     Verdict
		exit     int
	}{
		{"same", lines("A", noise, ns(100)...), lines("A", times(1, noise), ns(100)...), 0, Pass, 0},
		{"slower", lines("A", noise, ns(100)...), lines("A", times(1.05, noise), ns(100)...), 0, Regression, 1},
		{"slower within the slack", lines("A", noise, ns(100)...), lines("A", times(1.008, noise), ns(100)...), 0, Pass, 0},
		{"faster", lines("A", noise, ns(100)...), lines("A", times(0.95, noise), ns(100)...), 0, Improved, 0},
		{"different counts", lines("A", noise, ns(100)...), lines("A", times(1.05, noise[:7]), ns(100)...), 0, Regression, 1},
		{"hundreds of runs", lines("A", slices.Repeat(noise, 15), ns(100)...), lines("A", times(1.02, slices.Repeat(noise, 12)), ns(100)...), 0, Regression, 1},
		{"throughput falls", lines("A", noise, 50.0, "MB/s"), lines("A", times(0.95, noise), 50.0, "MB/s"), 0, Regression, 1},
		{"declared unit falls", declared + lines("A", noise, 50.0, "tok/s"), lines("A", times(0.95, noise), 50.0, "tok/s"), 0, Regression, 1},
		{"declared unit rises", lines("A", noise, 50.0, "tok/s"), declared + lines("A", times(1.05, noise), 50.0, "tok/s"), 0, Improved, 0},
		{"exact unit, one run", declared + lines("A", noise[:1], 50.0, "size="), lines("A", noise[:1], 50.1, "size="), 0, Regression, 1},
		{"exact unit, higher is better", declared + lines("A", noise[:1], 50.0, "hits="), lines("A", noise[:1], 49.0, "hits="), 0, Regression, 1},
		{"one more byte", lines("A", noise[:1], 10000.0, "B/op="), lines("A", noise[:1], 10001.0, "B/op="), 0, Regression, 1},
		{"one more allocation", lines("A", noise, 100.0, "ns/op", 1000.0, "allocs/op="), lines("A", times(1, noise), 100.0, "ns/op", 1001.0, "allocs/op="), 1, Regression, 1},
		{"allocation from 0", lines("A", noise, 100.0, "ns/op", 0.0, "allocs/op="), lines("A", times(1, noise), 100.0, "ns/op", 1.0, "allocs/op="), 1, Regression, 1},
		{"allocation to 0", lines("A", noise, 100.0, "ns/op", 8.0, "B/op="), lines("A", times(1, noise), 100.0, "ns/op", 0.0, "B/op="), 1, Improved, 0},
		{"bytes jitter", lines("A", noise, 1e6, "B/op"), lines("A", times(1.001, noise), 1e6, "B/op"), 0, Pass, 0},
		{"bytes jitter and grow", lines("A", noise, 1e6, "B/op"), lines("A", times(1.1, noise), 1e6, "B/op"), 0, Regression, 1},
		{"bytes jitter below an allocation", lines("A", []float64{0, 0, 3, 0, 0, 5}, 1.0, "B/op"), lines("A", []float64{0, 4, 0, 0}, 1.0, "B/op"), 0, Pass, 0},
		{"bytes jitter and leave it", lines("A", []float64{0, 0, 3, 0, 0, 5}, 1.0, "B/op"), lines("A", []float64{48, 51, 48, 48, 48, 50}, 1.0, "B/op"), 0, Regression, 1},
		{"zeros jitter", lines("A", noise, 100.0, "ns/op") + "BenchmarkA 1 0 ns/op\n", lines("A", times(1, noise), 100.0, "ns/op"), 0, Inconclusive, 2},
		{"from 0 by test", declared + lines("A", noise, 0.0, "tok/s="), lines("A", times(1, noise), 1.0, "tok/s"), 0, Improved, 0},
		{"exactly the slack", lines("A", noise, 100.0, "ns/op="), lines("A", noise, 101.0, "ns/op="), 0, Pass, 0},
		{"constant and equal", lines("A", noise, 100.0, "ns/op="), lines("A", noise, 100.0, "ns/op="), 0, Pass, 0},
		{"equal values of other runs", lines("A", noise, ns(100)...), strings.ReplaceAll(lines("A", noise, ns(100)...), "A \t1", "A \t2"), 0, Pass, 0},
		{"too noisy to say", lines("A", []float64{1, 2, 3, 4, 5, 6, 7, 8}, ns(100)...), lines("A", []float64{2, 1, 4, 3, 5, 6, 8, 7}, ns(100)...), 0, Inconclusive, 2},
		{"noisy beside a good row", lines("B", noise, ns(9)...) + lines("A", []float64{1, 2, 3, 4, 5, 6, 7, 8}, ns(100)...),
			lines("B", times(1, noise), ns(9)...) + lines("A", []float64{2, 1, 4, 3, 5, 6, 8, 7}, ns(100)...), 1, Inconclusive, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := compare(header+test.old, header+test.new, Defaults())
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Rows[test.row].Verdict; got != test.want {
				t.Errorf("verdict %s, want %s: %+v", got, test.want, r.Rows[test.row])
			}
			if got := r.ExitCode(); got != test.exit {
				t.Errorf("exit code %d, want %d", got, test.exit)
			}
			if reason := r.Rows[test.row].Reason; (reason != "") != (test.want == Inconclusive) {
				t.Errorf("verdict %s, reason %q", test.want, reason)
			}
			if err := errors.Join(r.WriteText(io.Discard), r.WriteMarkdown(io.Discard), r.WriteAnnotations(io.Discard)); err != nil {
				t.Error(err)
			}
			if _, err := json.Marshal(r); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	good, next := header+lines("A", noise, 100.0, "ns/op"), header+lines("A", times(1, noise), 100.0, "ns/op")
	var many, manyNew strings.Builder // 40 rows of six runs
	for i := range 40 {
		many.WriteString(lines(fmt.Sprint("M", i), noise[:6], 100.0, "ns/op"))
		manyNew.WriteString(lines(fmt.Sprint("M", i), times(1, noise[:6]), 100.0, "ns/op"))
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"empty", good, "", "new.txt: no benchmark results"},
		{"other text", "{\"Benchmark\":\"A\"}\n", next, "want the output of go test"},
		{"utf-16", "B\x00e\x00", next, "NUL bytes"},
		{"nothing in common", good, header + lines("B", noise, 1.0, "ns/op"), "no benchmark in common: one has A sec/op, the other B sec/op"},
		{"removed", good + lines("B", noise, 1.0, "ns/op"), next, "1 rows that new.txt lacks: B sec/op"},
		{"many removed", good + many.String(), next, "M0 sec/op, M1 sec/op, M2 sec/op, M3 sec/op, M4 sec/op and 35 more"},
		{"unit removed", header + lines("A", noise, 1.0, "ns/op", 2.0, "B/op="), next, "A B/op"},
		{"other cpu", good, strings.Replace(next, "Test CPU", "Other CPU", 1), `cpu is "Test CPU" in old.txt and "Other CPU" in new.txt`},
		{"other goarch", good, strings.Replace(next, "amd64", "arm64", 1), "goarch"},
		{"one run", header + lines("A", noise[:1], 1.0, "ns/op"), next, "1 and 10 runs cannot reach p < 0.01 over 1 tested rows: needs at least 5 runs a side: go test -count=5"},
		{"few runs for many rows", header + many.String(), header + manyNew.String(), "over 40 tested rows: needs at least 8 runs a side: go test -count=8"},
		{"too many runs", good + strings.Repeat("BenchmarkA 1 1 ns/op\n", 1000), next, "at most 1000 a side"},
		{"failed", good + "--- FAIL: BenchmarkB\nFAIL\n", next, `old.txt:15: the run failed: "--- FAIL: BenchmarkB"`},
		{"failed below", good, next + "    --- FAIL: BenchmarkB/x\n", "the run failed"},
		{"failed package", good, next + "FAIL\texample.com/k 0.1s\n", "the run failed"},
		{"panic", good, next + "panic: boom\n", "the run failed"},
		{"fatal error", good, next + "fatal error: all goroutines are asleep - deadlock!\n", "the run failed"},
		{"killed", good, next + "signal: killed\n", "the run failed"},
		{"timed out", good, next + "*** Test killed with quit: ran too long (11m0s).\n", "the run failed"},
		{"exit status", good, next + "exit status 2\n", "the run failed"},
		{"cut off in the value", good, strings.TrimSuffix(next, " ns/op\n"), "the file is cut off"},
		{"cut off in the unit", good, strings.TrimSuffix(next, "/op\n"), "the file is cut off"},
		{"cut off in the word", good, next + "Bench", "the file is cut off"},
		{"cut off between packages", header + "PASS\n" + good, next, "the output of example.com/k has no PASS"},
		{"odd fields", good, next + "BenchmarkA 10 5 ns/op 3\n", "new.txt:15: missing units"},
		{"not a number", good, next + "BenchmarkA 10 five ns/op\n", "parsing measurement"},
		{"mixed output", good, next + "BenchmarkA-8 starting up\n", "parsing iteration count"},
		{"no iterations", good, next + "BenchmarkA 0 1 ns/op\n", "0 iterations"},
		{"unit twice", good, next + "BenchmarkA 1 1 ns/op 2 ns/op\n", "two values of ns/op"},
		{"undeclared unit", header + lines("A", noise, 1.0, "p99-ns/op"), header + lines("A", times(1, noise), 1.0, "p99-ns/op"),
			`add the line "Unit p99-ns/op better=higher" (or better=lower)`},
		{"unknown direction", "Unit tok/s better=more\n" + lines("A", noise, 1.0, "tok/s"), lines("A", times(1, noise), 1.0, "tok/s"), "no direction"},
		{"contradictory units", "Unit tok/s better=lower\n" + good, "Unit tok/s better=higher\n" + next, "already set to lower"},
		{"exact that varies", "Unit x better=lower assume=exact\n" + lines("A", noise, 1.0, "x"), lines("A", noise, 1.0, "x"), "drop the declaration"},
		{"pooled configurations", good + "impl: fast\n" + good, next, `differ in "impl"`},
		{"the same file", good, good, "the same measurements"},
		{"a copy with another header", good, "commit: abc\n" + good + "PASS\n", "the same measurements"},
		{"long line", good, next + "BenchmarkA " + strings.Repeat("x", 1<<17), "new.txt:15: the line is too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := compare(test.old, test.new, Defaults())
			if !errors.Is(err, ErrCannotJudge) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("report %v, error %v, want ErrCannotJudge with %q", r, err, test.want)
			}
		})
	}
}

func TestRefusesSources(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		source Source
		limit  int64
		want   string
	}{
		{Source{}, 10, "OLD: no reader"},
		{Source{"a", strings.NewReader("goos: linux")}, 10, "a: larger than 10 bytes"},
		{Source{"a", io.MultiReader(strings.NewReader("x"), errReader{broken})}, 10, "a: broken"},
	} {
		in, err := newInput(Defaults())
		if err != nil {
			t.Fatal(err)
		}
		if err := in.read(0, test.source, test.limit); !errors.Is(err, ErrCannotJudge) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want ErrCannotJudge with %q", err, test.want)
		}
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestOptions(t *testing.T) {
	set := func(f func(*Options)) Options {
		opt := Defaults()
		f(&opt)
		return opt
	}
	old := header + lines("A", noise, 100.0, "ns/op") + lines("B/x=1", noise, 50.0, "ns/op")
	new := header + lines("A", times(1, noise), 100.0, "ns/op") + lines("C", noise, 1.0, "ns/op")

	t.Run("invalid", func(t *testing.T) {
		for _, opt := range []Options{
			{}, set(func(o *Options) { o.Alpha = 0.5 }), set(func(o *Options) { o.Alpha = math.NaN() }), set(func(o *Options) { o.Slack = -1 }),
			set(func(o *Options) { o.Slack = math.Inf(1) }), set(func(o *Options) { o.Resolution = 0.01 }), set(func(o *Options) { o.RequireResolution = -1 }),
		} {
			if _, err := compare(old, old, opt); err == nil || errors.Is(err, ErrCannotJudge) {
				t.Errorf("%+v: error %v, want one about the options", opt, err)
			}
		}
	})
	t.Run("AllowRemoved", func(t *testing.T) {
		r, err := compare(old, new, set(func(o *Options) { o.AllowRemoved = true }))
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(r.Removed, r.Added, len(r.Rows)) != "[B/x=1 sec/op] [C sec/op] 1" {
			t.Errorf("removed %v, added %v, rows %v", r.Removed, r.Added, r.Rows)
		}
	})
	t.Run("Bench", func(t *testing.T) {
		for pattern, want := range map[string]string{"^A$": "", "^BenchmarkA": "", "^Z": "no benchmark of old.txt or new.txt matches", "x=1": "the other none"} {
			r, err := compare(old, new, set(func(o *Options) { o.Bench = regexp.MustCompile(pattern) }))
			switch {
			case want == "" && (err != nil || len(r.Rows) != 1):
				t.Errorf("%s: report %+v, error %v", pattern, r, err)
			case want != "" && (!errors.Is(err, ErrCannotJudge) || !strings.Contains(err.Error(), want)):
				t.Errorf("%s: error %v, want %q", pattern, err, want)
			}
		}
	})
	t.Run("Resolution", func(t *testing.T) { // no evidence of a slowdown, resolution 2.3 %, but the interval of the second exceeds 2.5 %
		for factor, want := range map[float64]Verdict{1: Pass, 1.017: Inconclusive} {
			r, err := compare(header+lines("A", noise, 100.0, "ns/op"), header+lines("A", times(factor, noise), 100.0, "ns/op"), set(func(o *Options) { o.Resolution = 0.025 }))
			if err != nil {
				t.Fatal(err)
			}
			if r.Rows[0].Verdict != want {
				t.Errorf("factor %v: %+v, want %s", factor, r.Rows[0], want)
			}
		}
	})
	t.Run("RequireResolution", func(t *testing.T) {
		old, new := header+lines("A", noise, 100.0, "ns/op")+lines("B", noise, 1.0, "ns/op="), header+lines("A", times(1, noise), 100.0, "ns/op")+lines("B", noise, 1.0, "ns/op=")
		for limit, want := range map[float64]int{0.1: 0, 0.02: 2} {
			r, err := compare(old, new, set(func(o *Options) { o.RequireResolution = limit }))
			if err != nil {
				t.Fatal(err)
			}
			if r.ExitCode() != want {
				t.Errorf("limit %v: exit code %d, want %d: %+v", limit, r.ExitCode(), want, r.Rows)
			}
		}
	})
}

// FuzzCompare holds that no input panics, and that a report is always printable and never empty.
func FuzzCompare(f *testing.F) {
	good := header + lines("A", noise[:6], 100.0, "ns/op", 3.0, "allocs/op=")
	f.Add(good, header+lines("A", times(1.1, noise[:6]), 100.0, "ns/op", 3.0, "allocs/op="))
	f.Add("Unit x better=higher\n"+lines("A", noise, 0.0, "x="), lines("A", noise, 1e300, "x")+"BenchmarkA 1 0 x\n")
	f.Add(good+"BenchmarkA 1 1e-320 ns/op\n", good+"BenchmarkA 1 1e308 ns/op\n")
	f.Add("Benchmark 1 1 B/op\n", "Benchmark 1 0 B/op\n")
	f.Add(asEvents("example.com/k", good), "\ufeff2026-09-01T10:00:00Z 50%\r\x1b[32mBenchmarkA 1 1 ns/op\x1b[0m")
	f.Add("Unit\nUnit x y\npkg:\nBenchmarkA", "PASS\nFAIL\n\x00")
	f.Fuzz(func(t *testing.T, old, new string) {
		r, err := compare(old, new, Defaults())
		if err != nil {
			if !errors.Is(err, ErrCannotJudge) {
				t.Fatalf("error %v does not wrap ErrCannotJudge", err)
			}
			return
		}
		if len(r.Rows) == 0 {
			t.Fatal("an empty report without an error")
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.WriteText(io.Discard), r.WriteMarkdown(io.Discard), r.WriteAnnotations(io.Discard)); err != nil {
			t.Fatal(err)
		}
	})
}
