package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance"
)

func checkCommand() *cobra.Command {
	var (
		impl, profile                     string
		vectors                           vectorsFlags
		ops, cases                        []string
		allowUnsupported, asJSON, verbose bool
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Hold an implementation to the golden vectors",
		Long: `Hold an implementation to the golden vectors: its numbers to the bounds stored with each case, its kernels to the
contract of the buffers. Prints failures first, each with a command that repeats it, then what is not covered,
then a table.`,
		Example: `  assay check
  assay check --impl reference --op 'attention*'
  assay check --case attention/tiles-512 --json
  assay check --impl mutant:attention-causal-off-by-one --op attention`,
		Args: noArguments,
		RunE: stoppable("nothing is kept", func(cmd *cobra.Command, _ []string) error {
			factory, err := implementation(impl)
			if err != nil {
				return err
			}
			if err := knownOps(ops...); err != nil {
				return err
			}
			set, err := vectors.load()
			if err != nil {
				return err
			}
			for _, id := range cases {
				if _, _, err := caseOf(set, id); err != nil {
					return fmt.Errorf("--case: %w", err)
				}
			}
			report, err := conformance.Check(factory, conformance.Vectors(set), conformance.Profile(profile),
				conformance.Ops(ops...), conformance.Cases(cases...),
				conformance.Context(cmd.Context()), conformance.Progress(progress(cmd.ErrOrStderr(), "cases")))
			if err != nil {
				return err
			}
			report.Implementation, report.Repeat = impl, "assay check --impl "+impl
			if vectors.dir != "" {
				report.Repeat += " --vectors " + vectors.dir
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), report)
			} else {
				err = report.WriteText(cmd.OutOrStdout(), verbose)
			}
			switch {
			case err != nil:
				return err
			case report.Failed > 0:
				return errVerdict
			case report.Unsupported() > 0 && !allowUnsupported:
				return fmt.Errorf("profile %s is not complete: %d cases are unsupported; --allow-unsupported accepts that", profile, report.Unsupported())
			}
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringVar(&impl, "impl", "optimized", "the implementation: "+implementationNames())
	f.Var((*names)(&ops), "op", "only ops that match this pattern, such as 'attention*' (repeatable)")
	f.Var((*names)(&cases), "case", "only the case with this id (repeatable)")
	vectors.register(cmd)
	f.StringVar(&profile, "profile", "all", "the ops that must be complete: "+strings.Join(slices.Sorted(maps.Keys(conformance.Profiles)), ", "))
	f.BoolVar(&allowUnsupported, "allow-unsupported", false, "exit 0 although some ops are unsupported")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	f.BoolVarP(&verbose, "verbose", "v", false, "print every failure, every uncovered clause and a row for each op")
	return cmd
}

// progress returns a callback that keeps a line of status on a terminal, from two seconds on.
func progress(w io.Writer, what string) func(done, total int) {
	start := time.Now()
	if !isTerminal(w) {
		return func(int, int) {}
	}
	return func(done, total int) {
		if time.Since(start) > 2*time.Second {
			fmt.Fprintf(w, "\r%d of %d %s", done, total, what)
			if done == total {
				fmt.Fprint(w, "\r\033[K")
			}
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
