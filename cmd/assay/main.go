// Command assay holds implementations of transformer kernels to the golden vectors of SPEC.md, runs single ops, inspects vectors,
// benchmarks, and gates on benchmark results.
//
// Exit status: 0, it holds; 1, a verdict against the implementation; 2, nothing was judged (usage, missing or corrupt vectors, no case
// executed).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	exitHolds     = 0
	exitVerdict   = 1
	exitNotJudged = 2
)

// errVerdict is returned by a command that has already printed a verdict against the implementation.
var errVerdict = errors.New("verdict")

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "assay",
		Short: "Is this transformer kernel right, and is it still fast?",
		Long: `assay holds implementations of GPT-style transformer kernels to golden vectors made by a plain-math float64
reference, within bounds that an error analysis gives.

Exit status: 0 it holds; 1 a verdict against the implementation; 2 nothing was judged (usage, missing or
corrupt vectors, no case executed).`,
		Example:       "  assay check\n  assay check --impl mutant:attention-causal-off-by-one --op attention",
		Args:          cobra.NoArgs,
		RunE:          func(*cobra.Command, []string) error { return errors.New("want a command: assay --help lists them") },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(checkCommand(), mutantsCommand(), runCommand(), vectorsCommand(), benchCommand(), gateCommand(), onnxCommand(), recordCommand())
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitHolds
	case errors.Is(err, errVerdict):
		return exitVerdict
	}
	fmt.Fprintln(stderr, "assay:", err)
	return exitNotJudged
}

// writeJSON prints v, indented, and a newline.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
