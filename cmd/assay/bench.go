package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/benchmarks"
	"github.com/assaykit/assay/conformance/op"
)

func benchCommand() *cobra.Command {
	opt := benchmarks.Options{Count: 1, BenchTime: time.Second}
	var impls []string
	var list bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure implementations side by side, in Go's benchmark format",
		Long: `Measure implementations side by side on ops at GPT-3's shapes. Results are in Go's benchmark format on standard
output, for benchstat and assay gate. Every result is verified before and after it is timed.`,
		Example: `  assay bench --workload 'op=attention/model=gpt3-small' --count 10 > new.txt
  assay bench --impl optimized --workload model=tiny --benchtime 100ms`,
		Args: noArguments,
		RunE: stoppable("the results that are printed hold", func(cmd *cobra.Command, _ []string) error {
			if opt.BenchTime <= 0 {
				return fmt.Errorf("--benchtime %v: want more than 0", opt.BenchTime)
			}
			if list {
				return listWorkloads(cmd, opt.Workload)
			}
			for _, name := range impls {
				factory, err := implementation(name)
				if err != nil {
					return err
				}
				opt.Contenders = append(opt.Contenders, contender(name, factory))
			}
			opt.Log = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			return benchmarks.Run(cmd.Context(), cmd.OutOrStdout(), opt)
		}),
	}
	f := cmd.Flags()
	f.Var((*names)(&impls), "impl", "only this implementation (repeatable): "+implementationNames()+"; optimized, gonum and reference unless given")
	f.StringVar(&opt.Workload, "workload", "", "only workloads whose name matches this regular expression")
	f.Var((*count)(&opt.Count), "count", "how often each benchmark is measured; the gate needs ten")
	f.DurationVar(&opt.BenchTime, "benchtime", opt.BenchTime, "how long one measurement takes at least")
	f.BoolVar(&list, "list", false, "list the workloads and measure nothing")
	return cmd
}

// contender is a known one, or the named implementation on every workload.
func contender(name string, factory func() op.Implementation) benchmarks.Contender {
	for _, c := range benchmarks.Contenders() {
		if c.Name == name {
			return c
		}
	}
	return benchmarks.Contender{Name: strings.ReplaceAll(name, ":", "-"), New: factory}
}

func listWorkloads(cmd *cobra.Command, pattern string) error {
	loads, err := benchmarks.Workloads(pattern)
	if err != nil {
		return err
	}
	for _, w := range loads {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), w.Name); err != nil {
			return err
		}
	}
	return nil
}
