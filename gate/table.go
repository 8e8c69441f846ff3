package gate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
	"gonum.org/v1/gonum/stat"
)

// The columns of a table. In benchstat's layout each side is a box of a median, right-aligned, and the interval behind its " ± "; the second box
// also holds delta and p.
const (
	colName = iota
	colOld
	colOldRange
	colNew
	colNewRange
	colDelta
	colP
	colFinds
	colVerdict
	columns
)

// headingKeys are the configKeys in the order in which go test prints them, and benchstat repeats them.
var headingKeys = []string{"goos", "goarch", "pkg", "cpu"}

// tables are the rows of each unit and configuration, in the order in which they first come.
func (r *Report) tables() (tables [][]*Row) {
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Verdict == SameCode {
			continue
		}
		at := slices.IndexFunc(tables, func(table []*Row) bool { return table[0].Unit == row.Unit && maps.Equal(table[0].Config, row.Config) })
		if at < 0 {
			at, tables = len(tables), append(tables, nil)
		}
		tables[at] = append(tables[at], row)
	}
	return tables
}

// zero tells whether all that was measured of a row is 0.
func (r *Row) zero() bool {
	return r.Exact && r.Old.Center == 0 && r.New.Center == 0 && r.Verdict == Pass
}

// allZero tells whether a table has nothing to show.
func allZero(rows []*Row) bool {
	return !slices.ContainsFunc(rows, func(r *Row) bool { return !r.zero() })
}

// writeTables writes the tables but for those of nothing but zeros.
func (r *Report) writeTables(b *strings.Builder) {
	shown := map[string]string{}
	for _, rows := range r.tables() {
		if allZero(rows) {
			continue
		}
		for _, key := range headingKeys {
			if value := rows[0].Config[key]; value != shown[key] {
				fmt.Fprintf(b, "%s: %s\n", key, value)
				shown[key] = value
			}
		}
		r.writeTable(b, rows)
		b.WriteByte('\n')
	}
}

func (r *Report) writeTable(b *strings.Builder, rows []*Row) {
	unit := rows[0].Unit
	var lines [][columns]string
	measured := 0
	for _, row := range rows {
		lines = append(lines, row.cells())
		if row.measured() {
			measured++
		}
	}
	if measured > 1 {
		lines = append(lines, geomean(rows))
	}
	width := [columns]int{colFinds: len("finds")}
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	const plusMinus = len("   ")
	// A heading that is wider than its box widens the box's first column.
	widen := func(column, box int, heading string) { width[column] += max(0, utf8.RuneCountInString(heading)-box) }
	oldBox := func() int { return width[colOld] + plusMinus + width[colOldRange] }
	newUnit := func() int { return width[colNew] + plusMinus + width[colNewRange] }
	newBox := func() int { return newUnit() + len("  ") + width[colDelta] + len(" ") + width[colP] }
	widen(colOld, oldBox(), unit)
	widen(colNew, newUnit(), unit)
	widen(colOld, oldBox(), r.Old)
	widen(colNew, newBox(), r.New)

	fmt.Fprintf(b, "%*s │ %s │ %s │\n", width[colName], "", center(r.Old, oldBox()), center(r.New, newBox()))
	fmt.Fprintf(b, "%*s │ %s │ %s  %-*s │  %*s  verdict\n", width[colName], "", center(unit, oldBox()), center(unit, newUnit()),
		newBox()-newUnit()-len("  "), "vs base", width[colFinds], "finds")
	for _, line := range lines {
		text := fmt.Sprintf("%-*s", width[colName], line[colName])
		for _, side := range [][2]int{{colOld, colOldRange}, {colNew, colNewRange}} {
			sign := " ± "
			if line[side[1]] == "" {
				sign = "   "
			}
			text += fmt.Sprintf("   %*s%s%*s", width[side[0]], line[side[0]], sign, width[side[1]], line[side[1]])
		}
		text += fmt.Sprintf("  %*s %-*s    %*s  %s", width[colDelta], line[colDelta], width[colP], line[colP],
			width[colFinds], line[colFinds], line[colVerdict])
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
}

// cells is the row's line. As in benchstat, "~" stands where no difference was found, and no p where a test is not needed.
func (r *Row) cells() [columns]string {
	if !r.measured() {
		return [columns]string{colName: r.Name, colVerdict: string(r.Verdict)}
	}
	scale := r.scale()
	delta, p := "~", ""
	if r.Verdict == Regression || r.Verdict == Improved {
		delta = change(r.Ratio.Center)
	}
	if !r.Exact {
		p = fmt.Sprintf("p=%.3f ", r.P)
	}
	return [columns]string{
		r.Name, scale.Format(r.Old.Center), r.Old.spread(), scale.Format(r.New.Center), r.New.spread(), delta, "(" + p + r.runs() + ")",
		r.finds(), string(r.Verdict),
	}
}

// geomean is the last line: the geometric means of medians and of ratios, where they are finite and not 0.
func geomean(rows []*Row) [columns]string {
	var old, new, ratio []float64
	for _, row := range rows {
		if !row.measured() {
			continue
		}
		old, new, ratio = append(old, row.Old.Center), append(new, row.New.Center), append(ratio, row.Ratio.Center)
	}
	mean := func(x []float64, otherwise string, format func(float64) string) string {
		if m := stat.GeometricMean(x, nil); m > 0 && !math.IsInf(m, 0) {
			return format(m)
		}
		return otherwise
	}
	scale := func(x float64) string { return benchunit.Scale(x, benchunit.ClassOf(rows[0].Unit)) }
	delta := func(x float64) string { return fmt.Sprintf("%+.2f%%", (x-1)*100) }
	return [columns]string{colName: "geomean", colOld: mean(old, "", scale), colNew: mean(new, "", scale), colDelta: mean(ratio, "?", delta)}
}

// measured is false for a row for which a report on two commits had no time.
func (r *Row) measured() bool { return r.Old.Runs > 0 }

// runs is benchstat's n of a row.
func (r *Row) runs() string {
	if r.New.Runs != r.Old.Runs {
		return fmt.Sprintf("n=%d+%d", r.Old.Runs, r.New.Runs)
	}
	return fmt.Sprintf("n=%d", r.Old.Runs)
}

// spread is the interval about the median, as benchstat prints it.
func (s Side) spread() string {
	return benchmath.Summary{Center: s.Center, Lo: s.Lo, Hi: s.Hi}.PctRangeString()
}

// center pads s on both sides, one space less on the left where they differ.
func center(s string, width int) string {
	left := (width - utf8.RuneCountInString(s)) / 2
	return strings.Repeat(" ", left) + fmt.Sprintf("%-*s", width-left, s)
}
