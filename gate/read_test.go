package gate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The output of go test on two benchmarks, and of a version in which both are 30 % slower.
var (
	output = header + lines("Attn-8", noise, 1000.0, "ns/op") + lines("Norm-8", noise, 300.0, "ns/op") + "PASS\nok  \texample.com/k\t12.3s\n"
	slower = header + lines("Attn-8", times(1.3, noise), 1000.0, "ns/op") + lines("Norm-8", times(1.3, noise), 300.0, "ns/op") + "PASS\nok  \texample.com/k\t12.1s\n"
)

// each returns text with every line replaced.
func each(text string, line func(string) string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		b.WriteString(line(strings.TrimSuffix(l, "\n")) + "\n")
	}
	return b.String()
}

// results returns what does so to the lines of results, or to those of one benchmark.
func results(prefix string, f func(string) string) func(string) string {
	return func(text string) string {
		return each(text, func(l string) string {
			if strings.HasPrefix(l, "Benchmark"+prefix) {
				return f(l)
			}
			return l
		})
	}
}

// before puts text before results; behind puts it after them.
func before(prefix, text string) func(string) string {
	return results(prefix, func(l string) string { return text + l })
}

func behind(prefix, text string) func(string) string {
	return results(prefix, func(l string) string { return l + text })
}

// events is text as go test -json has it, two pieces a line, of one package.
func asEvents(pkg, text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		half := len(l) / 2
		for _, piece := range []string{l[:half], l[half:]} {
			e, _ := json.Marshal(map[string]any{"Time": "2026-09-01T10:00:00Z", "Action": "output", "Package": pkg, "Output": piece}) // strings always marshal
			fmt.Fprintf(&b, "%s\n", e)
		}
	}
	return b.String()
}

// alternate deals the lines of two texts in turn.
func alternate(a, b string) string {
	x, y := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	var out strings.Builder
	for i := range max(len(x), len(y)) {
		for _, z := range [][]string{x, y} {
			if i < len(z) {
				out.WriteString(z[i])
			}
		}
	}
	return out.String()
}

// TestLogs holds what becomes of go test's output on its way into a file: both benchmarks are found to be slower, or the reason why the file is refused
// names the remedy. What is odd is so on both sides.
func TestLogs(t *testing.T) {
	const stamped = "2026-09-01T10:00:00.1234567Z "
	second := strings.NewReplacer("example.com/k", "example.com/l", "Attn", "Conv", "Norm", "Pool")
	for _, test := range []struct {
		name string
		odd  func(string) string
		want string // of the error, if one is wanted
	}{
		{"as it is", func(s string) string { return s }, ""},
		{"DOS line ends", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }, ""},
		{"old Mac line ends", func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }, ""},
		{"no final newline", func(s string) string { return strings.TrimSpace(s) }, ""},
		{"results alone, no final newline", func(s string) string {
			return strings.TrimSpace(strings.NewReplacer(header, "", "PASS\n", "", "ok  \texample.com/k", "").Replace(s[:strings.Index(s, "ok")]))
		}, ""},
		{"byte-order mark", func(s string) string { return "\ufeff" + s }, ""},
		{"byte-order mark before a result", func(s string) string { return "\ufeff" + strings.TrimPrefix(s, header) }, ""},
		{"colours", results("", func(l string) string { return "\x1b[32m" + l + "\x1b[0m" }), ""},
		{"colours and a title at the end", func(s string) string { return s + "\x1b]0;done\x07\x1b[0m" }, ""},
		{"timestamps", func(s string) string { return each(s, func(l string) string { return stamped + l }) }, ""},
		{"job, step and timestamps", func(s string) string {
			return each(s, func(l string) string { return "test (linux)\tbench\t\ufeff" + stamped + l })
		}, ""},
		{"go test -json", func(s string) string { return asEvents("example.com/k", s) }, ""},
		{"go test -json with timestamps", func(s string) string {
			return each(asEvents("example.com/k", s), func(l string) string { return stamped + l })
		}, ""},
		{"go test -json, packages in turn, and colours", func(s string) string {
			return "go: downloading\n" + alternate(asEvents("example.com/k", behind("", "\x1b[0m")(s)), asEvents("example.com/l", second.Replace(s)))
		}, ""},
		{"go test -json, cut off", func(s string) string { return asEvents("example.com/k", s)[:1500] }, "an event of go test -json is cut off"},
		{"go test -json, cut off in a line", func(s string) string {
			s = asEvents("example.com/k", s)
			return s[:strings.LastIndex(s[:3000], "\n")+1]
		}, "the file is cut off"},
		{"go test -json, failed", func(s string) string {
			return asEvents("example.com/k", s) + `{"Action":"fail","Package":"example.com/l"}` + "\n"
		}, "the run of example.com/l failed"},
		{"behind a progress bar", before("Attn", "50%\r100%\r"), ""},
		{"behind other text", before("Attn", "warming up... "), `old.txt:5: a result does not begin its line: "warming up... BenchmarkAttn-8`},
		{"behind a word", before("Attn", "done"), "print nothing, or whole lines under go test -v"},
		{"behind a number", before("Attn", "7"), "does not begin its line"},
		{"behind the key of a configuration", before("Attn", "loading: "), "does not begin its line"},
		{"indented", before("", "    "), "does not begin its line"},
		{"a line within a result", results("Attn", func(l string) string { return strings.Replace(l, "\t", "\tloading\n", 1) }), "whole lines under go test -v"},
		{"the name behind text, and a line within", results("Attn", func(l string) string { return strings.Replace("init"+l, "\t", "\tloading\n\t", 1) }), "does not begin its line"},
		{"text within a result", results("Attn", func(l string) string { return strings.Replace(l, "\t", "\tloading ", 1) }), "whole lines under go test -v"},
		{"names, as under -v", before("Attn", "BenchmarkAttn\n"), ""},
		{"prose", func(s string) string {
			return "Benchmarking 3 models\nBenchmarks done: 2\n" + strings.Repeat("x", 1<<17) + "\n" + s
		}, ""},
		{"a result behind prose", before("Attn", "Benchmarking "), "whole lines"},
		{"cut off in a result", func(s string) string { return s[:len(header)+300] }, "the file is cut off"},
		{"cut off before the second unit", func(s string) string {
			s = behind("", "\t8 B/op")(s)
			return s[:strings.LastIndex(s, "\t8 B/op")]
		}, "the file is cut off"},
		{"cut off in another package", func(s string) string { return s + second.Replace(s[:strings.Index(s, "BenchmarkNorm")]) }, "the output of example.com/l has no PASS"},
		{"cut off, with packages without benchmarks", func(s string) string {
			return "PASS\nok  \texample.com/a\t0.1s\n" + s[:strings.Index(s, "PASS")]
		}, "the output of example.com/k has no PASS"},
		{"PASS behind text", func(s string) string { return strings.Replace(s, "PASS", "donePASS", 1) }, ""},
		{"a unit that prose has", func(s string) string { return "Unit tests ran\n" + s }, `want a line such as "Unit tok/s better=higher"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := compare(test.odd(output), test.odd(slower), Defaults())
			if test.want != "" {
				require.ErrorIs(t, err, ErrCannotJudge)
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			require.Subset(t, verdicts(r), []string{"Attn-8 sec/op regression 10 10", "Norm-8 sec/op regression 10 10"})
			require.Equal(t, r.Count(Regression), len(r.Rows))
		})
	}
}

// verdicts lists the rows.
func verdicts(r *Report) []string {
	var list []string
	for _, row := range r.Rows {
		list = append(list, fmt.Sprintf("%s %s %d %d", &row, row.Verdict, row.Old.Runs, row.New.Runs))
	}
	return list
}

// TestCutOffIsNoted holds that a file that ends between two lines, before PASS, says so.
func TestCutOffIsNoted(t *testing.T) {
	cut := func(s string) string { return s[:strings.Index(s, "PASS")] }
	for _, test := range []struct {
		old, new string
		want     []string
	}{
		{output, slower, nil},
		{output, cut(slower), []string{"new.txt: the output of example.com/k has no PASS: was the file cut off?"}},
		{strings.TrimPrefix(cut(output), header), strings.TrimPrefix(cut(slower), header), nil}, // as grep leaves them
		{strings.TrimPrefix(output, header), strings.TrimPrefix(slower, header), []string{
			"old.txt: results before PASS have no line that begins with pkg: was the file cut off at its start?",
			"new.txt: results before PASS have no line that begins with pkg: was the file cut off at its start?",
		}},
		{cut(output), slower, []string{"old.txt: the output of example.com/k has no PASS: was the file cut off?"}},
	} {
		r, err := compare(test.old, test.new, Defaults())
		require.NoError(t, err)
		require.Equal(t, append(test.want, Caveat), r.Notes)
	}
}

// rate appends k over the time of a result.
func rate(k float64, unit string) func(string) string {
	return results("Attn", func(l string) string {
		var ns float64
		if _, err := fmt.Sscan(strings.Fields(l)[2], &ns); err != nil {
			panic(err)
		}
		return fmt.Sprintf("%s\t%.2f %s", l, k/ns, unit)
	})
}

// TestMetrics holds that what a benchmark reports beside its time changes nothing about the time.
func TestMetrics(t *testing.T) {
	const declared = "Unit drift better=lower\nUnit tok/s better=higher\nUnit p99-ns better=lower\n"
	skip := func(units ...string) Options {
		opt := Defaults()
		opt.SkipUnits = units
		return opt
	}
	same := func(s string) string { return s }
	for _, test := range []struct {
		name     string
		old, new func(string) string
		opt      Options
		want     string // the rows
		says     string // a reason or a note; the error, if there are no rows
	}{
		{"negative", behind("Attn", "\t-0.2 drift"), behind("Attn", "\t-0.2 drift"), skip(), "Attn-8 drift inconclusive, Attn-8 sec/op regression, Norm-8 sec/op regression",
			"old.txt:8: -0.2 drift is negative, and has no ratio: report another figure, or leave the unit out with --skip-unit drift"},
		{"infinite", behind("Attn", "\t5 tok/s"), behind("Attn", "\t+Inf tok/s"), skip(), "Attn-8 sec/op regression, Attn-8 tok/s inconclusive, Norm-8 sec/op regression",
			"new.txt:8: +Inf tok/s is not finite"},
		{"not a number", behind("Attn", "\tNaN tok/s"), behind("Attn", "\t5 tok/s"), skip(), "Attn-8 sec/op regression, Attn-8 tok/s inconclusive, Norm-8 sec/op regression",
			"old.txt:8: NaN tok/s is not finite"},
		{"left out", behind("Attn", "\t-0.2 drift\t64 batch"), behind("Attn", "\t-0.2 drift\t64 batch"), skip("batch", "drift"), "Attn-8 sec/op regression, Norm-8 sec/op regression",
			"left out, as asked: batch, drift"},
		{"left out of one", same, behind("Attn", "\t64 batch"), skip("batch"), "Attn-8 sec/op regression, Norm-8 sec/op regression", "batch"},
		{"left out, as tidied", behind("Attn", "\t3 p99-ns"), same, skip("p99-sec"), "Attn-8 sec/op regression, Norm-8 sec/op regression", "p99-sec"},
		{"all left out", same, same, skip("sec/op"), "", "no units but sec/op, which are left out: nothing is left to judge"},
		{"no direction", behind("Attn", "\t64 batch"), behind("Attn", "\t64 batch"), skip(), "", "or leave the unit out with --skip-unit batch"},
		{"made of the time", rate(64e3, "MB/s"), rate(64e3, "MB/s"), skip(), "Attn-8 sec/op regression, Norm-8 sec/op regression", "MB/s: not judged, because it follows from the time"},
		{"made of the time, by the benchmark", rate(3e6, "tok/s"), rate(3e6, "tok/s"), skip(), "Attn-8 sec/op regression, Norm-8 sec/op regression", "tok/s: not judged"},
		{"made of other work", rate(64e3, "MB/s"), rate(32e3, "MB/s"), skip(), "Attn-8 B/s regression, Attn-8 sec/op regression, Norm-8 sec/op regression", ""},
		{"without the time", rate(64e3, "MB/s"), rate(64e3, "MB/s"), skip("ns/op"), "Attn-8 B/s regression", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := compare(declared+test.old(output), declared+test.new(slower), test.opt)
			if test.want == "" {
				require.ErrorIs(t, err, ErrCannotJudge)
				require.ErrorContains(t, err, test.says)
				return
			}
			require.NoError(t, err)
			var rows, says []string
			for _, row := range r.Rows {
				rows, says = append(rows, fmt.Sprintf("%s %s", &row, row.Verdict)), append(says, row.Reason)
			}
			slices.Sort(rows)
			require.Equal(t, test.want, strings.Join(rows, ", "))
			require.Contains(t, strings.Join(append(says, r.Notes...), "\n"), test.says)
		})
	}
}

// TestNoTime holds that times which nothing was timed for are no improvement.
func TestNoTime(t *testing.T) {
	for _, zero := range []string{"0", "-0", "0.0000000", "1e-320", "0.00000001"} {
		none := results("", func(l string) string { return l[:strings.LastIndex(l, "\t")] + "\t" + zero + " ns/op" })(slower)
		r, err := compare(output, none, Defaults())
		require.NoError(t, err, zero)
		require.Equal(t, 2, r.Count(Inconclusive), zero)
		require.Contains(t, r.Rows[0].Reason, "is no time", zero)
		require.Equal(t, 2, r.ExitCode(), zero)
	}
}

// TestDirections holds that no line turns the direction of a unit that package testing prints, and that files which disagree about another are refused.
func TestDirections(t *testing.T) {
	tok := func(k float64) func(string) string { return rate(k, "tok/s") }
	for _, test := range []struct {
		name     string
		old, new string
		want     string // the verdict on the last row, or the error
		note     string
	}{
		{"the time, turned in OLD", "Unit ns/op better=higher\n" + output, slower, "regression", `"Unit ns/op better=higher" is ignored`},
		{"the time, turned in NEW, tidied", output, "Unit sec/op better=higher\n" + slower, "regression", `"Unit sec/op better=higher" is ignored`},
		{"allocations", behind("", "\t1 allocs/op")(output), "Unit allocs/op better=higher\n" + behind("", "\t2 allocs/op")(slower), "regression", "ignored"},
		{"bytes", behind("", "\t1 B/op")(output), "Unit B/op better=higher\n" + behind("", "\t2 B/op")(slower), "regression", "ignored"},
		{"rates", tok(9e6)(strings.ReplaceAll(output, "ns/op", "MB/s")), "Unit MB/s better=lower\nUnit tok/s better=lower\n" + tok(9e6)(strings.ReplaceAll(slower, "ns/op", "MB/s")), "improved", "ignored"},
		{"the right direction", "Unit ns/op better=lower\n" + output, slower, "regression", ""},
		{"the files disagree", "Unit tok/s better=higher\n" + output, "Unit tok/s better=lower\n" + slower, "new.txt:1: metadata better of unit tok/s already set to higher: OLD and NEW must agree", ""},
		{"the files disagree about the time", "Unit ns/op better=lower\n" + output, "Unit ns/op better=higher\n" + slower, "must agree", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := compare(test.old, test.new, Defaults())
			if err != nil {
				require.ErrorIs(t, err, ErrCannotJudge)
				require.ErrorContains(t, err, test.want)
				return
			}
			require.Equal(t, Verdict(test.want), r.Rows[len(r.Rows)-1].Verdict)
			require.Contains(t, strings.Join(r.Notes, "\n"), test.note)
		})
	}
}

// TestMutations holds that no damage to a file makes a benchmark disappear in silence. Both benchmarks are 30 % slower: each is found to be so on all of its
// runs, or something is said, or the file is refused.
func TestMutations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	at := func(s string) int { return rng.IntN(len(s)) }
	insert := func(s, what string) string { i := at(s); return s[:i] + what + s[i:] }
	bytes := []string{"\r", "\n", "\t", " ", "\ufeff", "\x1b[31m", "\x1b", "{", "\xff", "Benchmark", "BenchmarkAttn-8", "PASS\n", "pkg: x\n", "1e999", "99999999999999999999", "-", "NaN", "Unit ns/op better=higher\n"}
	mutations := []func(string) string{
		func(s string) string { return s[:at(s)] },
		func(s string) string { return s[at(s):] },
		func(s string) string { i, j := at(s), at(s); return s[:min(i, j)] + s[max(i, j):] },
		func(s string) string { i := at(s); return s[:i] + string(s[i]^1<<rng.IntN(7)) + s[i+1:] },
		func(s string) string { return insert(s, bytes[rng.IntN(len(bytes))]) },
		func(s string) string { i := at(s); return s[:i] + strings.Replace(s[i:], "\n", "", 1) },
		func(s string) string { i := at(s); return s[:i] + strings.Replace(s[i:], "\n", "\r", 1) },
		func(s string) string {
			i := at(s)
			return s[:i] + strings.Replace(s[i:], "Benchmark", "loading... Benchmark", 1)
		},
		func(s string) string { i := at(s); return s[:i] + strings.Replace(s[i:], "\t", "\tloading...\n", 1) },
		func(s string) string { i := at(s); return s[:i] + strings.Replace(s[i:], "000\t", "e+999\t", 1) },
	}
	forms := []func(string) string{
		func(s string) string { return s },
		func(s string) string { return asEvents("example.com/k", s) },
		func(s string) string {
			return each(s, func(l string) string { return "2026-09-01T10:00:00.1234567Z " + l })
		},
		behind("", "\t64 B/op\t2 allocs/op"),
	}
	refused := 0
	const tries = 500
	for range tries {
		form, mutation := forms[rng.IntN(len(forms))], mutations[rng.IntN(len(mutations))]
		old, new := form(output), form(slower)
		switch rng.IntN(3) {
		case 0:
			old = mutation(old)
		case 1:
			new = mutation(new)
		default:
			old, new = mutation(old), mutation(new)
		}
		r, err := compare(old, new, Defaults())
		if err != nil {
			require.ErrorIs(t, err, ErrCannotJudge)
			refused++
			continue
		}
		found := 0
		for _, row := range r.Rows {
			if row.Unit == "sec/op" && row.Verdict == Regression && row.Old.Runs == len(noise) && row.New.Runs == len(noise) {
				found++
			}
		}
		said := len(r.Added) + len(r.Removed) + r.Count(Inconclusive) + len(slices.DeleteFunc(slices.Clone(r.Notes), func(note string) bool { return note == Caveat }))
		if found < 2 && said == 0 {
			t.Fatalf("%v, and nothing is said:\n%s\n%s", verdicts(r), old, new)
		}
	}
	require.Less(t, tries/10, refused)
	require.Less(t, refused, tries*9/10)
}
