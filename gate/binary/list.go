package binary

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
)

// Package is a package that has benchmarks.
type Package struct {
	ImportPath string
	Dir        string // of its source, where go test runs its binary
	Benchmarks map[string]Benchmark
}

// Benchmark is a benchmark function.
type Benchmark struct {
	Name string // with Benchmark at its start
	Hash string // of its source, see Packages
	File string // below the tree's Root, with slashes
	Line int
}

// listed is what go list says about a package.
type listed struct {
	ImportPath, ForTest, Dir, Name  string
	TestGoFiles, XTestGoFiles       []string
	TestEmbedFiles, XTestEmbedFiles []string
	Error                           *struct{ Err string }
}

// Packages returns the packages of a side (0 base, 1 head) that match the patterns, which are relative to its Dir, and whose test files have
// benchmarks in a build with the settings, sorted by import path. On the base, what does not exist matches nothing.
//
// The hash of a benchmark covers, without comments and layout, its function, TestMain, the init functions, and whatever these mention by name and
// the package's test files declare. Names are not resolved: one that happens to be the same is taken in.
func (b *Builder) Packages(ctx context.Context, side int, patterns []string) ([]Package, error) {
	t := b.trees[side]
	args := append(t.flags("list", "-e", "-test"), "-json=ImportPath,ForTest,Dir,Name,TestGoFiles,XTestGoFiles,TestEmbedFiles,XTestEmbedFiles,Error", "--")
	out, err := t.run(ctx, false, append(args, patterns...)...)
	if err != nil {
		return nil, err
	}
	all, err := decode[listed](out)
	if err != nil {
		return nil, fmt.Errorf("%s: go list: %w", t.name, err)
	}
	var pkgs []Package
	for _, l := range all {
		if l.ForTest != "" { // asked for with -test, without which the embedded files are not listed
			continue
		}
		if l.Error != nil {
			if side == 0 && l.Name == "" { // there is no Go file of it
				continue
			}
			return nil, fmt.Errorf("%s: %s: %s", t.name, l.ImportPath, l.Error.Err)
		}
		benchmarks, err := t.benchmarks(l)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", t.name, l.ImportPath, err)
		}
		if len(benchmarks) == 0 {
			continue
		}
		if !within(t.Root, l.Dir) {
			return nil, fmt.Errorf("%s: %s lies outside of the repository, in %s: leave it out of the patterns", t.name, l.ImportPath, l.Dir)
		}
		pkgs = append(pkgs, Package{l.ImportPath, filepath.Clean(l.Dir), benchmarks})
	}
	slices.SortFunc(pkgs, func(p, q Package) int { return cmp.Compare(p.ImportPath, q.ImportPath) })
	return pkgs, nil
}

// flags returns a go command with the flags that decide which files are built.
func (t *tree) flags(command ...string) []string {
	if t.tags != "" {
		command = append(command, "-tags="+t.tags)
	}
	if t.mod == "mod" {
		command = append(command, "-mod=readonly")
	}
	return command
}

// decode reads a stream of JSON values.
func decode[T any](data []byte) ([]T, error) {
	var all []T
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var v T
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
}
