// Package child makes commands that end, with everything that they started, when their context does.
package child

import (
	"context"
	"os/exec"
	"time"
)

// Command returns exec.CommandContext(ctx, name, arg...) as a command that is killed with its descendants: on unix as a process group of its
// own, which a terminal's Ctrl-C does not reach, so that only ctx ends it; elsewhere the process alone, whose pipes are then closed.
//
// It is killed outright and cleans nothing up: what it may leave belongs into a directory that the caller removes.
func Command(ctx context.Context, name string, arg ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, arg...)
	cmd.WaitDelay = 2 * time.Second // for a descendant that holds a pipe open
	isolate(cmd)
	return cmd
}

// Run runs cmd, which Command returned, and then kills what it left behind.
func Run(cmd *exec.Cmd) error {
	err := cmd.Run()
	if cmd.Process != nil {
		_ = kill(cmd) // usually nothing is left
	}
	return err
}
