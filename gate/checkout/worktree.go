package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// worktree makes a worktree of commit at dir, with the commit's submodules as worktrees of the repositories that from has of them: nothing is
// fetched. name is what people call the commit.
func (t *temporary) worktree(ctx context.Context, from repository, commit, dir, name string) error {
	own, common, err := from.gitDir(ctx)
	if err != nil {
		return err
	}
	if err := sweepRegistrations(common); err != nil {
		return err
	}
	if err := t.record(common); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		_, err := from.git(ctx, "worktree", "add", "--detach", dir, commit)
		if err == nil {
			break
		}
		if attempt == attempts || !isRace(err) {
			return err
		}
	}
	entries, err := repository{dir: dir}.tree(ctx, commit)
	if err != nil {
		return err
	}
	links, err := from.links(ctx, entries, commit)
	if err != nil {
		return err
	}
	for path, link := range links {
		sub := repository{dir: filepath.Join(from.dir, filepath.FromSlash(path))}
		if from.bare || !isCheckedOut(sub.dir) {
			sub = repository{dir: filepath.Join(own, "modules", filepath.FromSlash(link.name)), bare: true}
		}
		held := false
		if sub.bare && !isGitDir(sub.dir) {
			if link.optional {
				continue
			}
		} else if held, err = sub.holds(ctx, link.hash); err != nil {
			return err
		}
		if !held {
			return fmt.Errorf("%s needs commit %s of the submodule %s, which is not here: git checkout %s && git submodule update --init --recursive && git checkout -",
				name, link.hash, path, commit)
		}
		if err := t.worktree(ctx, sub, link.hash, filepath.Join(dir, filepath.FromSlash(path)), name); err != nil {
			return err
		}
	}
	return nil
}

// attempts is how often git is asked for a worktree. It reads all registrations, and fails on one that another process is making (commondir) and
// when another has just removed the last (could not create).
const attempts = 20

func isRace(err error) bool {
	failed := (*gitError)(nil)
	return errors.As(err, &failed) && (strings.Contains(failed.stderr, "commondir") || strings.Contains(failed.stderr, "could not create directory of"))
}

// isGitDir returns whether dir is a git directory: git would find a repository above any other directory.
func isGitDir(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "HEAD"))
	return err == nil
}

// link is a submodule of a commit.
type link struct {
	hash     string
	name     string // in .gitmodules
	optional bool   // git submodule update --init leaves it alone
}

// links returns the submodules among entries, by path. commit, or "" for the working tree, is where .gitmodules is read.
func (r repository) links(ctx context.Context, entries []entry, commit string) (map[string]link, error) {
	links := map[string]link{}
	for _, e := range entries {
		if e.mode == gitlink {
			links[e.path] = link{hash: e.hash, optional: true}
		}
	}
	if len(links) == 0 {
		return nil, nil
	}
	source := "--file=" + filepath.Join(r.dir, ".gitmodules")
	if commit != "" {
		source = "--blob=" + commit + ":.gitmodules"
	}
	out, err := r.git(ctx, "config", source, "-z", "--get-regexp", `^submodule\..*\.(path|update)$`)
	if err != nil && exitCode(err) < 0 {
		return nil, err
	}
	paths, update := map[string]string{}, map[string]string{}
	for _, line := range fields(out) {
		key, value, _ := strings.Cut(line, "\n")
		key = strings.TrimPrefix(key, "submodule.")
		if name, ok := strings.CutSuffix(key, ".path"); ok {
			paths[name] = value
		} else if name, ok := strings.CutSuffix(key, ".update"); ok {
			update[name] = value
		}
	}
	for name, path := range paths {
		if l, ok := links[path]; ok {
			links[path] = link{hash: l.hash, name: name, optional: update[name] == "none"}
		}
	}
	return links, nil
}

// requireSubmodules refuses a working tree whose submodules are not all checked out.
func (r repository) requireSubmodules(ctx context.Context) error {
	own, _, err := r.gitDir(ctx)
	if err != nil {
		return err
	}
	entries, err := r.staged(ctx, filepath.Join(own, "index"))
	if err != nil {
		return err
	}
	links, err := r.links(ctx, entries, "")
	if err != nil {
		return err
	}
	for path, link := range links {
		sub := repository{dir: filepath.Join(r.dir, filepath.FromSlash(path))}
		switch {
		case isCheckedOut(sub.dir):
			if err := sub.requireSubmodules(ctx); err != nil {
				return err
			}
		case !link.optional:
			return fmt.Errorf("the submodule %s is not checked out: git submodule update --init --recursive", sub.dir)
		}
	}
	return nil
}
