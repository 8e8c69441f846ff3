//go:build unix

package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

// TestRace holds that git is asked again where it failed on what a neighbour was doing.
func TestRace(t *testing.T) {
	for _, test := range []struct {
		message string
		ok      bool
	}{
		{"fatal: failed to read .git/worktrees/x/commondir: Success", true},
		{"fatal: could not create directory of '.git/worktrees/x': No such file or directory", true},
		{"fatal: no space left", false},
	} {
		c := newCheckout(t, "file")
		git, err := exec.LookPath("git")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *'worktree add'*) if mkdir '%s/failed' 2>/dev/null; then echo \"%s\" >&2; exit 128; fi;; esac\nexec %s \"$@\"\n",
			dir, test.message, git)
		if err := os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o777); err != nil {
			t.Fatal(err)
		}
		path := os.Getenv("PATH")
		t.Setenv("PATH", dir+":"+path)
		p, err := Open(t.Context(), Options{Dir: c.dir, Base: "main", Temp: t.TempDir()})
		if err == nil {
			err = p.Close()
		}
		if (err == nil) != test.ok {
			t.Errorf("after %s: %v", test.message, err)
		}
		t.Setenv("PATH", path)
	}
}
