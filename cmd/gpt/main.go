// Command gpt trains a GPT on text, has it continue text, and shows how text becomes tokens. What it computes with are the kernels that
// command assay judges.
//
// Exit status: 0, done; 1, the work was begun and not finished (stopped, diverged, a full disk); 2, it was not begun (usage, a text or
// checkpoint that cannot be read).
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
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	exitDone       = 0
	exitUnfinished = 1
	exitNotBegun   = 2
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

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "gpt",
		Short: "Train a GPT, and have it continue text",
		Long: `gpt trains a GPT-style decoder on text, has it continue text, and shows how text becomes tokens. It computes with
the kernels that assay judges.

Exit status: 0 done; 1 the work was begun and not finished (stopped, diverged, a full disk); 2 it was not begun
(usage, a text or a checkpoint that cannot be read).`,
		Example: `  gpt train --minutes 5
  gpt generate --checkpoint gpt.safetensors --prompt "The Rays of Light"
  echo "Hello world" | gpt tokenize --tokenizer r50k`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(trainCommand(), generateCommand(), tokenizeCommand())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "gpt:", err)
	if errors.As(err, new(unfinished)) {
		return exitUnfinished
	}
	return exitNotBegun
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
