// Package input opens the files that a user names. Only regular files are read: a named pipe, a device or a directory in the place of one
// is an error at once, where reading it would wait for ever or never end; and no more is read than the caller's limit.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular is wrapped by the error about something that is no regular file.
var ErrNotRegular = errors.New("want a regular file")

// ErrTooLarge is wrapped by the error about a file of more bytes than the limit.
var ErrTooLarge = errors.New("too large")

// Open opens a regular file of at most limit bytes. The size is that at opening: read through io.LimitReader what may grow.
func Open(name string, limit int64) (*os.File, error) {
	// Without O_NONBLOCK, opening a named pipe waits for a writer. For regular files it means nothing.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = check(name, info, limit)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadFile returns the content of a regular file of at most limit bytes.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := Open(name, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, name, limit)
}

// ReadFS is ReadFile in a file system.
func ReadFS(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name) // before opening, which may wait
	if err != nil {
		return nil, err
	}
	if err := check(name, info, limit); err != nil {
		return nil, err
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, name, limit)
}

// read returns what is in f, whose size may have been another when it was opened.
func read(f fs.File, name string, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := check(name, info, limit); err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	n, err := io.ReadFull(f, data)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s became shorter while it was read: it has %d of %d bytes", name, n, len(data))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

func check(name string, info fs.FileInfo, limit int64) error {
	kind := ""
	switch mode := info.Mode(); {
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a named pipe"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case !mode.IsRegular():
		kind = "no file"
	case info.Size() > limit:
		return fmt.Errorf("%s: %w: it has %d bytes, at most %d are read", name, ErrTooLarge, info.Size(), limit)
	}
	if kind != "" {
		return fmt.Errorf("%s is %s: %w", name, kind, ErrNotRegular)
	}
	return nil
}
