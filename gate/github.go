package gate

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// WriteMarkdown writes the report for a job summary: the counts, a table of the rows that did not simply pass, and the lines that WriteText has
// below its tables.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n", r.summary())
	line := func(cells ...string) {
		for i := range cells {
			cells[i] = markdown.Replace(cells[i])
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	if r.Count(Pass)+r.Count(SameCode) < len(r.Rows) {
		b.WriteByte('\n')
		line("benchmark", "unit", r.Old, r.New, "new/old", "p", "finds", "verdict")
		b.WriteString("|---|---|---|---|---|---|---|---|\n")
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Verdict == Pass || row.Verdict == SameCode || !row.measured() {
			continue
		}
		scale := row.scale()
		ratio, p := change(row.Ratio.Center), "exact"
		if !row.Exact {
			ratio, p = ratio+" ± "+row.Ratio.spread(), fmt.Sprintf("p=%.3f %s", row.P, row.runs())
		}
		line(row.Name, row.Unit, scale.Format(row.Old.Center)+" ± "+row.Old.spread(), scale.Format(row.New.Center)+" ± "+row.New.spread(),
			ratio, p, row.finds(), string(row.Verdict))
	}
	if remarks := r.remarks(); len(remarks) > 0 {
		b.WriteByte('\n')
		for _, remark := range remarks {
			fmt.Fprintf(&b, "- %s\n", markdown.Replace(remark))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteAnnotations writes GitHub's workflow commands: an error for each regression, at the benchmark's function where that is known, and one warning
// with the number of inconclusive rows.
func (r *Report) WriteAnnotations(w io.Writer) error {
	var b strings.Builder
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Verdict != Regression {
			continue
		}
		place := ""
		if row.File != "" {
			place = fmt.Sprintf("file=%s,line=%d,", commandProperty.Replace(row.File), row.Line)
		}
		title := commandProperty.Replace("regression: " + row.String())
		fmt.Fprintf(&b, "::error %stitle=%s::%s\n", place, title, commandData.Replace(row.evidence(r.Slack)))
	}
	if r.Count(Inconclusive) > 0 {
		fmt.Fprintf(&b, "::warning title=inconclusive benchmarks::%s\n", commandData.Replace(r.warning()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// What a workflow command's message and its properties may not hold, as GitHub's own toolkit escapes it.
var (
	commandData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	commandProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// markdown escapes what would end a table's cell or be read as markup.
var markdown = strings.NewReplacer("\\", "\\\\", "|", "\\|", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "<", "&lt;", "&", "&amp;")

// spread is half the interval, as a percentage of the center.
func (v Interval) spread() string {
	if math.IsInf(v.Center, 0) || v.Center == 0 {
		return "?"
	}
	return percent(max(v.Hi/v.Center-1, 1-v.Lo/v.Center))
}
