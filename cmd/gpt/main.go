// Command gpt trains a GPT on text, has it continue text, and shows how text becomes tokens. What it computes with are the kernels that
// command assay judges.
//
// Exit status: 0, done; 1, the work was begun and not finished (diverged, a full disk); 2, it was not begun (usage, a text or checkpoint that
// cannot be read); 130, it was interrupted.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	exitDone        = 0
	exitUnfinished  = 1
	exitNotBegun    = 2
	exitInterrupted = 130 // as shells have it for SIGINT
)

// unfinished marks an error of work that had begun.
type unfinished struct{ error }

func (u unfinished) Unwrap() error { return u.error }

// begun marks err, where there is one, as an error of work that had begun.
func begun(err error) error {
	if err == nil {
		return nil
	}
	return unfinished{err}
}

// grace is how long work that is interrupted may take to end by itself.
const grace = 500 * time.Millisecond

// interruptible does work that leaves nothing behind which has to be kept whole. When ctx is done it ends, grace later at most: work that waits for
// input or computes without looking up is not waited for. An error about that says what of it is kept.
func interruptible(ctx context.Context, kept string, work func() error) (err error) {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(grace):
			err = context.Cause(ctx)
		}
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %s", err, kept)
	}
	return err
}

// newRoot returns the command with its subcommands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "gpt",
		Short: "Train a GPT, and have it continue text",
		Long: `gpt trains a GPT-style decoder on text, has it continue text, and shows how text becomes tokens. It computes with
the kernels that assay judges.

Exit status: 0 done; 1 the work was begun and not finished (diverged, a full disk); 2 it was not begun (usage, a
text or a checkpoint that cannot be read); 130 it was interrupted.`,
		Example: `  gpt train --minutes 5
  gpt generate --checkpoint gpt.safetensors --prompt "The Rays of Light"
  echo "Hello world" | gpt tokenize --tokenizer r50k`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fmt.Errorf("want a command\n\n%s", strings.TrimSpace(cmd.UsageString()))
		},
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("gpt {{.Version}}\n")
	root.AddCommand(trainCommand(), generateCommand(), tokenizeCommand(), versionCommand())
	return root
}

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "gpt:", err)
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, new(unfinished)):
		return exitUnfinished
	}
	return exitNotBegun
}

// version says which build this is: the version or the commit, and the Go that made it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	// Of a build in a clone, Go makes the version from the commit.
	return strings.Join([]string{cmp.Or(info.Main.Version, "(unknown)"), info.GoVersion, runtime.GOOS + "/" + runtime.GOARCH}, " ")
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  gpt version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "gpt", version())
			return begun(err)
		},
	}
}

// writeJSON prints v, indented, and a newline.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
