//go:build unix

package checkout

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCancel ends the context while git is in the middle of a worktree, in a filter that the user has configured and that would never end.
func TestCancel(t *testing.T) {
	c := newCheckout(t, ".gitattributes=file filter=slow", "file")
	started, never := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "never")
	for _, fifo := range []string{started, never} {
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.git("config", "filter.slow.smudge", "echo >"+started+"; cat "+never)
	before := files(t, c.dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	temp, done := t.TempDir(), make(chan error)
	go func() {
		p, err := Open(ctx, Options{Dir: c.dir, Base: "main", Temp: temp})
		if err == nil {
			err = p.Close()
		}
		done <- err
	}()
	f, err := os.Open(started) // until the filter opens it
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	registered(t, c, 1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	same(t, "the checkout", files(t, c.dir), before)
	if entries, err := os.ReadDir(temp); len(entries) != 0 || err != nil {
		t.Errorf("Temp has %v, %v", entries, err)
	}
	if _, err := os.OpenFile(never, os.O_WRONLY|syscall.O_NONBLOCK, 0); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("opening what the filter reads: %v, want %v: the filter is alive", err, syscall.ENXIO)
	}
}
