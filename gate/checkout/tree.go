package checkout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// gitlink is the mode of a submodule in a tree.
const gitlink = "160000"

// listing is the content of a tree: mode and hash by slash-separated path. Submodules that are checked out are listed by their files.
type listing map[string]string

// differ returns the paths whose modes or contents are different, sorted.
func differ(a, b listing) []string {
	differs := map[string]bool{}
	for path, content := range a {
		differs[path] = b[path] != content
	}
	for path, content := range b {
		differs[path] = a[path] != content
	}
	maps.DeleteFunc(differs, func(_ string, yes bool) bool { return !yes })
	return slices.Sorted(maps.Keys(differs))
}

// isCheckedOut returns whether dir is the top of a working tree: git would find a repository above any other directory.
func isCheckedOut(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return err == nil
}

// entry is a line of git ls-tree or ls-files --stage.
type entry struct{ mode, hash, path string }

// entries parses what git prints with -z: lines of fields, of which the first is the mode and that numbered hash is the hash, a tab and a path.
func entries(out string, hash int) []entry {
	var all []entry
	for _, line := range fields(out) {
		meta, path, _ := strings.Cut(line, "\t")
		f := strings.Fields(meta)
		all = append(all, entry{f[0], f[hash], path})
	}
	return all
}

// tree lists the files and submodules of a commit.
func (r repository) tree(ctx context.Context, commit string) ([]entry, error) {
	out, err := r.git(ctx, "ls-tree", "-r", "-z", "--full-tree", commit)
	return entries(out, 2), err
}

// staged lists the files and submodules of an index.
func (r repository) staged(ctx context.Context, index string) ([]entry, error) {
	out, err := r.run(ctx, "", []string{"GIT_INDEX_FILE=" + index}, "ls-files", "-z", "--stage")
	return entries(out, 1), err
}

// committed returns the listing of a commit, and of the submodules' commits that it names where root has them checked out.
func committed(ctx context.Context, root, commit string) (listing, error) {
	return list(ctx, root, commit, func(dir, commit string) ([]entry, error) {
		r := repository{dir: dir}
		if ok, err := r.holds(ctx, commit); !ok {
			return nil, err
		}
		return r.tree(ctx, commit)
	})
}

// list calls read for the repository at dir and for each of its submodules that is checked out, with the commit that the superproject names.
func list(ctx context.Context, dir, commit string, read func(dir, commit string) ([]entry, error)) (listing, error) {
	entries, err := read(dir, commit)
	if err != nil {
		return nil, err
	}
	l := listing{}
	for _, e := range entries {
		if sub := filepath.Join(dir, filepath.FromSlash(e.path)); e.mode == gitlink && isCheckedOut(sub) {
			below, err := list(ctx, sub, e.hash, read)
			if err != nil {
				return nil, err
			}
			for path, content := range below {
				l[e.path+"/"+path] = content
			}
			continue
		}
		l[e.path] = e.mode + " " + e.hash
	}
	return l, nil
}

// snapshots lists files as they are. It works on copies of the indices of the repository and its submodules, which spare git the reading of what
// has not changed, and make a second listing comparable with the first whatever was committed or added between.
type snapshots struct {
	dir     string            // for the copies
	indices map[string]string // by directory of the working tree
}

// take returns the listing of the files in root, with those of submodules and those that are untracked but not ignored.
func (s *snapshots) take(ctx context.Context, root string) (listing, error) {
	return list(ctx, root, "", func(dir, _ string) ([]entry, error) {
		r := repository{dir: dir}
		index, err := s.index(ctx, r)
		if err != nil {
			return nil, err
		}
		env := []string{"GIT_INDEX_FILE=" + index}
		changed, err := r.run(ctx, "", env, "ls-files", "-z", "--modified", "--others", "--exclude-standard")
		if err != nil {
			return nil, err
		}
		// The hashes are computed, through the repository's filters, but no object is written. What ends with a slash, a repository that is none of
		// this one's submodules, is ignored.
		if _, err := r.run(ctx, changed, env, "update-index", "-z", "--add", "--remove", "--replace", "--info-only", "--stdin"); err != nil {
			return nil, err
		}
		return r.staged(ctx, index)
	})
}

// index returns the copy of the index of r. Its time must be the original's: git reads again what was changed at the time of the index.
func (s *snapshots) index(ctx context.Context, r repository) (string, error) {
	if index, ok := s.indices[r.dir]; ok {
		return index, nil
	}
	own, _, err := r.gitDir(ctx)
	if err != nil {
		return "", err
	}
	to := filepath.Join(s.dir, fmt.Sprint(len(s.indices)))
	from, err := os.Open(filepath.Join(own, "index"))
	switch {
	case err == nil:
		defer from.Close()
		if err := copyFile(from, to); err != nil {
			return "", err
		}
	case !errors.Is(err, fs.ErrNotExist): // nothing is staged where there is none
		return "", err
	}
	s.indices[r.dir] = to
	return to, nil
}

func copyFile(from *os.File, to string) error {
	info, err := from.Stat()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}
