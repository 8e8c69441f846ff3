package conformance

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// groups are the rows of the default table: ops that a reader takes in together.
var groups = [][]string{
	{"matmul", "linear"},
	{"softmax", "log_softmax", "cross_entropy"},
	{"relu", "gelu", "layernorm"},
	{"embedding", "learned_positions", "sinusoidal_positions"},
	{"attention", "attention.scores", "mha"},
	{"attention.cached", "gpt.cached"},
	{"ffn", "block", "gpt", "gpt.loss"},
	{"greedy", "distribution", "sample", "beam_search", "gpt.generate"},
}

// shownFailures is how many failures WriteText prints unless verbose.
const shownFailures = 5

// WriteText prints the report for a person: failures first, each with a command that repeats it, then what was not covered, then a
// table of at most ten lines. Verbose prints every failure and a row for each op.
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
		if s.NotApplicable {
			p.line("NOT JUDGED %s: %d cases: %s", s.Op, s.Cases, s.Reason)
		} else {
			p.line("UNSUPPORTED %s: %d cases: %s", s.Op, s.Cases, s.Reason)
		}
	}
	switch n := len(r.Clauses.Missing); {
	case n == 0 || r.narrowed:
	case verbose || n <= 8:
		p.line("NOT COVERED %s", strings.Join(r.Clauses.Missing, " "))
	default:
		p.line("NOT COVERED %d clauses: %s … (--verbose shows all)", n, strings.Join(r.Clauses.Missing[:8], " "))
	}
	rows := groups
	if verbose {
		rows = nil
		for _, o := range r.Worst {
			rows = append(rows, []string{o.Op})
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
	verdict, unsupported := "PASS", ""
	switch {
	case r.Failed > 0:
		verdict = "FAIL"
	case r.Unsupported() > 0:
		verdict = "INCOMPLETE"
	}
	if n := r.Unsupported(); n > 0 {
		unsupported = fmt.Sprintf(", %d unsupported", n)
	}
	p.line("%s %s (%s, accumulating %s): %d cases, %d failed%s; %d of %d clauses; %.1f s", verdict, r.Implementation,
		r.Formats.Storage, r.Formats.Accumulate, r.Cases, r.Failed, unsupported, r.Clauses.Covered, r.Clauses.Total, r.Seconds)
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

func (p *printer) table(r *Report, rows [][]string) {
	tw := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	t := &printer{w: tw, err: p.err}
	t.line("op\tcases\terror/bound\tworst at\tclauses")
	for _, names := range rows {
		var present []string
		var cases int
		var worst Worst
		var families []string
		for _, o := range r.Worst {
			if !slices.Contains(names, o.Op) {
				continue
			}
			present = append(present, o.Op)
			cases += o.cases
			if worst.Case == "" || o.Ratio > worst.Ratio {
				worst = o
			}
			for _, clause := range o.clauses {
				if family, _, _ := strings.Cut(clause, "-"); !slices.Contains(families, family) {
					families = append(families, family)
				}
			}
		}
		if len(present) > 0 {
			slices.Sort(families)
			t.line("%s\t%d\t%.2f\t%s\t%s", strings.Join(present, " "), cases, float64(worst.Ratio), worst.Case, strings.Join(families, " "))
		}
	}
	if t.err == nil {
		t.err = tw.Flush()
	}
	p.err = t.err
}
