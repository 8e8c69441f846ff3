package checkout

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	run := func(arg ...string) {
		cmd := exec.Command("git", arg...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", arg, err, out)
		}
	}
	run("init", "-q", "-b", "main")
	os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o666)
	run("add", ".")
	run("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a")
	os.WriteFile(filepath.Join(dir, "a"), []byte("b"), 0o666)
	os.WriteFile(filepath.Join(dir, "b\n"), []byte("b"), 0o666)
	p, err := Open(t.Context(), Options{Dir: dir, Base: "main", Temp: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(p.Base, p.Head)
	changed, err := p.Changed(t.Context())
	if err != nil || !slices.Equal(changed, []string{"a", "b\n"}) {
		t.Fatal(changed, err)
	}
	if err := p.Unmoved(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
