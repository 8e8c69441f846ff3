package checkout

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// holdPair opens the pair that the environment names, says so, and waits until it is killed.
func holdPair() {
	p, err := Open(context.Background(), Options{Dir: os.Getenv("ASSAY_CHECKOUT"), Base: "main", Head: "main", Temp: os.Getenv("ASSAY_CHECKOUT_TEMP")})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.Base.Root)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(2) // unclosed
}

// kill opens a pair in another process, kills it, and returns the temporary directory that it left.
func kill(t *testing.T, c checkout, temp string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ASSAY_CHECKOUT="+c.dir, "ASSAY_CHECKOUT_TEMP="+temp)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Dir(line)
	if _, err := os.Stat(left); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process was not killed")
	}
	if _, err := os.Stat(left); err != nil {
		t.Fatalf("the killed process has cleaned up: %v", err)
	}
	return left
}

func gone(t *testing.T, path string, want bool) {
	t.Helper()
	if _, err := os.Lstat(path); os.IsNotExist(err) != want {
		t.Errorf("%s: %v, want it gone: %v", path, err, want)
	}
}

func registered(t *testing.T, c checkout, want int) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.dir, ".git", "worktrees"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if len(entries) != want {
		t.Errorf("%s has the registrations %v, want %d", c.dir, entries, want)
	}
}

// TestKilled holds that what a killed process left is removed by the next Open, for another repository too, and nothing else is.
func TestKilled(t *testing.T) {
	c, other := newCheckout(t, "file"), newCheckout(t, "file")
	before := files(t, c.dir)
	temp := t.TempDir()
	dead := kill(t, c, temp)
	registered(t, c, 2)

	foreign := []string{
		"assay-gate-notes/file", "assay-gate-234567abcdef/file", "assay-gate-bbbbbbbbbbbb", "other/owner", "assay-gate-cccccccccccc2/owner",
	}
	checkout{t, temp}.write(foreign...)
	user := checkout{t, filepath.Join(temp, "assay-gate-of-mine")}
	other.git("worktree", "add", "--quiet", "--detach", user.dir)
	gonePath := filepath.Join(t.TempDir(), "gone")
	other.git("worktree", "add", "--quiet", "--detach", gonePath) // to be pruned by its user, not by us
	if err := os.RemoveAll(gonePath); err != nil {
		t.Fatal(err)
	}
	unlocked := filepath.Join(temp, prefix+"dddddddddddd") // its process died before it had made its lock
	if err := os.Mkdir(unlocked, 0o700); err != nil {
		t.Fatal(err)
	}
	checkout{t, temp}.write(prefix + "eeeeeeeeeeee/" + prefix + "eeeeeeeeeeee-base/file") // its git outlived the sweep

	live := other.open(Options{Base: "main", Head: "main", Temp: temp})
	gone(t, dead, true)
	gone(t, unlocked, true)
	gone(t, filepath.Join(temp, prefix+"eeeeeeeeeeee"), true)
	registered(t, c, 0)
	same(t, "the dead process's checkout", files(t, c.dir), before)
	for _, name := range foreign {
		gone(t, filepath.Join(temp, filepath.FromSlash(name)), false)
	}
	gone(t, user.dir, false)
	registered(t, other, 4)

	second := other.open(Options{Base: "main", Temp: temp})
	if len(second.Notes) != 0 {
		t.Errorf("notes %q", second.Notes)
	}
	for _, s := range []Side{live.Base, live.Head} {
		equal(t, "a live neighbour's files", names(t, s.Root), []string{"file"})
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	registered(t, other, 4)
	if changed := other.changed(live); len(changed) != 0 {
		t.Errorf("a live neighbour has changed: %q", changed)
	}
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	registered(t, other, 2)
	user.git("status")
}

// TestKilledElsewhere holds that a dead process's registrations are removed also if its temporary directory lies elsewhere, or is gone.
func TestKilledElsewhere(t *testing.T) {
	c := newCheckout(t, "file")
	before := files(t, c.dir)
	dead := kill(t, c, t.TempDir())
	begun := filepath.Join(c.dir, ".git", "worktrees", filepath.Base(dead)+"-more") // git was killed before it wrote where the worktree is
	if err := os.Mkdir(begun, 0o777); err != nil {
		t.Fatal(err)
	}
	live := c.open(Options{Base: "main"})
	gone(t, dead, true)
	registered(t, c, 1)

	dead = kill(t, c, t.TempDir())
	if err := os.RemoveAll(dead); err != nil {
		t.Fatal(err)
	}
	registered(t, c, 3)
	second := c.open(Options{Base: "main"})
	registered(t, c, 2)
	for _, p := range []*Pair{second, live} {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "the checkout", files(t, c.dir), before)
}

// TestRemoveAll removes a directory to which another still writes.
func TestRemoveAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	begun := make(chan bool, 1)
	for w := range 4 {
		writer.Go(func() {
			for i := range 5000 {
				f, err := os.Create(filepath.Join(dir, fmt.Sprint(w, i)))
				if err != nil {
					break // the directory is gone
				}
				f.Close()
				if w == 0 && i == 100 {
					begun <- true
				}
			}
		})
	}
	<-begun
	if err := removeAll(dir); err != nil {
		t.Error(err)
	}
	writer.Wait()
	gone(t, dir, true)
}

// TestNeighbors opens and closes pairs of one repository at once.
func TestNeighbors(t *testing.T) {
	c := newCheckout(t, "file")
	before := files(t, c.dir)
	temp := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 4 {
				p, err := Open(t.Context(), Options{Dir: c.dir, Base: "main", Temp: temp})
				if err != nil {
					t.Error(err)
					return
				}
				if len(p.Notes) != 0 {
					t.Errorf("notes %q", p.Notes)
				}
				if changed, err := p.Changed(t.Context()); err != nil || len(changed) != 0 {
					t.Errorf("changed %q, %v", changed, err)
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	same(t, "the checkout", files(t, c.dir), before)
	equal(t, "what is left", names(t, temp), nil)
}
