package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/assaykit/assay/gate"
	"github.com/assaykit/assay/gate/live"
	"github.com/assaykit/assay/gate/selftest"
	"github.com/assaykit/assay/internal/input"
	"github.com/assaykit/assay/internal/output"
)

// gateFlags are the flags of assay gate. The live ones need --base.
type gateFlags struct {
	live              live.Options
	slack, resolution fraction
	require           fraction
	format            struct{ json, markdown, annotations bool }
	selfTest          bool
	runs              int
	record            string
}

// Flags that mean nothing without --base, and those that the self-test has, which has its own two apart.
var (
	liveFlags     = []string{"head", "budget", "tags", "ldflags", "seed", "samples", "allow-changed-benchmarks"}
	selfTestFlags = []string{"self-test", "runs", "record", "budget", "resolution", "seed", "json", "help"}
)

func gateCommand() *cobra.Command {
	g := &gateFlags{live: live.Defaults("")}
	g.slack, g.resolution = fraction(g.live.Slack), fraction(g.live.Resolution)
	cmd := &cobra.Command{
		Use:   "gate --base REF [packages] | gate OLD NEW | gate --self-test",
		Short: "Has any benchmark of a Go module become slower?",
		Long: `Has any benchmark of a Go module become slower?

With --base, the module in the current directory is measured against the merge base of REF and HEAD, which is checked
out in a worktree; uncommitted changes count. Packages whose code did not change are not timed. The others are linked at
many layouts, and base and head run in turn. A first stage finds the suspects, a second one, on other layouts, judges
them. With two files of benchmark results made elsewhere, these are judged. With --self-test, the gate's own error rates
are measured on this machine.

Each benchmark gets same code, pass, regression, improved or inconclusive, with the smallest slowdown that would have
been found ("finds"). Inconclusive is never a pass. docs/gate.md explains the statistics.

Exit status: 0 no regression; 1 a regression; 2 nothing was judged, nothing is conclusive, or, with
--require-resolution, anything is inconclusive. Of --self-test: 0, 1 if its figures contradict what docs/gate.md
aims at, 2 if too little was measured to tell.`,
		Example: `  assay gate --base origin/main
  assay gate --base v1.2.0 --bench 'Encode/size=1k$' --budget 2m ./codec
  go test -run '^$' -bench . -count 10 ./... > new.txt; assay gate old.txt new.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if g.selfTest {
				return g.test(cmd, args)
			}
			report, err := g.run(cmd, args)
			if err != nil {
				return err
			}
			return g.print(cmd.OutOrStdout(), cmd.ErrOrStderr(), report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&g.live.Base, "base", "", "measure against the merge base of this ref and the head")
	f.StringVar(&g.live.Head, "head", "", "measure this ref instead of the checkout with its uncommitted changes")
	f.StringVar(&g.live.Bench, "bench", "", "only these benchmarks: with --base a pattern as go test -bench has it, for files a regular expression of the full name")
	f.DurationVar(&g.live.Budget, "budget", g.live.Budget, "the time that it may take; of each run of --self-test, 90 seconds unless given")
	f.Float64Var(&g.live.Alpha, "alpha", g.live.Alpha, "the probability of any false alarm in the whole suite")
	f.Var(&g.slack, "slack", "the slowdown that is tolerated")
	f.Var(&g.resolution, "resolution", "a benchmark passes only if a slowdown of this size would have been found")
	f.Var(&g.require, "require-resolution", "the same, and exit 2 if any benchmark is inconclusive")
	f.StringSliceVar(&g.live.SkipUnits, "skip-unit", nil, "leave this unit out, such as one that only informs; may be repeated")
	f.BoolVar(&g.live.AllowRemoved, "allow-removed", false, "accept benchmarks that the head lacks")
	f.BoolVar(&g.live.AllowChanged, "allow-changed-benchmarks", false, "judge benchmarks whose own source changed")
	f.StringVar(&g.live.Tags, "tags", "", "build tags, as go build has them")
	f.StringVar(&g.live.LDFlags, "ldflags", "", "linker flags, as go build has them")
	f.Uint32Var(&g.live.Seed, "seed", 0, "of the layouts and orders, to repeat a run (0: a random one)")
	f.StringVar(&g.live.Samples, "samples", "", "directory for the measurements, base.txt and head.txt, and the report, report.json and report.md (none: keep none; default one in the user's cache)")
	f.BoolVar(&g.format.json, "json", false, "print JSON")
	f.BoolVar(&g.format.markdown, "markdown", false, "print Markdown, for a job summary")
	f.BoolVar(&g.format.annotations, "annotations", os.Getenv("GITHUB_ACTIONS") == "true", "also print GitHub annotations to standard error (default where GITHUB_ACTIONS is true)")
	f.BoolVar(&g.selfTest, "self-test", false, "measure how often the gate is wrong here: the same code, and slowdowns of 3, 5, 10 and 20 %")
	f.IntVar(&g.runs, "runs", 20, "of each kind, for --self-test: a pair of them takes three minutes")
	f.StringVar(&g.record, "record", "", "file for the noise that --self-test meets, as JSON")
	cmd.MarkFlagsMutuallyExclusive("json", "markdown")
	cmd.MarkFlagsMutuallyExclusive("base", "self-test")
	cmd.MarkFlagsMutuallyExclusive("resolution", "require-resolution")
	return cmd
}

// run judges a module or two files.
func (g *gateFlags) run(cmd *cobra.Command, args []string) (*gate.Report, error) {
	if cmd.Flags().Changed("require-resolution") && g.require == 0 {
		return nil, errors.New("--require-resolution is 0: want a slowdown above the slack, such as 5%")
	}
	g.live.Slack, g.live.Resolution, g.live.Require = float64(g.slack), float64(g.resolution), float64(g.require)
	for _, name := range []string{"runs", "record"} {
		if cmd.Flags().Changed(name) {
			return nil, fmt.Errorf("--%s needs --self-test", name)
		}
	}
	if g.live.Base == "" {
		for _, name := range liveFlags {
			if cmd.Flags().Changed(name) {
				return nil, fmt.Errorf("--%s needs --base REF", name)
			}
		}
		if len(args) != 2 {
			return nil, errors.New("want --base REF, such as origin/main, or two files of benchmark results")
		}
		return g.files(args[0], args[1])
	}
	for _, arg := range args {
		if info, err := os.Stat(arg); err == nil && !info.IsDir() {
			return nil, fmt.Errorf("%s is a file and --base measures packages: want two files of benchmark results, or --base, not both", arg)
		}
	}
	return g.measure(cmd.Context(), cmd.ErrOrStderr(), args)
}

// test measures the gate's error rates.
func (g *gateFlags) test(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("--self-test takes no arguments, not %q", args)
	}
	var foreign error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(selfTestFlags, f.Name) {
			foreign = fmt.Errorf("--%s means nothing for --self-test", f.Name)
		}
	})
	if foreign != nil {
		return foreign
	}
	budget := selftest.Budget
	if cmd.Flags().Changed("budget") {
		budget = g.live.Budget
	}
	var record *output.File
	if g.record != "" { // before the runs, which would be lost
		var err error
		if record, err = output.Claim(g.record); err != nil {
			return fmt.Errorf("--record: %w", err)
		}
		defer record.Close()
	}
	log := cmd.ErrOrStderr()
	result, err := selftest.Run(cmd.Context(), selftest.Options{Runs: g.runs, Budget: budget, Limit: float64(g.resolution), Seed: g.live.Seed,
		Log: func(format string, args ...any) { fmt.Fprintf(log, format+"\n", args...) }})
	if result == nil {
		return err
	}
	if record != nil {
		err = errors.Join(err, record.Write(func(w io.Writer) error { return writeJSON(w, result.Pairs) }))
	}
	if g.format.json {
		err = errors.Join(err, writeJSON(cmd.OutOrStdout(), result))
	} else {
		err = errors.Join(err, result.WriteText(cmd.OutOrStdout()))
	}
	switch {
	case err != nil:
		return err
	case len(result.Aims()) > 0:
		return errVerdict
	case !result.Shown():
		return fmt.Errorf("no benchmark that was slowed has a resolution within %v %%, so that nothing is shown about slowdowns: raise --budget, or find a quieter machine", 100*result.Limit)
	}
	return nil
}

// files judges two files.
func (g *gateFlags) files(names ...string) (*gate.Report, error) {
	opt := gate.Options{Alpha: g.live.Alpha, Slack: g.live.Slack, Resolution: g.live.Resolution, RequireResolution: g.live.Require,
		AllowRemoved: g.live.AllowRemoved, SkipUnits: g.live.SkipUnits}
	if g.live.Bench != "" {
		re, err := regexp.Compile(g.live.Bench)
		if err != nil {
			return nil, fmt.Errorf("--bench: %w", err)
		}
		opt.Bench = re
	}
	var sources [2]gate.Source
	for i, name := range names {
		f, err := input.Open(name, gate.MaxInput)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		sources[i] = gate.Source{Name: name, Reader: f}
	}
	return gate.Compare(sources[0], sources[1], opt)
}

// measure judges the module in the current directory.
func (g *gateFlags) measure(ctx context.Context, log io.Writer, packages []string) (*gate.Report, error) {
	opt := g.live
	opt.Packages = packages
	opt.Log = func(format string, args ...any) { fmt.Fprintf(log, format+"\n", args...) }
	switch opt.Samples {
	case "":
		var err error
		if opt.Samples, err = samplesDir(); err != nil {
			return nil, err
		}
	case "none":
		opt.Samples = ""
	}
	report, err := live.Run(ctx, opt)
	if err == nil && opt.Samples != "" {
		if err := keepReport(opt.Samples, report); err != nil { // the verdict counts more
			report.Notes = append(report.Notes, err.Error())
		}
	}
	return report, err
}

// keepReport writes the report beside the measurements, as a program and a job summary read it.
func keepReport(dir string, report *gate.Report) error {
	var asJSON, asMarkdown bytes.Buffer
	err := errors.Join(writeJSON(&asJSON, report), report.WriteMarkdown(&asMarkdown), os.MkdirAll(dir, 0o777))
	if err == nil {
		err = errors.Join(output.WriteFile(filepath.Join(dir, "report.json"), asJSON.Bytes()), output.WriteFile(filepath.Join(dir, "report.md"), asMarkdown.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("keeping the report: %w", err)
	}
	return nil
}

// samplesDir is a directory in the user's cache for each directory that is measured: the last run's measurements are kept.
func samplesDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory for the measurements: %w: name one with --samples", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "assay", "gate", fmt.Sprintf("%s-%08x", filepath.Base(dir), crc32.ChecksumIEEE([]byte(dir)))), nil
}

// print writes the report, and turns it into an exit status.
func (g *gateFlags) print(out, log io.Writer, report *gate.Report) error {
	var err error
	switch {
	case g.format.json:
		err = writeJSON(out, report)
	case g.format.markdown:
		err = report.WriteMarkdown(out)
	default:
		err = report.WriteText(out)
	}
	if g.format.annotations {
		err = errors.Join(err, report.WriteAnnotations(log))
	}
	switch {
	case err != nil:
		return err
	case report.ExitCode() == exitVerdict:
		return errVerdict
	case len(report.Rows) == 0:
		return errors.New("no benchmark was judged: what both sides have reports nothing that can be")
	case report.ExitCode() == exitNotJudged:
		return fmt.Errorf("%d of %d rows are inconclusive: measure longer (--budget, or go test -count 20) or on a quieter machine",
			report.Count(gate.Inconclusive), len(report.Rows)-report.Count(gate.SameCode))
	}
	return nil
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
	switch {
	case percent:
		x /= 100
	case x >= 1:
		return fmt.Errorf("%q would be %g %%: write it so if that is meant, else %g%%", s, 100*x, x)
	}
	if !(x >= 0) {
		return fmt.Errorf("%s is below 0", s)
	}
	*f = fraction(x)
	return nil
}
