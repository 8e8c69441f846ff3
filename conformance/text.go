package conformance

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/assaykit/assay/conformance/op"
)

// group is a row of the default table: ops that a reader takes in together.
type group struct {
	name string
	ops  []string
}

// groups are those of the op table.
func groups() []group {
	var all []group
	for _, g := range op.Groups {
		of := group{name: g.Name}
		for _, row := range op.Table() {
			if row.Group == g.Name {
				of.ops = append(of.ops, row.Name)
			}
		}
		all = append(all, of)
	}
	return all
}

// shownFailures is how many failures WriteText prints unless verbose.
const shownFailures = 5

// WriteText prints the report for a person: failures first, each with a command that repeats it, then what was not covered, then a
// table with a row for each group of ops, or for each op where there are no more of them. Verbose prints every failure and a row for
// each op.
func (r *Report) WriteText(w io.Writer, verbose bool) error {
	p := &printer{w: w}
	for i, f := range r.Failures {
		if i == shownFailures && !verbose {
			p.line("… and %d more failed cases: --verbose shows them", len(r.Failures)-i)
			break
		}
		p.line("FAIL %s", f)
		p.line("     %s --case %s", cmp.Or(r.Repeat, "assay check --impl "+r.Implementation), f.Case)
	}
	for _, s := range r.Skipped {
		p.line("%v", s)
	}
	switch n := len(r.Clauses.Missing); {
	case n == 0 || r.narrowed:
	case verbose || n <= 8:
		p.line("NOT COVERED %s", strings.Join(r.Clauses.Missing, " "))
	default:
		p.line("NOT COVERED %d clauses: %s … (--verbose shows all)", n, strings.Join(r.Clauses.Missing[:8], " "))
	}
	rows := groups()
	if verbose || len(r.Worst) <= len(rows) {
		rows = nil
		for _, o := range r.Worst {
			rows = append(rows, group{o.Op, []string{o.Op}})
		}
	}
	p.table(r, rows)
	if len(r.EndToEnd) > 0 {
		var words []string
		for _, e := range r.EndToEnd {
			words = append(words, fmt.Sprintf("%s %.2f", e.Op, float64(e.Ratio)))
		}
		p.line("Newton's Opticks, end to end: %s of the bound", strings.Join(words, ", "))
	}
	p.line("%s", r.Verdict())
	return p.err
}

// printer remembers the first error, so that a full disk or a closed pipe is not taken for success.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) table(r *Report, rows []group) {
	tw := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	t := &printer{w: tw, err: p.err}
	t.line("ops\tcases\terror/bound\tworst at\tclauses")
	for _, g := range rows {
		present, cases := 0, 0
		worst := Worst{Exact: true}
		var families []string
		for _, o := range r.Worst {
			if !slices.Contains(g.ops, o.Op) {
				continue
			}
			present++
			cases += o.cases
			if worst.Exact = worst.Exact && o.Exact; o.Case != "" && (worst.Case == "" || o.Ratio > worst.Ratio) {
				worst.Case, worst.Ratio = o.Case, o.Ratio
			}
			for _, clause := range o.clauses {
				if family, _, _ := strings.Cut(clause, "-"); !slices.Contains(families, family) {
					families = append(families, family)
				}
			}
		}
		if present == 0 {
			continue
		}
		name := g.name
		if present < len(g.ops) {
			name += fmt.Sprintf(" (%d of %d ops)", present, len(g.ops))
		}
		slices.Sort(families)
		t.line("%s\t%d\t%s\t%s\t%s", name, cases, worst.cell(), cmp.Or(worst.Case, "-"), strings.Join(families, " "))
	}
	if t.err == nil {
		t.err = tw.Flush()
	}
	p.err = t.err
}

// cell is the largest ratio of a row, or what stands in its place.
func (w Worst) cell() string {
	switch {
	case w.Exact:
		return "exact"
	case w.Case == "":
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(w.Ratio))
}
