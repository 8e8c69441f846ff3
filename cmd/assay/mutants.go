package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/mutant"
)

func mutantsCommand() *cobra.Command {
	var v vectorFlags
	var ops []string
	cmd := &cobra.Command{
		Use:   "mutants",
		Short: "Judge the vectors: does a case catch every planted bug?",
		Long: `Run every planted bug on the cases of its op and print which cases catch it, survivors first.

Exit status: 0 every planted bug is caught; 1 one survives.`,
		Example: "  assay mutants --op 'attention*'",
		Args:    noArguments,
		RunE: stoppable("nothing is kept", func(cmd *cobra.Command, _ []string) error {
			if err := knownOps(ops...); err != nil {
				return err
			}
			set, err := v.load()
			if err != nil {
				return err
			}
			outcomes, err := mutant.Judge(cmd.Context(), set, ops, progress(cmd.ErrOrStderr(), "mutants"))
			if err != nil {
				return err
			}
			survivors := []mutant.Outcome{}
			for _, o := range outcomes {
				if len(o.KilledBy) == 0 {
					survivors = append(survivors, o)
				}
			}
			if v.asJSON {
				err = writeJSON(cmd.OutOrStdout(), map[string]any{
					"mutants": len(outcomes), "killed": len(outcomes) - len(survivors), "survivors": survivors, "kills": outcomes,
				})
			} else {
				err = printMutants(cmd, outcomes, survivors)
			}
			if err == nil && len(survivors) > 0 {
				return errVerdict
			}
			return err
		}),
	}
	v.register(cmd)
	cmd.Flags().Var((*names)(&ops), "op", "only planted bugs in ops that match this pattern (repeatable)")
	return cmd
}

func printMutants(cmd *cobra.Command, outcomes, survivors []mutant.Outcome) error {
	w := &errWriter{w: cmd.OutOrStdout()}
	for _, o := range survivors {
		w.printf("SURVIVES %s (%s): %s\n", o.ID, o.Clause, o.Bug)
	}
	tw := tabwriter.NewWriter(w.w, 0, 0, 2, ' ', 0)
	for _, o := range outcomes {
		if len(o.KilledBy) > 0 {
			fmt.Fprintf(tw, "%s\t%s\t%d cases\t%s\n", o.ID, o.Clause, len(o.KilledBy), strings.Join(o.KilledBy[:min(2, len(o.KilledBy))], " "))
		}
	}
	if w.err == nil {
		w.err = tw.Flush()
	}
	w.printf("%d of %d planted bugs are caught\n", len(outcomes)-len(survivors), len(outcomes))
	return w.err
}
