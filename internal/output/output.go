// Package output writes the files that a user names: whole or not at all, and one process at a time.
//
// Beside a file DIR/NAME that is being written stand
//
//	DIR/.NAME.lock   locked by the process that writes it; the lock ends with the process
//	DIR/.NAME.tmp    the next content, until it gets the name
//
// Whoever has the lock may remove both: what a killed process has left is removed by the next that writes the file.
package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrInUse is wrapped by the error about a file that another process writes.
var ErrInUse = errors.New("another process is writing it")

// File is a file that this process alone writes.
type File struct {
	path string // with its links followed
	temp string
	mode fs.FileMode // of the file that is there, or 0
	lock *flock.Flock
}

// Claim makes the file at path this process's own to write, until Close. It changes nothing that is there, and fails where a write would: there is no
// directory, it is read-only, something else than a regular file has the name. A symbolic link is followed.
func Claim(path string) (*File, error) {
	if path == "" {
		return nil, errors.New("want the name of a file to write, got an empty one")
	}
	f := &File{path: path}
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file: want one, or a new name", path)
	case err == nil:
		f.mode = info.Mode().Perm()
		if f.path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		if _, err := os.Lstat(path); err == nil {
			return nil, fmt.Errorf("%s is a symbolic link to nothing: remove it, or name another file", path)
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("%s: there is no directory %s", path, filepath.Dir(path))
		}
	}
	hidden := filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path))
	f.temp, f.lock = hidden+".tmp", flock.New(hidden+".lock")
	for {
		locked, err := f.lock.TryLock()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s cannot be written: %w", path, err)
		case !locked:
			return nil, fmt.Errorf("%s: %w", path, ErrInUse)
		case f.named():
			return f, f.removeTemp()
		}
		if err := f.lock.Unlock(); err != nil { // its last owner has removed it: the next try makes another
			return nil, err
		}
	}
}

// named returns whether the lock still has its name: it is removed by its owner.
func (f *File) named() bool {
	held, err := f.lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(f.lock.Path())
	return err == nil && os.SameFile(held, named)
}

func (f *File) removeTemp() error {
	if err := os.Remove(f.temp); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Write replaces the content: fill writes the new one, which reaches the disk before it gets the name. Where anything fails, what was there stays.
func (f *File) Write(fill func(io.Writer) error) (err error) {
	temp, err := os.OpenFile(f.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, temp.Close(), f.removeTemp())
		}
	}()
	if err = fill(temp); err != nil {
		return err
	}
	if f.mode != 0 {
		if err = temp.Chmod(f.mode); err != nil {
			return err
		}
	}
	if err = temp.Sync(); err != nil {
		return err
	}
	if err = temp.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.temp, f.path); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(f.path)); err == nil { // the new name reaches the disk too, where a directory can be synced
		_ = dir.Sync()
		dir.Close()
	}
	return nil
}

// Close lets other processes write the file.
func (f *File) Close() error {
	_ = os.Remove(f.lock.Path()) // first: unlocked it may be another's. Windows removes no open file, and keeps this one
	return f.lock.Unlock()
}

// WriteFile replaces the content of the file at path by data.
func WriteFile(path string, data []byte) error {
	f, err := Claim(path)
	if err != nil {
		return err
	}
	err = f.Write(func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	return errors.Join(err, f.Close())
}
