package main

import (
	"fmt"
	"os"
	"path"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/onnx"
	"github.com/assaykit/assay/conformance/op"
)

func onnxCommand() *cobra.Command {
	var impl string
	var patterns []string
	var allowUnsupported, asJSON bool
	cmd := &cobra.Command{
		Use:   "onnx DIR",
		Short: "Hold an implementation to ONNX's own node tests",
		Long: `Hold an implementation to ONNX's backend node tests, as ONNX ships them: DIR/test_*/model.onnx with inputs and
outputs in test_data_set_*/*.pb. Each operator is translated to ops of the boundary. Bounds follow from the
arithmetic of the translation, not from a relative tolerance. docs/onnx.md says where to get the tests.

Exit status: 0 every test that was asked for passes; 1 one fails; 2 nothing was judged, a file cannot be read, or
tests are unsupported and --allow-unsupported is not given.`,
		Example: `  assay onnx onnx/backend/test/data/node --case 'test_attention*' --impl reference`,
		Args:    oneArgument("a directory"),
		RunE: stoppable("nothing is kept", func(cmd *cobra.Command, args []string) error {
			factory, err := implementation(impl)
			if err != nil {
				return err
			}
			if info, err := os.Stat(args[0]); err != nil {
				return err
			} else if !info.IsDir() {
				return fmt.Errorf("%s is not a directory", args[0])
			}
			cases, err := onnx.Load(os.DirFS(args[0]))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if cases, err = matching(cases, patterns); err != nil {
				return err
			}
			report, err := onnx.Check(cmd.Context(), factory, cases, progress(cmd.ErrOrStderr(), "tests"))
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), report)
			} else {
				err = printONNX(cmd, impl, report)
			}
			switch {
			case err != nil:
				return err
			case len(report.Failed) > 0:
				return errVerdict
			case report.Cases == 0:
				return fmt.Errorf("none of %d tests could be judged", len(cases))
			case len(report.Unsupported) > 0 && !allowUnsupported:
				return fmt.Errorf("%d tests are unsupported; --allow-unsupported accepts that", len(report.Unsupported))
			}
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringVar(&impl, "impl", "optimized", "the implementation: "+implementationNames())
	f.Var((*names)(&patterns), "case", "only tests that match this pattern, such as 'test_attention*' (repeatable)")
	f.BoolVar(&allowUnsupported, "allow-unsupported", false, "exit 0 although some tests are unsupported")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// matching returns the cases whose names match a pattern, all where there is none. A pattern that matches none is an error.
func matching(cases []onnx.Case, patterns []string) ([]onnx.Case, error) {
	if len(patterns) == 0 {
		return cases, nil
	}
	var chosen []onnx.Case
	matched := make([]bool, len(patterns))
	for _, c := range cases {
		any := false
		for i, p := range patterns {
			ok, err := path.Match(p, c.Name)
			if err != nil {
				return nil, fmt.Errorf("--case %q: %w", p, err)
			}
			matched[i], any = matched[i] || ok, any || ok
		}
		if any {
			chosen = append(chosen, c)
		}
	}
	if i := slices.Index(matched, false); i >= 0 {
		var names []string
		for _, c := range cases {
			names = append(names, c.Name)
		}
		return nil, fmt.Errorf("--case %q matches none of %d tests: %s", patterns[i], len(cases), op.Suggest(patterns[i], names))
	}
	return chosen, nil
}

// shownUnsupported is how many kinds of unsupported tests are printed.
const shownUnsupported = 10

func printONNX(cmd *cobra.Command, impl string, r *onnx.Report) error {
	w := &errWriter{w: cmd.OutOrStdout()}
	for _, f := range r.Failures {
		w.printf("FAIL %s: %s\n", f.Name, f.Detail)
	}
	kinds := map[string][]string{}
	var reasons []string
	for _, u := range r.Unsupported {
		if kinds[u.Reason] == nil {
			reasons = append(reasons, u.Reason)
		}
		kinds[u.Reason] = append(kinds[u.Reason], u.Name)
	}
	slices.SortStableFunc(reasons, func(a, b string) int { return len(kinds[b]) - len(kinds[a]) })
	for i, reason := range reasons {
		if i == shownUnsupported {
			w.printf("… and for %d more reasons: --json lists every test\n", len(reasons)-i)
			break
		}
		w.printf("UNSUPPORTED %d tests: %s: %s\n", len(kinds[reason]), reason, kinds[reason][0])
	}
	tw := tabwriter.NewWriter(w.w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "operator\ttests\terror/bound\tworst at")
	for _, o := range r.Worst {
		fmt.Fprintf(tw, "%s\t%d\t%.2f\t%s\n", o.Op, o.Cases, o.Ratio, o.Name)
	}
	if w.err == nil {
		w.err = tw.Flush()
	}
	verdict := "PASS"
	switch {
	case len(r.Failed) > 0:
		verdict = "FAIL"
	case len(r.Unsupported) > 0 || r.Cases == 0:
		verdict = "INCOMPLETE"
	}
	w.printf("%s %s: %d tests, %d failed, %d unsupported\n", verdict, impl, r.Cases, len(r.Failed), len(r.Unsupported))
	return w.err
}
