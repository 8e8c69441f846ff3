package checkout

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestCheckout compares the checkout as it is, in every state of a file, with the base, and holds that nothing of the user's changes.
func TestCheckout(t *testing.T) {
	c := newCheckout(t, "keep", "edit", "edit and stage", "delete", "delete and stage", "move=some content", "sub/module/in", "touch", "back=1",
		"line\nfeed", "line\nfeed too", "ä ö\t\"quoted\"", "becomes/directory", "forget", ".gitignore=*.ignored\n")
	c.git("branch", "old")
	c.write("back=2", "committed")
	c.commit("second")
	c.git("tag", "v1")
	c.write("stashed")
	c.git("stash", "--quiet", "--include-untracked")
	c.write("edit=changed", "edit and stage=changed", "untracked", "sub/module/untracked too", "line\nfeed=changed", "new\nline feed", "x.ignored", "staged.ignored", "back=1")
	c.git("add", "edit and stage")
	c.git("add", "--force", "staged.ignored")
	c.remove("delete")
	c.git("rm", "--quiet", "delete and stage")
	c.git("mv", "move", "moved")
	c.git("rm", "--quiet", "--cached", "forget")
	c.remove("becomes")
	c.write("becomes", "touch")
	c.git("init", "--quiet", "another repository") // untracked, with files of its own
	c.write("another repository/file")
	checkout{t, filepath.Join(c.dir, "another repository")}.commit("first")
	want := []string{"becomes", "becomes/directory", "committed", "delete", "delete and stage", "edit", "edit and stage", "line\nfeed", "move", "moved",
		"new\nline feed", "staged.ignored", "sub/module/untracked too", "untracked"}

	before := files(t, c.dir)
	temp := t.TempDir()
	p := c.open(Options{Dir: filepath.Join(c.dir, "sub", "module"), Base: "old", Temp: temp})
	equal(t, "Changed", c.changed(p), want)
	if err := p.Unmoved(t.Context()); err != nil {
		t.Error(err)
	}
	// back is old's but not HEAD's, committed is HEAD's but not old's
	if want := "checkout " + c.git("rev-parse", "--short", "v1") + " and 14 changed files"; p.Head.Name != want {
		t.Errorf("Head.Name is %q, want %q", p.Head.Name, want)
	}
	if want := "old " + c.git("rev-parse", "--short", "old"); p.Base.Name != want {
		t.Errorf("Base.Name is %q, want %q", p.Base.Name, want)
	}
	equal(t, "commits", []string{p.Base.Commit, p.Head.Commit}, []string{c.git("rev-parse", "old"), c.git("rev-parse", "v1")})
	equal(t, "the base's files", names(t, p.Base.Root), strings.Split(strings.TrimSuffix(c.git("ls-tree", "-r", "-z", "--name-only", "old"), "\x00"), "\x00"))
	for _, s := range []Side{p.Base, p.Head} {
		equal(t, "the module's file", names(t, s.Dir)[:1], []string{"in"})
	}
	if err := os.WriteFile(filepath.Join(p.Temp, "binary"), nil, 0o777); err != nil {
		t.Error(err)
	}

	during := files(t, c.dir)
	maps.DeleteFunc(during, func(path, _ string) bool { return strings.HasPrefix(path, ".git/worktrees") })
	same(t, "while the pair is open", during, before)
	if runtime.GOOS != "windows" { // a benchmark may leave a directory without write permission
		left := filepath.Join(p.Base.Dir, "left", "over")
		if err := os.MkdirAll(left, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{left, filepath.Dir(left)} {
			if err := os.Chmod(dir, 0o500); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	same(t, "after Close", files(t, c.dir), before)
	equal(t, "what is left in Temp", names(t, temp), nil)
	if entries, err := os.ReadDir(temp); len(entries) != 0 || err != nil {
		t.Errorf("Temp has %v, %v", entries, err)
	}
}

// TestLocated holds that the directory says which repository is meant, wherever git's variables point, as they do in a hook; and that a linked
// worktree of the user's is a checkout like any.
func TestLocated(t *testing.T) {
	c, other := newCheckout(t, "file"), newCheckout(t, "another")
	linked := checkout{t, filepath.Join(t.TempDir(), "linked")}
	c.git("worktree", "add", "--quiet", "-b", "topic", linked.dir)
	linked.write("file=changed", "added", ".gitignore=*.pb.go\ngo.work\nvendor\n*.o\n", "x.o", "vendor/modules.txt", "sub/x.pb.go", "go.work")
	before, beforeLinked := files(t, c.dir), files(t, linked.dir)
	for name, value := range map[string]string{
		"GIT_DIR": filepath.Join(other.dir, ".git"), "GIT_WORK_TREE": other.dir, "GIT_INDEX_FILE": filepath.Join(other.dir, "another"),
		"GIT_PREFIX": "x/", "GIT_OBJECT_DIRECTORY": filepath.Join(other.dir, ".git", "objects"), "GIT_COMMON_DIR": filepath.Join(other.dir, ".git"),
		"GIT_LITERAL_PATHSPECS": "1",
	} {
		t.Setenv(name, value)
	}
	p := linked.open(Options{Base: "main"})
	equal(t, "Changed", linked.changed(p), []string{".gitignore", "added", "file"})
	equal(t, "Notes", p.Notes, []string{"files that git ignores are in the checkout but not in the base: go.work, sub/x.pb.go, vendor/modules.txt"})
	equal(t, "the base's files", names(t, p.Base.Root), []string{"file"})
	if err := p.Unmoved(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	same(t, "the main working tree", files(t, c.dir), before)
	same(t, "the linked working tree", files(t, linked.dir), beforeLinked)
}

// TestTimes holds that a change is seen that only the contents show, because it was made at the time of the index.
func TestTimes(t *testing.T) {
	c := newCheckout(t)
	then := time.Now().Add(-time.Hour).Truncate(time.Second)
	set := func(name string) {
		if err := os.Chtimes(filepath.Join(c.dir, name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	c.git("config", "core.trustCtime", "false")
	c.git("config", "core.checkStat", "minimal")
	c.write("file=1")
	set("file")
	c.commit("second")
	set(".git/index")
	c.write("file=2")
	set("file")
	equal(t, "Changed", c.changed(c.open(Options{Base: "main"})), []string{"file"})
}

// TestHead compares two commits, whatever the checkout holds.
func TestHead(t *testing.T) {
	c := newCheckout(t, "both", "old")
	c.git("checkout", "--quiet", "-b", "topic")
	c.write("new")
	c.git("mv", "old", "renamed")
	c.commit("topic")
	c.git("checkout", "--quiet", "main")
	c.write("on main")
	c.commit("main moves on")
	c.write("both=uncommitted", "untracked")
	p := c.open(Options{Base: "main", Head: "topic"})
	equal(t, "Changed", c.changed(p), []string{"new", "old", "renamed"})
	equal(t, "the head's files", names(t, p.Head.Root), []string{"both", "new", "renamed"})
	equal(t, "names", []string{p.Base.Name, p.Head.Name},
		[]string{"merge base " + c.git("rev-parse", "--short", "main~") + " of main", "topic " + c.git("rev-parse", "--short", "topic")})
	if err := os.WriteFile(filepath.Join(p.Head.Root, "both"), []byte("edited"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := p.Unmoved(t.Context()); err == nil {
		t.Error("Unmoved does not notice an edit of the head's worktree")
	}
	hash := c.git("rev-parse", "topic")
	if p := c.open(Options{Base: hash, Head: hash}); p.Base.Name != c.git("rev-parse", "--short", hash) || len(c.changed(p)) != 0 {
		t.Errorf("a commit beside itself: %q, %q", p.Base.Name, c.changed(p))
	}
}

// TestMergeBases holds that the choice among several is said.
func TestMergeBases(t *testing.T) {
	c := newCheckout(t, "file")
	c.git("branch", "topic")
	c.commit("main 1")
	c.git("checkout", "--quiet", "topic")
	c.commit("topic 1")
	c.git("branch", "topic1")
	c.git("merge", "--quiet", "--no-edit", "main")
	c.git("checkout", "--quiet", "main")
	if p := c.open(Options{Base: "topic"}); len(p.Notes) != 0 {
		t.Errorf("notes %q, want none", p.Notes)
	}
	c.git("merge", "--quiet", "--no-ff", "--no-edit", "topic1")
	c.commit("main 2")
	if p := c.open(Options{Base: "topic"}); len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "2 merge bases") {
		t.Errorf("notes %q, want one of 2 merge bases", p.Notes)
	}
}

func TestUnmoved(t *testing.T) {
	for _, test := range []struct {
		name  string
		do    func(c checkout)
		moved string // in the error; "" means that there is none
	}{
		{"nothing", func(checkout) {}, ""},
		{"commit", func(c checkout) { c.commit("the same files") }, ""},
		{"stage", func(c checkout) { c.git("add", "--all") }, ""},
		{"written again", func(c checkout) { c.write("a", "dirty=1") }, ""},
		{"ignored", func(c checkout) { c.write("b.ignored") }, ""},
		{"stage what is ignored", func(c checkout) { c.git("add", "--force", "a.ignored") }, ""},
		{"edit of the same length", func(c checkout) { c.write("a=b") }, ": a: "},
		{"edit what was dirty", func(c checkout) { c.write("dirty=2") }, ": dirty: "},
		{"edit what was untracked", func(c checkout) { c.write("untracked=2") }, ": untracked: "},
		{"new", func(c checkout) { c.write("b", "d/c") }, ": b, d/c: "},
		{"delete", func(c checkout) { c.remove("a"); c.remove("untracked") }, ": a, untracked: "},
		{"stash", func(c checkout) { c.git("stash") }, ": dirty: "},
		{"reset", func(c checkout) { c.git("reset", "--hard") }, ": dirty: "},
		{"another commit", func(c checkout) { c.git("checkout", "--quiet", "HEAD~") }, ": a: "},
		{"many", func(c checkout) { c.write("1", "2", "3", "4", "5", "6", "7") }, ": 1, 2, 3, 4, 5 and 2 more: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t, "a=0", "dirty", ".gitignore=*.ignored")
			c.write("a")
			c.commit("second")
			c.write("dirty=1", "untracked", "a.ignored")
			p := c.open(Options{Base: "HEAD"})
			test.do(c)
			switch err := p.Unmoved(t.Context()); {
			case test.moved == "" && err != nil:
				t.Error(err)
			case test.moved != "" && (err == nil || !strings.Contains(err.Error(), test.moved)):
				t.Errorf("%v, want an error with %q", err, test.moved)
			}
		})
	}
}

// TestHooks holds that none runs, and no program that git asks about changes.
func TestHooks(t *testing.T) {
	c := newCheckout(t, "file")
	ran := filepath.Join(t.TempDir(), "ran")
	hooks := filepath.Join(t.TempDir(), "hooks")
	script := fmt.Sprintf("#!/bin/sh\necho $0 >>'%s'\n", ran)
	for _, name := range []string{"post-checkout", "post-index-change", "reference-transaction", "fsmonitor"} {
		for _, dir := range []string{hooks, filepath.Join(c.dir, ".git", "hooks")} {
			if err := os.MkdirAll(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, path := range []string{"", hooks} {
		if path != "" {
			c.git("config", "core.hooksPath", path)
			c.git("config", "core.fsmonitor", filepath.Join(path, "fsmonitor"))
		}
		c.git("checkout", "--quiet", "-B", "topic") // the hooks work
		if err := os.Remove(ran); err != nil {
			t.Fatal(err)
		}
		c.write("file="+path, "untracked")
		p := c.open(Options{Base: "main", Head: ""})
		c.changed(p)
		if err := p.Unmoved(t.Context()); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if log, err := os.ReadFile(ran); err == nil {
			t.Errorf("with core.hooksPath=%q these ran:\n%s", path, log)
		}
	}
}
