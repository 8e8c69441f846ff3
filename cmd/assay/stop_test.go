package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
)

// interrupted runs the command with a context that is done, or ends while it runs.
func interrupted(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = execute(ctx, args, &out, &errs)
	return out.String(), errs.String(), code
}

// Every command, interrupted, says what is kept, and its status says that it was interrupted.
func TestInterrupted(t *testing.T) {
	in := written(t, map[string]op.Tensor{"x": op.New(op.F32, 4)})
	for _, c := range []struct {
		args []string
		kept string
	}{
		{[]string{"check"}, "nothing is kept"},
		{[]string{"mutants"}, "nothing is kept"},
		{[]string{"run", "relu", "--in", in, "--out", filepath.Join(t.TempDir(), "y")}, "nothing is written"},
		{[]string{"bench", "--workload", "model=tiny"}, "the results that are printed hold"},
		{[]string{"vectors", "export", filepath.Join(t.TempDir(), "vectors")}, "the same command completes what is written"},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, stderr, code := interrupted(ctx, c.args...)
			require.Equal(t, exitInterrupted, code, stderr)
			require.Equal(t, "assay: interrupted: "+c.kept+"\n", stderr)
			_, stderr, code = interrupted(ctx, append(c.args, "--json")...)
			if c.args[0] == "check" || c.args[0] == "mutants" || c.args[0] == "run" {
				var object struct {
					Error  string
					Status int
				}
				require.NoError(t, json.Unmarshal([]byte(stderr), &object), stderr)
				require.Equal(t, exitInterrupted, object.Status)
				require.Equal(t, exitInterrupted, code)
				require.Contains(t, object.Error, c.kept)
			}
		})
	}
}

// A kernel that does not return is left behind, and so is what it would print.
func TestStoppableLeavesAKernelBehind(t *testing.T) {
	release, printed := make(chan struct{}), make(chan error, 1)
	var out bytes.Buffer
	cmd := &cobra.Command{SilenceUsage: true, SilenceErrors: true, RunE: stoppable("nothing is kept", func(cmd *cobra.Command, _ []string) error {
		_, err := io.WriteString(cmd.OutOrStdout(), "before\n")
		<-release
		_, late := io.WriteString(cmd.OutOrStdout(), "after\n")
		printed <- late
		return err
	})}
	cmd.SetArgs(nil)
	cmd.SetOut(&out)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := cmd.ExecuteContext(ctx)
	require.EqualError(t, err, "interrupted: nothing is kept")
	close(release)
	require.ErrorIs(t, <-printed, io.ErrClosedPipe)
	require.Equal(t, "before\n", out.String())
	require.False(t, strings.Contains(out.String(), "after"))
}
