package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// stopWithin is how long an interrupted command has to end by itself.
const stopWithin = 500 * time.Millisecond

// stoppable returns a command's RunE that ends soon after an interrupt whatever run does then: a kernel cannot be stopped, only left behind.
// kept says what of the command's work stays.
func stoppable(kept string, run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		out := &valve{w: cmd.OutOrStdout()}
		cmd.SetOut(out)
		ctx, done := cmd.Context(), make(chan error, 1)
		go func() { done <- run(cmd, args) }()
		var err error
		select {
		case err = <-done:
		case <-ctx.Done():
			select {
			case err = <-done:
			case <-time.After(stopWithin):
				out.close()
				err = ctx.Err()
			}
		}
		if err != nil && !errors.Is(err, errVerdict) && ctx.Err() != nil {
			return fmt.Errorf("interrupted: %s", kept)
		}
		return err
	}
}

// valve is a writer that can be closed under whoever writes to it.
type valve struct {
	mu     sync.Mutex
	w      io.Writer
	closed bool
}

func (v *valve) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return 0, io.ErrClosedPipe
	}
	return v.w.Write(p)
}

func (v *valve) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
}
