package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/benchmarks/gate"
)

func gateCommand() *cobra.Command {
	opt := gate.Defaults()
	slack, resolution := fraction(opt.Slack), fraction(0)
	var bench string
	var asJSON, markdown bool
	cmd := &cobra.Command{
		Use:   "gate OLD NEW",
		Short: "Judge two files of Go benchmark results: has anything become slower?",
		Long: `Judge two files of Go benchmark results. Each benchmark gets pass, regression, improved or inconclusive, with the
smallest slowdown that would have been found ("finds").

Exit status: 0 no regression; 1 a regression; 2 nothing was judged: the files cannot be compared, the runs are
too few for the test to fire, or nothing is conclusive.`,
		Example: `  go test -run '^$' -bench . -count 10 ./... > new.txt
  assay gate old.txt new.txt`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt.Slack, opt.RequireResolution = float64(slack), float64(resolution)
			if bench != "" {
				re, err := regexp.Compile(bench)
				if err != nil {
					return fmt.Errorf("--bench: %w", err)
				}
				opt.Bench = re
			}
			var sources [2]gate.Source
			for i, name := range args {
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				defer f.Close()
				sources[i] = gate.Source{Name: name, Reader: f}
			}
			report, err := gate.Compare(sources[0], sources[1], opt)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				err = writeJSON(out, report)
			case markdown:
				err = report.WriteMarkdown(out)
			default:
				err = report.WriteText(out)
			}
			switch {
			case err != nil:
				return err
			case report.ExitCode() == exitVerdict:
				return errVerdict
			case report.ExitCode() == exitNotJudged:
				return fmt.Errorf("%d of %d rows are inconclusive: run more often (go test -count 20) or on a quieter machine",
					report.Count(gate.Inconclusive), len(report.Rows))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Float64Var(&opt.Alpha, "alpha", opt.Alpha, "the probability of any false alarm in the whole suite")
	f.Var(&slack, "slack", "the slowdown that is tolerated")
	f.Var(&resolution, "require-resolution", "exit 2 unless every row would have shown a slowdown of this size, such as 5%")
	f.StringVar(&bench, "bench", "", "only benchmarks that match this regular expression")
	f.BoolVar(&opt.AllowRemoved, "allow-removed", false, "accept benchmarks that NEW lacks")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.BoolVar(&markdown, "markdown", false, "print Markdown, for a job summary")
	cmd.MarkFlagsMutuallyExclusive("json", "markdown")
	return cmd
}

// fraction is a flag that takes 0.05 or 5%.
type fraction float64

func (f *fraction) String() string { return strconv.FormatFloat(float64(*f)*100, 'g', -1, 64) + "%" }
func (f *fraction) Type() string   { return "percent" }

func (f *fraction) Set(s string) error {
	digits, percent := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number: want 0.05 or 5%%", s)
	}
	if percent {
		x /= 100
	}
	*f = fraction(x)
	return nil
}
