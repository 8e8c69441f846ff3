package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/golden"
	"github.com/assaykit/assay/internal/input"
)

// maxRecord is how large a record may be: a run of every case writes some hundred kilobytes, and more where many fail.
const maxRecord = 256 << 20

func recordCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "record FILE",
		Short: "Say what the tests that call conformance.Run came to, from their record",
		Long: `Read the record of tests that call conformance.Run, which is in the file that the environment variable
` + conformance.RecordVariable + ` named when they ran, and print the verdict of each. The exit status of go test says less: a kernel can end
the process, with any status, and flags of go test can keep the tests from running.

Exit status: 0 every run came to its end and no case failed; 1 a case failed; 2 there is no run, one did not come to
its end, which names the case in which that happened, one judged nothing, or not all that its profile demands, or one
judged by other vectors than this program has.`,
		Example: "  ASSAY_RECORD=$PWD/record.jsonl go test -count=1 ./... && assay record record.jsonl",
		Args:    oneArgument("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := input.ReadFile(args[0], maxRecord)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // no run, no file
				return err
			}
			reports, err := conformance.ReadRecord(bytes.NewReader(data))
			if err != nil {
				err = fmt.Errorf("%s: %w", args[0], err)
			}
			if asJSON {
				err = errors.Join(err, writeJSON(cmd.OutOrStdout(), append([]*conformance.Report{}, reports...)))
			} else {
				w := &errWriter{w: cmd.OutOrStdout()}
				for _, r := range reports {
					w.printf("%s\n", r.Verdict())
				}
				err = errors.Join(err, w.err)
			}
			if err = errors.Join(err, judged(reports)); err != nil {
				return err
			}
			if slices.ContainsFunc(reports, func(r *conformance.Report) bool { return r.Failed > 0 }) {
				return errVerdict
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the reports as JSON")
	return cmd
}

// judged returns an error for each run that came to its end and judged nothing, or not what its profile demands, or by other vectors than those
// of this program.
func judged(reports []*conformance.Report) error {
	set, err := golden.Load()
	if err != nil {
		return err
	}
	ours, err := set.Digest()
	if err != nil {
		return err
	}
	for _, r := range reports {
		switch {
		case r.Cases == 0:
			err = errors.Join(err, fmt.Errorf("%s: %w", r.Implementation, conformance.ErrNothingJudged))
		case r.Profile != "" && r.Unsupported() > 0:
			err = errors.Join(err, fmt.Errorf("%s: profile %s is not complete: %d cases are unsupported", r.Implementation, r.Profile, r.Unsupported()))
		case r.Vectors != ours:
			err = errors.Join(err, fmt.Errorf("%s was judged by other vectors (%.12s) than those of this program (%.12s): use the version of assay that go.mod requires, and its embedded vectors",
				r.Implementation, r.Vectors, ours))
		}
	}
	return err
}
