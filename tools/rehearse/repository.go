package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// repository is a git repository of the rehearsal.
type repository string

// git runs a git command in it, whatever the user has configured, and returns what it printed.
func (r repository) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "user.name=rehearsal", "-c", "user.email=rehearsal@example.com", "-c", "commit.gpgsign=false",
		"-c", "init.defaultBranch=main", "-c", "core.autocrlf=false"}, args...)...)
	cmd.Dir = string(r)
	cmd.Env = append(clean(os.Environ()), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// all runs git commands, each given as its words with spaces between them, up to the first that fails.
func (r repository) all(ctx context.Context, commands ...string) error {
	for _, c := range commands {
		if _, err := r.git(ctx, strings.Fields(c)...); err != nil {
			return err
		}
	}
	return nil
}

// initialize makes the directory a repository.
func (r repository) initialize(ctx context.Context) error {
	if err := os.MkdirAll(string(r), 0o777); err != nil {
		return err
	}
	return r.all(ctx, "init --quiet")
}

// commit writes files, given as name and content in turn, and commits everything.
func (r repository) commit(ctx context.Context, files ...string) error {
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(string(r), files[i]), []byte(files[i+1]), 0o666); err != nil {
			return err
		}
	}
	return r.all(ctx, "add --all", "commit --quiet --allow-empty --message change")
}

// checkout makes dir what actions/checkout makes by default for a ref of r: one commit, of which HEAD is detached.
func (r repository) checkout(ctx context.Context, ref, dir string, more ...string) (repository, error) {
	c := repository(dir)
	if err := c.initialize(ctx); err != nil {
		return c, err
	}
	if len(more) == 0 {
		more = []string{"--depth=1", "--no-tags"}
	}
	commit, err := r.git(ctx, "rev-parse", ref)
	if err != nil {
		return c, err
	}
	fetch := append([]string{"fetch", "--quiet", "--no-recurse-submodules"}, more...)
	fetch = append(fetch, "origin", "+"+commit+":refs/remotes/pull/1/merge")
	if _, err := c.git(ctx, "remote", "add", "origin", "file://"+filepath.ToSlash(string(r))); err != nil {
		return c, err
	}
	if _, err := c.git(ctx, fetch...); err != nil {
		return c, err
	}
	return c, c.all(ctx, "checkout --quiet --force --detach refs/remotes/pull/1/merge")
}
