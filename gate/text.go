package gate

import (
	"fmt"
	"io"
	"math"
	"strings"

	"golang.org/x/perf/benchunit"
)

// WriteText writes the report for people: benchstat's tables, but for those of nothing but zeros, with two more columns, "finds", the resolution, and the
// verdict; then a line for each package whose code is the same, each unit that is 0, each regression, each inconclusive row, what was removed and added, and notes; and the counts.
//
// Medians and intervals are what benchstat prints of the same runs. "vs base" is Ratio.Center, which was judged, where a difference was found, and p
// is Row.P, one-sided and corrected: benchstat has the ratio of the medians and a p that is neither.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	r.writeTables(&b)
	for _, line := range r.remarks() {
		b.WriteString(line + "\n")
	}
	b.WriteString(r.summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// remarks are the lines below the tables.
func (r *Report) remarks() []string {
	lines := append(r.sameCode(), r.zeros()...)
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Verdict == Regression {
			lines = append(lines, fmt.Sprintf("REGRESSION %s: %s%s", row, row.evidence(r.Slack), row.place()))
		}
	}
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Verdict == Inconclusive {
			lines = append(lines, fmt.Sprintf("inconclusive %s: %s%s", row, row.doubt(r.Limit), row.place()))
		}
	}
	if r.Count(Inconclusive) > 0 {
		lines = append(lines, r.warning())
	}
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Layout != 0 {
			lines = append(lines, fmt.Sprintf("layout-sensitive %s: %s over %d links", row, percent(row.Layout), row.Links))
		}
	}
	for _, name := range r.Removed {
		lines = append(lines, "removed, not judged: "+name)
	}
	for _, name := range r.Added {
		lines = append(lines, "added, not judged: "+name)
	}
	for _, note := range r.Notes {
		lines = append(lines, "note: "+note)
	}
	if len(r.Samples) > 0 {
		lines = append(lines, "measurements, for benchstat: "+strings.Join(r.Samples, " "))
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "\n", " ") // of reasons and notes
	}
	return lines
}

// sameCode is a line for each package, which says how many of its benchmarks have the same code.
func (r *Report) sameCode() []string {
	var pkgs []string
	names := map[string][]string{}
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Verdict == SameCode {
			pkg := row.Config["pkg"]
			if names[pkg] == nil {
				pkgs = append(pkgs, pkg)
			}
			names[pkg] = append(names[pkg], row.Name)
		}
	}
	var lines []string
	for _, pkg := range pkgs {
		lines = append(lines, fmt.Sprintf("same code: %s: %s (%s)", pkg, count(len(names[pkg]), "benchmark"), example(names[pkg])))
	}
	return lines
}

// zeros is a line for each unit that is 0 throughout a table, which says of how many rows.
func (r *Report) zeros() []string {
	var units []string
	rows := map[string]int{}
	for _, table := range r.tables() {
		if unit := table[0].Unit; allZero(table) {
			if rows[unit] == 0 {
				units = append(units, unit)
			}
			rows[unit] += len(table)
		}
	}
	for i, unit := range units {
		units[i] = fmt.Sprintf("0 %s on both sides: %s", unit, count(rows[unit], "benchmark"))
	}
	return units
}

// warning says what inconclusive rows mean.
func (r *Report) warning() string {
	return fmt.Sprintf("%d of %s inconclusive, which is never a pass: a change for the worse by more than %s could have been missed",
		r.Count(Inconclusive), count(len(r.Rows)-r.Count(SameCode), "row"), percent(r.Limit))
}

func (r *Report) summary() string {
	s := fmt.Sprintf("%d pass, %d regression, %d improved, %d inconclusive", r.Count(Pass), r.Count(Regression), r.Count(Improved), r.Count(Inconclusive))
	if n := r.Count(SameCode); n > 0 {
		s += fmt.Sprintf(", %d same code", n)
	}
	s += fmt.Sprintf(" (alpha %v over the suite, slack %s, limit %s", r.Alpha, percent(r.Slack), percent(r.Limit))
	if r.Seconds > 0 {
		s += fmt.Sprintf("; %.0f s", r.Seconds)
	}
	return s + ")"
}

func (r *Row) String() string { return r.Name + " " + r.Unit }

// evidence is the case for a regression.
func (r *Row) evidence(slack float64) string {
	if r.Exact {
		scale := r.scale()
		return fmt.Sprintf("%s to %s, judged exactly", scale.Format(r.Old.Center), scale.Format(r.New.Center))
	}
	return fmt.Sprintf("new/old %.4g in [%.4g, %.4g], %s is better, p=%.2g against a slack of %s%s",
		r.Ratio.Center, r.Ratio.Lo, r.Ratio.Hi, r.Better, r.P, percent(slack), r.quads())
}

// doubt is why a row is inconclusive.
func (r *Row) doubt(limit float64) string {
	if !r.measured() {
		return r.Reason
	}
	s := fmt.Sprintf("finds %s, limit %s", percent(r.Resolution), percent(limit))
	if r.Reason != "" {
		s += ": " + r.Reason
	}
	return s + r.quads()
}

func (r *Row) quads() string {
	switch q := r.Quads; {
	case q == [2]int{}:
		return ""
	case q[1] == 0:
		return ", " + count(q[0], "quad")
	default:
		return fmt.Sprintf(", %d + %d quads", q[0], q[1])
	}
}

// place is where the benchmark's function is, if that is known.
func (r *Row) place() string {
	if r.File == "" {
		return ""
	}
	return fmt.Sprintf(" (%s:%d)", r.File, r.Line)
}

// scale is benchstat's for a row.
func (r *Row) scale() benchunit.Scaler {
	return benchunit.CommonScale([]float64{r.Old.Center, r.New.Center}, benchunit.ClassOf(r.Unit))
}

// finds is the resolution; of exact rows, that any change is found.
func (r *Row) finds() string {
	if r.Exact {
		return "any"
	}
	return percent(r.Resolution)
}

// change formats a ratio as benchstat formats a delta, and a change from 0 as infinite.
func change(ratio float64) string {
	switch {
	case math.IsInf(ratio, 1):
		return "+∞"
	case ratio == 1:
		return "0.00%"
	}
	return fmt.Sprintf("%+.2f%%", (ratio-1)*100)
}

// percent formats a fraction with two significant digits, and from 99.5 % without decimals.
func percent(x float64) string {
	if math.IsInf(x, 0) {
		return "∞"
	}
	if x >= 0.995 {
		return fmt.Sprintf("%.0f%%", x*100)
	}
	return fmt.Sprintf("%.2g%%", x*100)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
