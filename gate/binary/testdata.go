package binary

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// sameTestdata compares what benchmarks read at run time, by custom from directories named testdata beside the package or above it.
func (b *Builder) sameTestdata(basePkg, headPkg Package) bool {
	x, y := basePkg.Dir, headPkg.Dir
	for within(b.trees[0].Root, x) && within(b.trees[1].Root, y) {
		if !sameFiles(filepath.Join(x, "testdata"), filepath.Join(y, "testdata")) {
			return false
		}
		x, y = filepath.Dir(x), filepath.Dir(y)
	}
	return !within(b.trees[0].Root, x) && !within(b.trees[1].Root, y)
}

// sameFiles reports whether two directories have the same regular files and nothing else. One that is not there has none.
func sameFiles(x, y string) bool {
	files, err := list(x)
	if err != nil {
		return false
	}
	others, err := list(y)
	if err != nil || len(files) != len(others) {
		return false
	}
	for _, name := range files {
		a, err := os.ReadFile(filepath.Join(x, name))
		if err != nil {
			return false
		}
		b, err := os.ReadFile(filepath.Join(y, name))
		if err != nil || !bytes.Equal(a, b) {
			return false
		}
	}
	return true
}

// list returns the regular files below dir, in order.
func list(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == dir:
			return fs.SkipAll
		case err != nil || d.IsDir():
			return err
		case !d.Type().IsRegular():
			return errors.ErrUnsupported
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, rel)
		return err
	})
	return files, err
}
