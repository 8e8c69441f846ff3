// Package checkout sets a commit and the working tree that it is compared with side by side: the git half of a benchmark gate.
//
// The base is the merge base of a ref and the head, in a git worktree. The head is the checkout as it is, with uncommitted changes and untracked
// files that are not ignored, or another ref in a second worktree. Submodules are taken from the checkout's own copies; nothing is fetched, except
// by git itself in a partial clone.
//
// # What stays
//
// The user's files, index, HEAD, branches, stash and configuration are not written. No hook runs and no daemon starts; the filters that the user
// has configured (Git LFS, end of line) do, as in any checkout. Everything temporary lies below one directory whose owner holds a lock that ends
// with its process. Close removes the directory and the worktrees' registrations; what a killed process left is removed by the next Open for
// the same repository or with the same Temp, which leaves alone what is locked and what has another name.
package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Options says what to compare.
type Options struct {
	Dir  string // where the user stands, inside the repository; "" means the working directory
	Base string // a ref; the base is its merge base with the head
	Head string // a ref; "" means the checkout as it is, uncommitted and untracked (not ignored) files included
	Temp string // parent of the temporary directory, outside the checkout; "" means os.TempDir()
}

// Side is one of the two trees.
type Side struct {
	Root   string // top of the tree
	Dir    string // Options.Dir's counterpart below Root
	Commit string // full hash; the head's files may differ from it
	Name   string // for people: "main 1a2b3c4", "checkout 5d6e7f8 and 3 changed files"
}

// Pair is the two trees. It must be closed.
type Pair struct {
	Base, Head Side
	Temp       string   // a directory for binaries and whatever else shall not outlive the pair
	Notes      []string // what the user should know, above all if the base does not build

	files     listing // of the head, at Open
	snapshots snapshots
	close     func() error
}

// Open makes the pair. Errors name the remedy.
func Open(ctx context.Context, opt Options) (_ *Pair, err error) {
	user, dir, err := find(ctx, opt.Dir)
	if err != nil {
		return nil, err
	}
	p := &Pair{}
	if err := p.choose(ctx, user, opt); err != nil {
		return nil, err
	}
	if opt.Head == "" {
		if err := user.requireMerged(ctx); err != nil {
			return nil, err
		}
		if err := user.requireSubmodules(ctx); err != nil {
			return nil, err
		}
	}
	parent, err := tempParent(opt.Temp, user.dir)
	if err != nil {
		return nil, err
	}
	if err := sweep(parent); err != nil {
		p.Notes = append(p.Notes, err.Error())
	}
	temp, err := newTemporary(parent)
	if err != nil {
		return nil, err
	}
	p.close = sync.OnceValue(temp.remove)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	p.Temp = filepath.Join(temp.dir, "temp")
	p.snapshots = snapshots{filepath.Join(temp.dir, "index"), map[string]string{}}
	for _, dir := range []string{p.Temp, p.snapshots.dir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	p.Base.Root = filepath.Join(temp.dir, filepath.Base(temp.dir)+baseTree)
	p.Head.Root = user.dir
	if err := temp.worktree(ctx, user, p.Base.Commit, p.Base.Root, p.Base.Name); err != nil {
		return nil, err
	}
	if opt.Head != "" {
		p.Head.Root = filepath.Join(temp.dir, filepath.Base(temp.dir)+headTree)
		if err := temp.worktree(ctx, user, p.Head.Commit, p.Head.Root, p.Head.Name); err != nil {
			return nil, err
		}
	}
	for _, s := range []*Side{&p.Base, &p.Head} {
		s.Dir = filepath.Join(s.Root, dir)
		if info, err := os.Stat(s.Dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("%s has no directory %s, so there is nothing to compare: start in one that both sides have", s.Name, filepath.ToSlash(dir))
		}
	}
	if p.files, err = p.snapshots.take(ctx, p.Head.Root); err != nil {
		return nil, err
	}
	if opt.Head == "" {
		clean, err := committed(ctx, p.Head.Root, p.Head.Commit)
		if err != nil {
			return nil, err
		}
		switch n := len(differ(clean, p.files)); n {
		case 0:
		case 1:
			p.Head.Name += " and 1 changed file"
		default:
			p.Head.Name += fmt.Sprintf(" and %d changed files", n)
		}
		ignored, err := user.git(ctx, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", "*.go", "*.s", "go.work", "*/modules.txt")
		if err != nil {
			return nil, err
		}
		if paths := fields(ignored); len(paths) > 0 {
			p.Notes = append(p.Notes, "files that git ignores are in the checkout but not in the base: "+example(paths))
		}
	}
	return p, nil
}

// Changed returns the paths below Root, slash-separated and sorted, of the files that differ between the two sides: contents, modes, or that only
// one has the file. A file that was renamed is two. Those of the head are as they were at Open.
func (p *Pair) Changed(ctx context.Context) ([]string, error) {
	base, err := committed(ctx, p.Base.Root, p.Base.Commit)
	if err != nil {
		return nil, err
	}
	return differ(base, p.files), nil
}

// Unmoved returns an error if the head's files are no longer what they were at Open. A commit or git add of them is no difference.
func (p *Pair) Unmoved(ctx context.Context) error {
	files, err := p.snapshots.take(ctx, p.Head.Root)
	if err != nil {
		return err
	}
	if moved := differ(p.files, files); len(moved) > 0 {
		return fmt.Errorf("%s changed in the meantime: %s: run again, and let the files be until it has ended; if a benchmark writes them, let it write to b.TempDir() or have git ignore them", p.Head.Name, example(moved))
	}
	return nil
}

// Close removes the worktrees, their registrations, and Temp. It may be called more than once.
func (p *Pair) Close() error { return p.close() }

// find returns the repository in whose working tree dir lies, and dir relative to its top.
func find(ctx context.Context, dir string) (repository, string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return repository{}, "", err
	}
	if info, err := os.Stat(at); err != nil {
		return repository{}, "", err
	} else if !info.IsDir() {
		return repository{}, "", fmt.Errorf("%s is not a directory", at)
	}
	r := repository{dir: at}
	if err := requireGit(ctx, r); err != nil {
		return repository{}, "", err
	}
	inside, err := r.line(ctx, "rev-parse", "--is-inside-work-tree")
	if failed := (*gitError)(nil); errors.As(err, &failed) && strings.Contains(failed.stderr, "not a git repository") {
		return repository{}, "", fmt.Errorf("%s is not in a git repository: start in the checkout of one", at)
	} else if err != nil {
		return repository{}, "", err
	}
	if inside != "true" {
		return repository{}, "", fmt.Errorf("%s is in a bare repository or a git directory, which has no files to build: start in a checkout (git worktree add makes one)", at)
	}
	top, err := r.line(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return repository{}, "", err
	}
	below, err := r.line(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return repository{}, "", err
	}
	return repository{dir: filepath.FromSlash(top)}, filepath.FromSlash(strings.TrimSuffix(below, "/")), nil
}

// requireMerged refuses a working tree with conflicts.
func (r repository) requireMerged(ctx context.Context) error {
	out, err := r.git(ctx, "ls-files", "-z", "--unmerged")
	if err != nil {
		return err
	}
	var paths []string
	for _, line := range fields(out) {
		if _, path, _ := strings.Cut(line, "\t"); len(paths) == 0 || paths[len(paths)-1] != path {
			paths = append(paths, path)
		}
	}
	if len(paths) > 0 {
		return fmt.Errorf("the checkout has conflicts in %s: resolve and git add them, or undo the merge (git merge --abort, git rebase --abort)", example(paths))
	}
	return nil
}

// tempParent returns the directory in which the temporary one is made, which must not become part of the checkout.
func tempParent(dir, root string) (string, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // git registers the real path
		return "", err
	}
	if rel, err := filepath.Rel(root, dir); err == nil && filepath.IsLocal(rel) {
		return "", fmt.Errorf("the temporary directory %s is inside the checkout %s: set TMPDIR to one outside", dir, root)
	}
	return dir, nil
}

// example lists the first few of paths.
func example(paths []string) string {
	const few = 5
	if len(paths) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(paths[:few], ", "), len(paths)-few)
	}
	return strings.Join(paths, ", ")
}
