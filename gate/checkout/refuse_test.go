package checkout

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestRefusals holds that each is said with its remedy, and leaves nothing.
func TestRefusals(t *testing.T) {
	fakeGit := func(t *testing.T, script string) {
		if runtime.GOOS == "windows" {
			t.Skip("the stand-in for git is a shell script")
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\n"+script), 0o777); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir)
	}
	for _, test := range []struct {
		name  string
		setup func(t *testing.T, c checkout, opt *Options)
		want  string // regular expression
	}{
		{"no git", func(t *testing.T, c checkout, _ *Options) { t.Setenv("PATH", t.TempDir()) }, `^git is not on PATH: install git 2\.25 or newer$`},
		{"old git", func(t *testing.T, c checkout, _ *Options) { fakeGit(t, "echo git version 2.9.5") }, `^git is version 2\.9: install 2\.25 or newer$`},
		{"strange git", func(t *testing.T, c checkout, _ *Options) { fakeGit(t, "echo hello") }, `printed "hello": put git 2\.25 or newer on PATH$`},
		{"no directory", func(t *testing.T, c checkout, opt *Options) { opt.Dir = filepath.Join(c.dir, "absent") }, `absent: `},
		{"a file", func(t *testing.T, c checkout, opt *Options) { opt.Dir = filepath.Join(c.dir, "file") }, `file is not a directory$`},
		{"no repository", func(t *testing.T, c checkout, opt *Options) { opt.Dir = t.TempDir() }, `is not in a git repository: start in the checkout of one$`},
		{"git directory", func(t *testing.T, c checkout, opt *Options) { opt.Dir = filepath.Join(c.dir, ".git") }, `no files to build: start in a checkout`},
		{"bare", func(t *testing.T, c checkout, opt *Options) {
			opt.Dir = t.TempDir()
			checkout{t, opt.Dir}.git("init", "--bare")
		}, `no files to build: start in a checkout`},
		{"unborn", func(t *testing.T, c checkout, _ *Options) { c.git("checkout", "--quiet", "--orphan", "new") }, `branch without a commit: commit something`},
		{"no base", func(t *testing.T, c checkout, opt *Options) { opt.Base = "" }, `^the base is "": name a commit, such as main`},
		{"an option as base", func(t *testing.T, c checkout, opt *Options) { opt.Base = "--all" }, `^the base is "--all": name a commit`},
		{"an option as head", func(t *testing.T, c checkout, opt *Options) { opt.Head = "-x" }, `^the head is "-x": name a commit`},
		{"a file as base", func(t *testing.T, c checkout, opt *Options) { opt.Base = "main:file" }, `^base main:file is no commit here: git branch --all`},
		{"a range as base", func(t *testing.T, c checkout, opt *Options) { opt.Base = "main..main" }, `^base main..main is no commit here: `},
		{"unknown base", func(t *testing.T, c checkout, opt *Options) { opt.Base = "develop" }, `^base develop is no commit here: git branch --all and git tag list`},
		{"unknown head", func(t *testing.T, c checkout, opt *Options) { opt.Head = "develop" }, `^head develop is no commit here: git branch --all and git tag list`},
		{"only at the remote", func(t *testing.T, c checkout, opt *Options) {
			c.git("remote", "add", "upstream", c.dir)
			opt.Base = "upstream/develop"
		}, `^base upstream/develop is no commit here: git fetch upstream develop:refs/remotes/upstream/develop, and name upstream/develop$`},
		{"known of the remote", func(t *testing.T, c checkout, opt *Options) {
			c.git("remote", "add", "origin", c.dir)
			c.git("update-ref", "refs/remotes/origin/develop", "main")
			opt.Base = "develop"
		}, `^base develop is no commit here, but origin/develop is: name that$`},
		{"unknown hash", func(t *testing.T, c checkout, opt *Options) {
			c.git("remote", "add", "origin", c.dir)
			opt.Base = strings.Repeat("12", 20)
		}, `^base 12*.* is no commit here: git fetch origin 1212.*12$`},
		{"unrelated", func(t *testing.T, c checkout, opt *Options) {
			c.git("checkout", "--quiet", "--orphan", "new")
			c.commit("another first")
		}, `^main and the checkout have no common history: name a base from which`},
		{"conflicts", func(t *testing.T, c checkout, _ *Options) {
			c.git("checkout", "--quiet", "-b", "topic")
			c.write("file=topic")
			c.commit("topic")
			c.git("checkout", "--quiet", "main")
			c.write("file=main")
			c.commit("main")
			c.git("merge", "--quiet", "--strategy=ours", "topic")
			c.git("reset", "--quiet", "--hard", "HEAD^")
			c.git("read-tree", "-m", "main^", "main", "topic")
		}, `^the checkout has conflicts in file: resolve and git add them, or undo the merge \(git merge --abort`},
		{"no such directory in the base", func(t *testing.T, c checkout, opt *Options) {
			c.write("new/file")
			opt.Dir = filepath.Join(c.dir, "new")
		}, `^main \w+ has no directory new, so there is nothing to compare: `},
		{"temporary directory in the checkout", func(t *testing.T, c checkout, opt *Options) { opt.Temp = c.dir }, `is inside the checkout .*: set TMPDIR to one outside$`},
		{"no temporary directory", func(t *testing.T, c checkout, opt *Options) { opt.Temp = filepath.Join(c.dir, "absent") }, `absent: `},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCheckout(t, "file")
			opt := Options{Dir: c.dir, Base: "main", Temp: t.TempDir()}
			temp := opt.Temp
			test.setup(t, c, &opt)
			before := files(t, c.dir)
			p, err := Open(t.Context(), opt)
			if err == nil {
				t.Error(p.Close())
				t.Fatalf("no error, want %s", test.want)
			}
			if !regexp.MustCompile(test.want).MatchString(err.Error()) {
				t.Errorf("%v, want %s", err, test.want)
			}
			same(t, "the checkout", files(t, c.dir), before)
			if entries, err := os.ReadDir(temp); len(entries) != 0 || err != nil {
				t.Errorf("Temp has %v, %v", entries, err)
			}
		})
	}
}

// remedy follows the remedy in err, which is the last git command in it, or the first if first.
func (c checkout) remedy(err error, first bool) {
	c.t.Helper()
	if err == nil {
		c.t.Fatal("no error, want one with a remedy")
	}
	c.t.Log(err)
	commands := regexp.MustCompile(`git [a-z][^,]*`).FindAllString(err.Error(), -1)
	if len(commands) == 0 {
		c.t.Fatal("no remedy")
	}
	command := commands[len(commands)-1]
	if first {
		command = commands[0]
	}
	for part := range strings.SplitSeq(command, " && ") {
		c.git(strings.Fields(part)[1:]...)
	}
}

// TestShallow follows the remedies from a clone of depth 1 of a topic branch, as a CI makes it, until the base is there.
func TestShallow(t *testing.T) {
	origin := newCheckout(t, "file", "sub/file")
	origin.commit("second")
	base := origin.git("rev-parse", "main")
	origin.git("checkout", "--quiet", "-b", "topic")
	origin.write("added")
	origin.commit("topic")
	origin.commit("more")
	origin.git("checkout", "--quiet", "main")
	origin.commit("third")
	c := checkout{t, t.TempDir()}
	c.git("clone", "--quiet", "--depth=1", "--branch=topic", "file://"+filepath.ToSlash(origin.dir), ".")
	temp := t.TempDir()
	open := func(base string) error {
		p, err := Open(t.Context(), Options{Dir: c.dir, Base: base, Temp: temp})
		if err == nil {
			err = p.Close()
		}
		return err
	}
	if err := open("topic~2"); err == nil || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Errorf("topic~2: %v, want git fetch --unshallow", err)
	}
	c.remedy(open("main"), true)
	if err := open("main"); err == nil || !strings.Contains(err.Error(), "origin/main is: name that") {
		t.Errorf("main: %v, want origin/main named", err)
	}
	c.remedy(open("origin/main"), true)
	p := c.open(Options{Base: "origin/main"})
	equal(t, "merge base", []string{p.Base.Commit}, []string{base})
	equal(t, "Changed", c.changed(p), []string{"added"})
}

// TestShallowMerge holds that a common ancestor is not taken for the merge base where commits between have lost their parents.
func TestShallowMerge(t *testing.T) {
	origin := newCheckout(t, "file")
	var commits []string // first, second, ...
	for i := range 4 {
		origin.commit(fmt.Sprint(i))
		commits = append(commits, origin.git("rev-parse", "HEAD"))
	}
	origin.git("checkout", "--quiet", "-b", "topic", commits[0])
	origin.commit("topic")
	origin.git("merge", "--quiet", "--no-edit", commits[2])
	c := checkout{t, t.TempDir()}
	c.git("clone", "--quiet", "--no-single-branch", "file://"+filepath.ToSlash(origin.dir), ".")
	// what a fetch of some depth can leave: topic's own side to its root, of the merged side the first commit alone
	if err := os.WriteFile(filepath.Join(c.dir, ".git", "shallow"), []byte(commits[2]+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	p := c.open(Options{Base: "origin/main"}) // the merged commit is in both
	equal(t, "merge base", []string{p.Base.Commit}, commits[2:3])

	tip := origin.git("rev-parse", "topic")
	c.git("replace", "--graft", origin.git("rev-parse", "main"), commits[0]) // main's way to it is another
	if err := os.WriteFile(filepath.Join(c.dir, ".git", "shallow"), []byte(commits[2]+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), Options{Dir: c.dir, Base: "origin/main", Head: tip, Temp: t.TempDir()})
	if err == nil {
		t.Error(p.Close())
		t.Fatalf("the base is %s, although %s has lost its parents", p.Base.Commit, commits[2])
	}
	if !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Error(err)
	}
}
