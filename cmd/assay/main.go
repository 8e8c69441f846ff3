// Command assay holds implementations of transformer kernels to the golden vectors of SPEC.md, runs single ops, inspects vectors,
// benchmarks, and gates on benchmark results.
//
// Exit status: 0, it holds; 1, a verdict against the implementation; 2, nothing was judged (usage, missing or corrupt vectors, no case
// executed); 130, interrupted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/op"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	exitHolds       = 0
	exitVerdict     = 1
	exitNotJudged   = 2
	exitInterrupted = 130
)

// errVerdict is returned by a command that has already printed a verdict against the implementation.
var errVerdict = errors.New("verdict")

// usageError is returned by a command that was not given what it needs: its usage is printed too.
type usageError struct {
	cmd *cobra.Command
	error
}

// rootCommand returns the command with its subcommands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "assay",
		Short: "Is this transformer kernel right, and is it still fast?",
		Long: `assay holds implementations of GPT-style transformer kernels to golden vectors made by a plain-math float64
reference, within bounds that an error analysis gives.

Exit status: 0 it holds; 1 a verdict against the implementation; 2 nothing was judged (usage, missing or
corrupt vectors, no case executed); 130 interrupted. With --json, an error is an object too, on standard error.`,
		Example:       "  assay check\n  assay check --impl mutant:attention-causal-off-by-one --op attention",
		Version:       version(),
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return usageError{cmd, errors.New("want a command")} },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(checkCommand(), mutantsCommand(), opsCommand(), runCommand(), vectorsCommand(), benchCommand(), gateCommand(), onnxCommand(),
		recordCommand(), versionCommand())
	return root
}

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(append([]string{}, args...)) // for nil, cobra takes the process's own
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	status := exitNotJudged
	switch {
	case err == nil:
		return exitHolds
	case errors.Is(err, errVerdict):
		return exitVerdict
	case ctx.Err() != nil:
		status = exitInterrupted
	}
	if slices.Contains(args, "--json") {
		if err := json.NewEncoder(stderr).Encode(map[string]any{"error": err.Error(), "status": status}); err == nil {
			return status
		}
	}
	fmt.Fprintln(stderr, "assay:", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprint(stderr, "\n", usage.cmd.UsageString())
	}
	return status
}

// knownCommand refuses arguments of a command that has subcommands: each is a mistyped one.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("%sunknown command %q: %s", prefix(cmd), args[0], op.Suggest(args[0], names))
}

// prefix names a command at the beginning of an error: nothing for the program itself, whose name stands before all.
func prefix(cmd *cobra.Command) string {
	if _, name, ok := strings.Cut(cmd.CommandPath(), " "); ok {
		return name + ": "
	}
	return ""
}

// noArguments refuses arguments of a command that takes flags alone.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%swant no arguments, got %q", prefix(cmd), args[0])
	}
	return nil
}

// oneArgument returns the check of a command that takes one argument.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{cmd, fmt.Errorf("%swant %s, got %d arguments", prefix(cmd), what, len(args))}
		}
		return nil
	}
}

// writeJSON prints v, indented, and a newline.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
