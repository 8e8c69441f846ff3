package checkout

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSubmodules compares commits of a repository whose submodule lib has a submodule deep. The commit before main has another commit of lib, and
// another of deep; that tagged none has no submodules.
func TestSubmodules(t *testing.T) {
	deep, lib, top := newCheckout(t, "deep=1"), newCheckout(t, "lib=1"), newCheckout(t, "top")
	top.git("tag", "none")
	lib.git("submodule", "--quiet", "add", "--name", "its/deep", deep.dir, "in/deep")
	lib.commit("deep")
	top.git("submodule", "--quiet", "add", lib.dir, "the lib")
	top.commit("lib")
	deep.write("deep=2")
	deep.commit("second")
	lib.write("lib=2")
	lib.git("-C", "in/deep", "pull", "--quiet")
	lib.commit("second")
	top.git("-C", "the lib", "pull", "--quiet")
	top.commit("second")
	for _, test := range []struct {
		name string
		f    func(c checkout)
	}{{"initialized", testSubmodules}, {"only in the base", testSubmoduleOfBase}, {"optional", testOptionalSubmodules}} {
		t.Run(test.name, func(t *testing.T) {
			c := checkout{t, filepath.Join(t.TempDir(), "clone")}
			c.git("clone", "--quiet", top.dir, ".")
			test.f(c)
		})
	}
}

// testSubmodules holds that they are in the base as its commit has them, without any network.
func testSubmodules(c checkout) {
	t := c.t
	open := func(base string) error {
		p, err := Open(t.Context(), Options{Dir: c.dir, Base: base, Temp: t.TempDir()})
		if err == nil {
			err = p.Close()
		}
		return err
	}
	if err := open("main~"); err == nil || !strings.Contains(err.Error(), "the lib is not checked out: ") {
		t.Fatalf("%v, want an error", err)
	}
	c.git("submodule", "--quiet", "update", "--init") // not in/deep
	c.remedy(open("main~"), false)
	for _, dir := range []string{".", "the lib", "the lib/in/deep"} {
		c.git("-C", dir, "remote", "set-url", "origin", "/nowhere")
	}
	linked := checkout{t, filepath.Join(t.TempDir(), "linked")}
	c.git("worktree", "add", "--quiet", "-b", "topic", linked.dir)
	linked.git("-c", "submodule.the lib.url="+filepath.Join(c.dir, "the lib"), "submodule", "--quiet", "update", "--init")
	linked.git("-C", "the lib", "-c", "submodule.its/deep.url="+filepath.Join(c.dir, "the lib", "in", "deep"), "submodule", "--quiet", "update", "--init")

	for _, c := range []checkout{c, linked} {
		before := files(t, c.dir)
		p := c.open(Options{Base: "main"})
		equal(t, "Changed of main", c.changed(p), nil)
		if strings.Contains(p.Head.Name, "changed") {
			t.Error(p.Head.Name)
		}
		c.write("the lib/new", "the lib/in/deep/deep=edited")
		if err := p.Unmoved(t.Context()); err == nil || !strings.Contains(err.Error(), ": the lib/in/deep/deep, the lib/new: ") {
			t.Errorf("Unmoved: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		c.remove("the lib/new")
		c.write("the lib/in/deep/deep=2")
		same(t, "the checkout", files(t, c.dir), before)

		c.write("the lib/new")
		before = files(t, c.dir)
		for _, head := range []string{"", "main"} {
			p = c.open(Options{Base: "main~", Head: head})
			want := []string{"the lib/in/deep/deep", "the lib/lib"}
			if head == "" {
				want = append(want, "the lib/new")
				if !strings.HasSuffix(p.Head.Name, " and 1 changed file") {
					t.Error(p.Head.Name)
				}
			}
			equal(t, "Changed of main~", c.changed(p), want)
			content := files(t, p.Base.Root)
			want = []string{".gitmodules", "the lib/.gitmodules", "the lib/in/deep/deep", "the lib/lib", "top"}
			equal(t, "the base's files", names(t, p.Base.Root), want)
			one := files(t, newCheckout(t, "one=1").dir)["one"]
			equal(t, "the base's submodules", []string{content["the lib/lib"], content["the lib/in/deep/deep"]}, []string{one, one})
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			same(t, "the checkout", files(t, c.dir), before)
		}
		p = c.open(Options{Base: "none"})
		equal(t, "Changed of a base without", c.changed(p), []string{".gitmodules", "the lib/.gitmodules", "the lib/in/deep/deep", "the lib/lib", "the lib/new"})
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}

	// a submodule is a checkout, too
	lib := checkout{t, filepath.Join(c.dir, "the lib")}
	p := lib.open(Options{Dir: filepath.Join(lib.dir, "in"), Base: "HEAD~"})
	equal(t, "Changed of the submodule", lib.changed(p), []string{"in/deep/deep", "lib", "new"})
	if err := p.Close(); err != nil {
		t.Error(err)
	}

	// what a killed process left in the submodules' git directories
	before := files(t, c.dir)
	kill(t, c, t.TempDir())
	during := files(t, c.dir)
	maps.DeleteFunc(during, func(path, _ string) bool {
		return !strings.Contains(path, "/modules/") || !strings.HasSuffix(path, "/gitdir")
	})
	if len(during) < 4 {
		t.Errorf("the killed process left the registrations %v in submodules", during)
	}
	if err := open("main~"); err != nil {
		t.Error(err)
	}
	same(t, "after a kill", files(t, c.dir), before)
}

// testSubmoduleOfBase holds that a submodule that only the base has is taken from the git directory that it left, or the remedy is named.
func testSubmoduleOfBase(c checkout) {
	t := c.t
	c.git("rm", "--quiet", "the lib")
	c.commit("without")
	opt := Options{Dir: c.dir, Base: "HEAD~", Temp: t.TempDir()}
	p, err := Open(t.Context(), opt)
	if err == nil {
		t.Fatal(p.Close())
	}
	c.remedy(err, false)
	for range 2 {
		before := files(t, c.dir)
		p = c.open(opt)
		equal(t, "the base's files", names(t, p.Base.Root), []string{".gitmodules", "the lib/.gitmodules", "the lib/in/deep/deep", "the lib/lib", "top"})
		equal(t, "Changed", c.changed(p), []string{".gitmodules", "the lib/.gitmodules", "the lib/in/deep/deep", "the lib/lib"})
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		same(t, "the checkout", files(t, c.dir), before)
		c.remove("the lib") // git checkout leaves it; its git directory remains
	}
}

// testOptionalSubmodules holds that those that git itself leaves alone are no reason to refuse.
func testOptionalSubmodules(c checkout) {
	t := c.t
	c.git("config", "--file", ".gitmodules", "submodule.the lib.update", "none")
	c.git("submodule", "--quiet", "update", "--init", "--recursive")
	if err := os.Mkdir(filepath.Join(c.dir, "stray"), 0o777); err != nil {
		t.Fatal(err)
	}
	c.git("update-index", "--add", "--cacheinfo", "160000,"+c.git("rev-parse", "HEAD")+",stray") // of which .gitmodules knows nothing
	c.commit("optional")
	c.write("top=2")
	p := c.open(Options{Base: "HEAD"})
	equal(t, "Changed", c.changed(p), []string{"top"})
}
