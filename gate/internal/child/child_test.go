//go:build unix

package child

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"testing"
)

// TestMain is, when so asked, a process that starts another and waits for it: both hold standard output open.
func TestMain(m *testing.M) {
	if os.Getenv("ASSAY_CHILD") != "" {
		grandchild := exec.Command("sh", "-c", "echo ready; read line") // standard input never ends
		grandchild.Stdin, grandchild.Stdout = os.Stdin, os.Stdout
		if err := grandchild.Run(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestDescendants holds that the end of the context ends also what the command started: the other end of the pipe closes only when all who
// hold it are gone.
func TestDescendants(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := Command(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "ASSAY_CHILD=1")
	stdinRead, stdinWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdinWrite.Close()
	stdoutRead, stdoutWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdoutRead.Close()
	cmd.Stdin, cmd.Stdout = stdinRead, stdoutWrite
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdinRead.Close()
	stdoutWrite.Close()
	out := bufio.NewReader(stdoutRead)
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	cancel()
	if err := cmd.Wait(); err == nil {
		t.Error("Wait: no error of a command that was killed")
	}
	if rest, err := io.ReadAll(out); err != nil || len(rest) != 0 {
		t.Errorf("read %q, %v, want the end", rest, err)
	}
}
