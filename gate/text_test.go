package gate

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
)

const goldenText = `goos: linux
goarch: amd64
pkg: example.com/k
cpu: Test CPU
                     │   old.txt    │                new.txt                 │
                     │    sec/op    │    sec/op     vs base                  │  finds  verdict
Attention/seq=1024-8   1.500m ±  1%   1.650m ±  1%  +10.00% (p=0.000 n=10)       2.5%  regression
Softmax-8              500.0n ±  1%   500.0n ±  1%        ~ (p=1.000 n=10)       2.5%  pass
Noisy-8                2.750µ ± 64%   2.500µ ± 60%        ~ (p=1.000 n=10+9)     618%  inconclusive
geomean                12.73µ         12.73µ         +1.43%

                     │  old.txt   │              new.txt               │
                     │   tok/s    │   tok/s     vs base                │  finds  verdict
Attention/seq=1024-8   2.000 ± 1%   2.200 ± 1%  +10.00% (p=0.000 n=10)     2.5%  improved

                     │  old.txt   │        new.txt        │
                     │ allocs/op  │ allocs/op   vs base   │  finds  verdict
Attention/seq=1024-8   0.000 ± 0%   1.000 ± 0%  +∞ (n=10)      any  regression
Softmax-8              0.000 ± 0%   0.000 ± 0%   ~ (n=10)      any  pass
geomean                                          ?

REGRESSION Attention/seq=1024-8 sec/op: new/old 1.1 in [1.089, 1.11], lower is better, p=2.2e-05 against a slack of 1%
REGRESSION Attention/seq=1024-8 allocs/op: 0.000 to 1.000, judged exactly
inconclusive Noisy-8 sec/op: finds 618%, limit 5%: the runs vary too much
1 of 6 rows inconclusive, which is never a pass: a change for the worse by more than 5% could have been missed
removed, not judged: Gone-8 sec/op
added, not judged: Fresh|-8 sec/op
note: new.txt: Noisy-8 sec/op has 9 runs, Attention/seq=1024-8 sec/op has 10: was the file cut off?
note: ` + Caveat + `
2 pass, 2 regression, 1 improved, 1 inconclusive (alpha 0.01 over the suite, slack 1%, limit 5%)
`

const goldenMarkdown = `**2 pass, 2 regression, 1 improved, 1 inconclusive (alpha 0.01 over the suite, slack 1%, limit 5%)**

| benchmark | unit | old.txt | new.txt | new/old | p | finds | verdict |
|---|---|---|---|---|---|---|---|
| Attention/seq=1024-8 | sec/op | 1.500m ± 1% | 1.650m ± 1% | +10.00% ± 0.99% | p=0.000 n=10 | 2.5% | regression |
| Noisy-8 | sec/op | 2.750µ ± 64% | 2.500µ ± 60% | -5.13% ± 181% | p=1.000 n=10+9 | 618% | inconclusive |
| Attention/seq=1024-8 | tok/s | 2.000 ± 1% | 2.200 ± 1% | +10.00% ± 0.99% | p=0.000 n=10 | 2.5% | improved |
| Attention/seq=1024-8 | allocs/op | 0.000 ± 0% | 1.000 ± 0% | +∞ | exact | any | regression |

- REGRESSION Attention/seq=1024-8 sec/op: new/old 1.1 in \[1.089, 1.11], lower is better, p=2.2e-05 against a slack of 1%
- REGRESSION Attention/seq=1024-8 allocs/op: 0.000 to 1.000, judged exactly
- inconclusive Noisy-8 sec/op: finds 618%, limit 5%: the runs vary too much
- 1 of 6 rows inconclusive, which is never a pass: a change for the worse by more than 5% could have been missed
- removed, not judged: Gone-8 sec/op
- added, not judged: Fresh\|-8 sec/op
- note: new.txt: Noisy-8 sec/op has 9 runs, Attention/seq=1024-8 sec/op has 10: was the file cut off?
- note: ` + Caveat + "\n"

func exampleReport(t *testing.T) *Report {
	t.Helper()
	wild := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	old := "Unit tok/s better=higher\n" + header +
		lines("Attention/seq=1024-8", noise, 1.5e6, "ns/op", 2.0, "tok/s", 0.0, "allocs/op=") +
		lines("Softmax-8", noise, 500.0, "ns/op", 0.0, "allocs/op=") + lines("Gone-8", noise, 500.0, "ns/op") + lines("Noisy-8", wild, 500.0, "ns/op") + "PASS\n"
	new := header + lines("Attention/seq=1024-8", times(1.1, noise), 1.5e6, "ns/op", 2.0, "tok/s", 1.0, "allocs/op=") +
		lines("Softmax-8", times(1, noise), 500.0, "ns/op", 0.0, "allocs/op=") + lines("Fresh|-8", noise, 500.0, "ns/op") + lines("Noisy-8", wild[:9], 500.0, "ns/op") + "PASS\n"
	opt := Defaults()
	opt.AllowRemoved = true
	r, err := compare(old, new, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWrite(t *testing.T) {
	r := exampleReport(t)
	wantLines(t, r.WriteText, goldenText)
	wantLines(t, r.WriteMarkdown, goldenMarkdown)
}

// wantLines compares what write writes with want, line by line.
func wantLines(t *testing.T, write func(io.Writer) error, want string) {
	t.Helper()
	var b strings.Builder
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	got, lines := strings.Split(b.String(), "\n"), strings.Split(want, "\n")
	for i := range min(len(got), len(lines)) {
		if got[i] != lines[i] {
			t.Errorf("line %d:\ngot  %s\nwant %s", i+1, got[i], lines[i])
		}
	}
	if len(got) != len(lines) {
		t.Errorf("%d lines, want %d", len(got), len(lines))
	}
}

// TestNoCaveat holds that the caveat stays away where nothing was found by test.
func TestNoCaveat(t *testing.T) {
	r, err := compare(header+lines("A", noise, 100.0, "ns/op", 1.0, "allocs/op="), header+lines("A", times(1, noise), 100.0, "ns/op", 2.0, "allocs/op="), Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(r.Notes, Caveat) {
		t.Error("the caveat is printed for a report whose only regression is exact")
	}
}

// TestJSON pins the field names, which programs read.
func TestJSON(t *testing.T) {
	data, err := json.Marshal(exampleReport(t))
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	keys := func(v any) string {
		var names []string
		for name := range v.(map[string]any) {
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	row := report["rows"].([]any)[4].(map[string]any)
	for _, test := range []struct {
		value any
		want  string
	}{
		{report, "added alpha counts exit limit new notes old removed require_resolution rows slack"},
		{report["counts"], "improved inconclusive pass regression same code"},
		{row, "better config exact name new old p ratio resolution unit verdict"},
		{row["old"], "center hi lo runs"},
		{row["ratio"], "center hi lo"},
	} {
		if got := keys(test.value); got != test.want {
			t.Errorf("fields %s, want %s", got, test.want)
		}
	}
	if got := row["ratio"].(map[string]any)["center"]; got != "+Inf" {
		t.Errorf("ratio of 1 to 0 is %v, want the string +Inf", got)
	}
	if got := report["exit"]; got != 1.0 {
		t.Errorf("exit %v, want 1", got)
	}
}
