package gate

import (
	"fmt"
	"io"
	"maps"
	"math"
	"strings"
	"unicode/utf8"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

// WriteText writes the report for people: a table for each unit in benchstat's manner (median ± 95 % interval; ratio ± its interval; "finds" is
// the resolution), a line for each regression, what was added and removed, notes, and the counts.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for i := 0; i < len(r.Rows); {
		first := &r.Rows[i]
		for _, key := range configKeys {
			if value := first.Config[key]; value != "" && (i == 0 || r.Rows[i-1].Config[key] != value) {
				fmt.Fprintf(&b, "%s: %s\n", key, value)
			}
		}
		lines := [][]string{{"", r.Old, r.New}, {"", first.Unit, first.Unit, "new/old", "p", "finds", "verdict"}}
		for ; i < len(r.Rows) && sameTable(first, &r.Rows[i]); i++ {
			lines = append(lines, append([]string{r.Rows[i].Name}, r.Rows[i].columns()...))
		}
		writeColumns(&b, lines)
		b.WriteByte('\n')
	}
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Verdict == Regression {
			fmt.Fprintf(&b, "REGRESSION %s %s: %s\n", row.Name, row.Unit, row.evidence(r.Slack))
		}
	}
	for _, name := range r.Removed {
		fmt.Fprintf(&b, "removed, not judged: %s\n", name)
	}
	for _, name := range r.Added {
		fmt.Fprintf(&b, "added, not judged: %s\n", name)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	fmt.Fprintf(&b, "%s\n", r.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteMarkdown writes the report for a job summary: the counts, then a table of the rows that did not simply pass.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n", r.summary())
	if r.Count(Pass) < len(r.Rows) {
		b.WriteString("\n| benchmark | unit | old | new | new/old | p | finds | verdict |\n|---|---|---|---|---|---|---|---|\n")
	}
	escape := strings.NewReplacer("|", "\\|", "<", "&lt;")
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Verdict != Pass {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", escape.Replace(row.Name), escape.Replace(row.Unit), strings.Join(row.columns(), " | "))
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n%s\n", escape.Replace(note))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) summary() string {
	s := fmt.Sprintf("%d pass, %d regression, %d improved, %d inconclusive", r.Count(Pass), r.Count(Regression), r.Count(Improved), r.Count(Inconclusive))
	return s + fmt.Sprintf(" (alpha %v over the suite, slack %s, limit %s)", r.Alpha, percent(r.Slack), percent(r.Limit))
}

func sameTable(a, b *Row) bool { return a.Unit == b.Unit && maps.Equal(a.Config, b.Config) }

// columns returns old, new, ratio, p, resolution and verdict.
func (r *Row) columns() []string {
	scale := benchunit.CommonScale([]float64{r.Old.Center, r.New.Center}, benchunit.ClassOf(r.Unit))
	if r.Exact {
		return []string{scale.Format(r.Old.Center), scale.Format(r.New.Center), change(r.Ratio.Center), "exact", "any", string(r.Verdict)}
	}
	side := func(s Side) string {
		spread := benchmath.Summary{Center: s.Center, Lo: s.Lo, Hi: s.Hi}.PctRangeString()
		return scale.Format(s.Center) + " ± " + spread
	}
	runs := fmt.Sprintf("n=%d", r.Old.Runs)
	if r.New.Runs != r.Old.Runs {
		runs += fmt.Sprintf("+%d", r.New.Runs)
	}
	return []string{side(r.Old), side(r.New), change(r.Ratio.Center) + " ± " + r.Ratio.spread(), fmt.Sprintf("p=%.3f %s", r.P, runs),
		percent(r.Resolution), string(r.Verdict)}
}

// evidence is the case for a regression.
func (r *Row) evidence(slack float64) string {
	if r.Exact {
		scale := benchunit.CommonScale([]float64{r.Old.Center, r.New.Center}, benchunit.ClassOf(r.Unit))
		return fmt.Sprintf("%s to %s, judged exactly", scale.Format(r.Old.Center), scale.Format(r.New.Center))
	}
	return fmt.Sprintf("new/old %.4g in [%.4g, %.4g], %s is better, p=%.2g against a slack of %s",
		r.Ratio.Center, r.Ratio.Lo, r.Ratio.Hi, r.Better, r.P, percent(slack))
}

// spread is half the interval, as a percentage of the center.
func (v Interval) spread() string {
	if math.IsInf(v.Center, 0) || v.Center == 0 {
		return "?"
	}
	return percent(max(v.Hi/v.Center-1, 1-v.Lo/v.Center))
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

// percent formats a fraction with two significant digits.
func percent(x float64) string {
	if math.IsInf(x, 0) {
		return "∞"
	}
	if x >= 1 {
		return fmt.Sprintf("%.0f%%", x*100)
	}
	return fmt.Sprintf("%.2g%%", x*100)
}

// writeColumns aligns the columns: the first and last to the left, the others to the right, except in the heading lines.
func writeColumns(b *strings.Builder, lines [][]string) {
	var widths []int
	for _, line := range lines {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		var text strings.Builder
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 0:
				text.WriteString(cell + pad)
			case i == len(widths)-1:
				text.WriteString("  " + cell)
			default:
				text.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
}
