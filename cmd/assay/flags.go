package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/conformance/vector/schema"
	"github.com/assaykit/assay/golden"
)

// directory is the value of a flag. An empty one is an error, and not the same as none: it is a script's unset variable.
type directory string

func (d *directory) String() string { return string(*d) }
func (d *directory) Type() string   { return "directory" }

func (d *directory) Set(s string) error {
	if s == "" {
		return errors.New("want a directory")
	}
	*d = directory(s)
	return nil
}

// names is the value of a flag that is given several times, or with commas. An empty one is an error, as that of a directory is.
type names []string

func (n *names) String() string { return strings.Join(*n, ",") }
func (n *names) Type() string   { return "strings" }

func (n *names) Set(s string) error {
	for _, name := range strings.Split(s, ",") {
		if name == "" {
			return errors.New("want a name")
		}
		*n = append(*n, name)
	}
	return nil
}

// count is the value of a flag that is at least 1.
type count int

func (c *count) String() string { return strconv.Itoa(int(*c)) }
func (c *count) Type() string   { return "count" }

func (c *count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("want a whole number of at least 1")
	}
	*c = count(n)
	return nil
}

// vectorsFlags are those of a command that reads vectors.
type vectorsFlags struct {
	dir      string
	elements int
}

func (v *vectorsFlags) register(cmd *cobra.Command) {
	v.elements = vector.MaxElements
	cmd.Flags().Var((*directory)(&v.dir), "vectors", "read the vectors from this directory instead of the embedded ones")
	cmd.Flags().Var((*count)(&v.elements), "max-elements", "with --vectors: how many elements the tensors of one case may have, results included")
}

// load reads a directory of vectors, checks its hashes and contents, and holds it to its schema; the embedded set where none is given.
func (v *vectorsFlags) load() (*vector.Set, error) {
	if v.dir == "" {
		return golden.Load()
	}
	info, err := os.Stat(v.dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", v.dir)
	}
	if err == nil {
		if _, err = os.Stat(filepath.Join(v.dir, vector.ManifestName)); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s holds no %s: want a directory that `assay vectors export` has written", v.dir, vector.ManifestName)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("--vectors: %w", err)
	}
	fsys := os.DirFS(v.dir)
	set, err := vector.LoadWithin(fsys, v.elements)
	if errors.Is(err, vector.ErrLimit) {
		err = fmt.Errorf("%w: --max-elements allows more", err)
	}
	if err == nil {
		err = schema.Validate(fsys, set)
	}
	if err != nil {
		return nil, fmt.Errorf("--vectors %s: %w", v.dir, err)
	}
	return set, nil
}

// knownOps reports a pattern that matches no op.
func knownOps(patterns ...string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("--op %q: %w", p, err)
		}
		if !slices.ContainsFunc(op.Names(), func(name string) bool { ok, _ := path.Match(p, name); return ok }) {
			return fmt.Errorf("--op %q matches no op: %s", p, op.Suggest(p, op.Names()))
		}
	}
	return nil
}

// caseOf returns a case of a set, and the file that it is in.
func caseOf(set *vector.Set, id string) (*vector.File, *vector.Case, error) {
	var ids []string
	for _, f := range set.Files {
		for _, c := range f.Cases {
			if c.ID == id {
				return f, c, nil
			}
			ids = append(ids, c.ID)
		}
	}
	return nil, nil, fmt.Errorf("no case %q: %s (`assay vectors list` lists them)", id, op.Suggest(id, ids))
}
