package checkout

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// A temporary directory is called prefix and 60 random bits: an empty directory of that name is one of ours, too. It holds
//
//	owner          locked by the process that owns the directory; the lock ends with the process
//	repositories   a quoted line for each git directory in which a worktree is registered, written before the worktree is made
//	NAME-base      the worktrees, where NAME is the name of the directory: git names a registration after its worktree's last element
//	NAME-head
//	index          copies of the indices of the checkout and its submodules
//	temp           Pair.Temp
//
// Whoever holds the lock may remove the directory: its owner, or anybody if the owner is dead. The owner is removed last, so that a removal that is
// cut short is finished by the next. A process that has made a directory but not yet its lock loses it to another's sweep, and makes a new one.
const (
	prefix           = "assay-gate-"
	ownerFile        = "owner"
	repositoriesFile = "repositories"
	baseTree         = "-base"
	headTree         = "-head"
)

var ours = regexp.MustCompile(`^` + prefix + `[a-z2-7]{12}$`)

type temporary struct {
	dir  string
	lock *flock.Flock
}

func newTemporary(parent string) (*temporary, error) {
	for {
		dir := filepath.Join(parent, prefix+strings.ToLower(rand.Text()[:12]))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
		lock := flock.New(filepath.Join(dir, ownerFile))
		locked, err := lock.TryLock()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		if locked && isFile(lock) {
			return &temporary{dir, lock}, nil
		}
		if err := lock.Unlock(); err != nil {
			return nil, err
		}
	}
}

// isFile returns whether the file that is locked still has its name.
func isFile(lock *flock.Flock) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(lock.Path())
	return err == nil && os.SameFile(held, named)
}

// record notes that a worktree below t is about to be registered in the git directory common.
func (t *temporary) record(common string) error {
	f, err := os.OpenFile(filepath.Join(t.dir, repositoriesFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Quote(common) + "\n")
	return errors.Join(err, f.Close())
}

// remove removes the directory, with the registrations of its worktrees, and gives up the lock.
func (t *temporary) remove() error {
	list, err := os.ReadFile(filepath.Join(t.dir, repositoriesFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, t.lock.Unlock())
	}
	var errs []error
	for quoted := range strings.Lines(string(list)) {
		if common, err := strconv.Unquote(strings.TrimSuffix(quoted, "\n")); err == nil { // not if its writer died in the middle
			errs = append(errs, unregister(common, t.dir))
		}
	}
	entries, err := os.ReadDir(t.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, e := range entries {
		if name := e.Name(); name != ownerFile && name != repositoriesFile {
			errs = append(errs, removeAll(filepath.Join(t.dir, name)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, t.lock.Unlock())
	}
	errs = append(errs, t.lock.Unlock()) // first: Windows does not remove an open file
	errs = append(errs, os.RemoveAll(t.dir))
	return errors.Join(errs...)
}

// patience is how long removeAll waits for others to stop writing.
const patience = 10 * time.Second

// removeAll is os.RemoveAll that also removes what lies in directories without write permission, as benchmarks may leave, and outlasts the git of a
// killed process, which writes on until it is done or its working directory is gone.
func removeAll(dir string) error {
	var err error
	for start := time.Now(); time.Since(start) < patience; time.Sleep(10 * time.Millisecond) {
		if err = os.RemoveAll(dir); errors.Is(err, fs.ErrPermission) {
			_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, _ error) error {
				if e != nil && e.IsDir() {
					_ = os.Chmod(path, 0o700) // before it is read; what fails is reported below
				}
				return nil
			})
			err = os.RemoveAll(dir)
		}
		if !errors.Is(err, fs.ErrExist) { // directory not empty
			break
		}
	}
	return err
}

// unregister removes the registrations of worktrees below dir from the git directory common.
func unregister(common, dir string) error {
	return registrations(common, func(name, worktree string) (bool, error) {
		if worktree == "" { // git had made the registration but not written where its worktree is
			return strings.HasPrefix(name, filepath.Base(dir)+"-"), nil
		}
		return strings.HasPrefix(worktree, dir+string(filepath.Separator)), nil
	})
}

// registrations removes those registrations of worktrees in the git directory common for which remove returns true.
func registrations(common string, remove func(name, worktree string) (bool, error)) error {
	all := filepath.Join(common, "worktrees")
	entries, err := os.ReadDir(all)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	removed := false
	for _, e := range entries {
		dir := filepath.Join(all, e.Name())
		content, err := os.ReadFile(filepath.Join(dir, "gitdir"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // another user's
		}
		worktree := filepath.FromSlash(strings.TrimSuffix(string(content), "\n"))
		yes, err := remove(e.Name(), worktree)
		errs = append(errs, err)
		if yes {
			removed = true
			_ = os.Remove(filepath.Join(dir, "gitdir")) // first: git ignores a registration without, and fails on one that lacks anything else
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	if removed {
		_ = os.Remove(all) // as git does with the last one: fails unless it is empty
	}
	return errors.Join(errs...)
}

// sweep removes the temporary directories in parent whose owners are dead.
func sweep(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, removeDead(filepath.Join(parent, e.Name())))
	}
	return errors.Join(errs...)
}

// sweepRegistrations removes the registrations of dead owners' worktrees from the git directory common, and their temporary directories, wherever
// they lie.
func sweepRegistrations(common string) error {
	return registrations(common, func(name, worktree string) (bool, error) {
		for dir := worktree; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			if !ours.MatchString(filepath.Base(dir)) {
				continue
			}
			if err := removeDead(dir); err != nil {
				return false, err
			}
			_, err := os.Lstat(dir)
			return errors.Is(err, fs.ErrNotExist), nil
		}
		return false, nil
	})
}

// removeDead removes dir if it is a temporary directory whose owner is dead. What cannot be opened is another user's, and none of ours.
func removeDead(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !ours.MatchString(filepath.Base(dir)) {
		return nil
	}
	lock := flock.New(filepath.Join(dir, ownerFile), flock.SetFlag(os.O_RDWR))
	locked, err := lock.TryLock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// The process died before it had made its lock, or its git came back after a sweep.
		for _, worktree := range []string{baseTree, headTree} {
			_ = removeAll(filepath.Join(dir, filepath.Base(dir)+worktree))
		}
		_ = os.Remove(dir) // fails unless it is empty
		return nil
	case err != nil || !locked:
		return nil
	}
	if err := (&temporary{dir, lock}).remove(); err != nil {
		return fmt.Errorf("cannot remove what a dead run left: %w", err)
	}
	return nil
}
