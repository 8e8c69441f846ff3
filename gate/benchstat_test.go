package gate

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// benchstat runs the real one, of the golang.org/x/perf that this module is built with: where the tests compile, it does.
func benchstat(t *testing.T, names, texts [2]string) string {
	t.Helper()
	args := []string{"run", "golang.org/x/perf/cmd/benchstat"}
	for s, text := range texts {
		path := filepath.Join(t.TempDir(), "results")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, names[s]+"="+path)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Logf("%s", exit.Stderr)
		}
		t.Fatalf("go run golang.org/x/perf/cmd/benchstat: %v: the go command must be in PATH, and the module's dependencies downloaded", err)
	}
	return string(out)
}

// ourTables returns the tables of the report on two files without the columns that benchstat does not have.
func ourTables(t *testing.T, names, texts [2]string) string {
	t.Helper()
	opt := Defaults()
	opt.AllowRemoved = true
	r, err := Compare(Source{names[0], strings.NewReader(texts[0])}, Source{names[1], strings.NewReader(texts[1])}, opt)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.writeTables(&b)
	var lines []string
	edge := 0 // of the table, in runes
	for _, line := range strings.Split(b.String(), "\n") {
		runes := []rune(line)
		switch {
		case strings.HasSuffix(line, "│"):
			edge = len(runes)
		case line == "":
			edge = 0
		case 0 < edge && edge < len(runes):
			runes = runes[:edge]
		}
		lines = append(lines, strings.TrimRight(string(runes), " "))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

var (
	// judged is what differs by design: digits of p, which is corrected and one-sided here, and of the estimate, which benchstat takes from medians.
	judged   = regexp.MustCompile(`p=\d\.\d{3}|[+-]\d+\.\d\d%`)
	digit    = regexp.MustCompile(`\d`)
	delta    = regexp.MustCompile(` +(~|\?|\+∞|[+-]?\d+\.\d\d%)( +\([^)]*\))?$`)
	footnote = regexp.MustCompile(`(?m)( [¹²³⁴⁵])+ *$|^[¹²³⁴⁵] .*\n?|[¹²³⁴⁵]`)
	spaces   = regexp.MustCompile(` +`)
)

// TestLayoutIsBenchstats holds the tables to benchstat's, space for space, for samples that give it no footnotes.
func TestLayoutIsBenchstats(t *testing.T) {
	const pkg2 = "pkg: example.com/k/two\n"
	const units = "Unit tok/s better=higher\nUnit size better=lower assume=exact\nUnit hits-of-the-second-level-cache/op better=higher\n"
	old := units + header + lines("A/seq=1024-8", noise, 1.5e6, "ns/op", 2.0, "tok/s", 4096.0, "size=") + lines("B-8", noise, 900.0, "ns/op", 17.5, "tok/s", 12.0, "size=") +
		pkg2 + lines("LongerThanTheOthers-8", noise, 9e9, "ns/op", 7.0, "hits-of-the-second-level-cache/op")
	new := header + lines("A/seq=1024-8", times(1.1, noise), 1.5e6, "ns/op", 2.0, "tok/s", 4000.0, "size=") +
		lines("B-8", times(1, noise[:9]), 900.0, "ns/op", 17.5, "tok/s", 12345.0, "size=") + pkg2 +
		lines("LongerThanTheOthers-8", times(0.4, noise), 9e9, "ns/op", 7.0, "hits-of-the-second-level-cache/op")
	for _, names := range [][2]string{
		{"old.txt", "new.txt"}, {"O", "N"}, {"main 1a2b3c4, which is long", "checkout 5d6e7f8 and 3 changed files, which is longer than the box"},
	} {
		mask := func(s string) string {
			return judged.ReplaceAllStringFunc(strings.TrimSpace(s), func(s string) string { return digit.ReplaceAllString(s, "0") })
		}
		texts := [2]string{old, new}
		if got, want := mask(ourTables(t, names, texts)), mask(benchstat(t, names, texts)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// TestNumbersAreBenchstats holds medians, intervals and geometric means to benchstat's where runs are few, noisy, constant or 0.
func TestNumbersAreBenchstats(t *testing.T) {
	names := [2]string{"old.txt", "new.txt"}
	wild := []float64{1, 30, 2, 500, 3, 0.01, 7, 8}
	for _, test := range []struct {
		name, old, new string
		rows           int
	}{
		{"wide intervals", lines("A", wild, 100.0, "ns/op", 3.3, "MB/s"), lines("A", times(1.5, wild), 100.0, "ns/op", 3.3, "MB/s"), 2},
		{"the scale of the smaller", lines("A", noise, 2.0, "ns/op", 3e6, "MB/s"), lines("A", times(1, noise), 3e6, "ns/op", 2e-3, "MB/s"), 2},
		{"an interval without end", lines("A", noise[:5], 100.0, "ns/op"), lines("A", times(1, noise[:5]), 200.0, "ns/op"), 1},
		{"exact, one run", lines("A", noise[:1], 64.0, "B/op="), lines("A", noise[:1], 80.0, "B/op="), 1},
		{"exact by declaration, one run", "Unit x better=lower assume=exact\n" + lines("A", noise[:1], 64.0, "x="), lines("A", noise[:1], 80.0, "x="), 1},
		{"zeros", lines("A", noise, 0.0, "B/op=", 0.0, "allocs/op=") + lines("B", noise, 16.0, "B/op=", 1.0, "allocs/op=") + lines("C", noise, 0.0, "B/op=", 1.0, "allocs/op="),
			lines("A", noise, 0.0, "B/op=", 7.0, "allocs/op=") + lines("B", noise, 0.0, "B/op=", 2.0, "allocs/op=") + lines("C", noise, 0.0, "B/op=", 5.0, "allocs/op="), 6},
		{"now and then", lines("A", []float64{0, 0, 3, 0, 0, 5}, 1.0, "B/op"), lines("A", []float64{0, 4, 0, 4}, 1.0, "B/op"), 1},
		{"a suite", lines("A", wild, 100.0, "ns/op") + lines("B", noise, 7e9, "ns/op") + lines("C", noise, 1e-3, "ns/op"),
			lines("A", times(2, wild), 100.0, "ns/op") + lines("B", times(1, noise), 6e9, "ns/op") + lines("C", noise, 2e-3, "ns/op"), 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			plain := func(s string) string {
				var rows []string
				for _, line := range strings.Split(footnote.ReplaceAllString(s, ""), "\n") {
					if line != "" && !strings.Contains(line, "│") {
						rows = append(rows, spaces.ReplaceAllString(delta.ReplaceAllString(strings.TrimRight(line, " "), ""), " "))
					}
				}
				return strings.TrimSpace(strings.Join(rows, "\n"))
			}
			texts := [2]string{header + test.old, header + test.new}
			got, want := plain(ourTables(t, names, texts)), plain(benchstat(t, names, texts))
			if got != want || strings.Count(got, " ± ") != 2*test.rows {
				t.Errorf("got\n%s\nwant %d rows\n%s", got, test.rows, want)
			}
		})
	}
}
