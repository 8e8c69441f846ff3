package live

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/assaykit/assay/gate"
	"github.com/assaykit/assay/gate/binary"
)

// packages matches the packages of both sides and reports those of equal code. It returns the others.
func (s *comparison) packages(ctx context.Context) ([]*pkg, error) {
	patterns := s.Packages
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	var found [2]map[string]binary.Package
	for side := range found {
		list, err := s.builder.Packages(ctx, side, patterns)
		if err != nil {
			return nil, err
		}
		found[side] = map[string]binary.Package{}
		for _, p := range list {
			maps.DeleteFunc(p.Benchmarks, func(name string, _ binary.Benchmark) bool { return !s.selected(name) })
			if len(p.Benchmarks) > 0 {
				found[side][p.ImportPath] = p
			}
		}
	}
	names := func(p binary.Package) (full []string) {
		for _, name := range slices.Sorted(maps.Keys(p.Benchmarks)) {
			full = append(full, p.ImportPath+"."+name)
		}
		return full
	}
	if len(found[base])+len(found[head]) == 0 {
		return nil, fmt.Errorf("no benchmark matches %q in %s: name packages that have benchmarks, or another --bench", s.Bench, strings.Join(patterns, " "))
	}
	var pkgs []*pkg
	for _, importPath := range slices.Sorted(maps.Keys(found[base])) {
		if p, ok := found[head][importPath]; !ok {
			s.report.Removed = append(s.report.Removed, names(found[base][importPath])...)
		} else {
			pkgs = append(pkgs, &pkg{at: len(pkgs), sides: [2]binary.Package{found[base][importPath], p}, binaries: map[int][2]string{}})
		}
	}
	for _, importPath := range slices.Sorted(maps.Keys(found[head])) {
		if _, ok := found[base][importPath]; !ok {
			s.report.Added = append(s.report.Added, names(found[head][importPath])...)
		}
	}
	files, err := s.pair.Changed(ctx)
	if err != nil {
		return nil, err
	}
	if s.pair.Base.Commit == s.pair.Head.Commit && len(files) == 0 {
		return nil, fmt.Errorf("base and head are both %s and no file changed, so there is nothing to compare: name an earlier base, such as HEAD~1 or the last release's tag; "+
			"or are --base and --head exchanged?", s.pair.Base.Name)
	}
	equal := make([]bool, len(pkgs))
	err = s.each(ctx, len(pkgs), func(ctx context.Context, i int) error {
		same, err := s.builder.Same(ctx, pkgs[i].sides[base], pkgs[i].sides[head], s.pair.Temp)
		equal[i] = same && !s.data(pkgs[i], files)
		return err
	})
	if err != nil {
		return nil, err
	}
	var differ []*pkg
	for i, p := range pkgs {
		if !equal[i] {
			differ = append(differ, p)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(p.sides[head].Benchmarks)) {
			b := p.sides[head].Benchmarks[name]
			s.report.Rows = append(s.report.Rows, gate.Row{Name: strings.TrimPrefix(name, "Benchmark"), Verdict: gate.SameCode,
				Config: map[string]string{"pkg": p.sides[head].ImportPath}, File: b.File, Line: b.Line})
		}
	}
	s.Log("same code in %d of %d packages with benchmarks", len(pkgs)-len(differ), len(pkgs))
	return differ, nil
}

// data tells whether a file changed that is not compiled and that the package's benchmarks may read: in its directory, or below it in directories
// that are no packages of their own. Of testdata, Builder.Same knows.
func (s *comparison) data(p *pkg, files []string) bool {
	within, err := filepath.Rel(s.pair.Head.Root, p.sides[head].Dir)
	if err != nil {
		return true
	}
	within = filepath.ToSlash(within)
	return slices.ContainsFunc(files, func(file string) bool {
		if ext := path.Ext(file); ext == ".go" || ext == ".md" || strings.HasPrefix(file, ".") || strings.Contains(file, "/.") {
			return false
		}
		for dir := path.Dir(file); dir != within; dir = path.Dir(dir) {
			if source, err := filepath.Glob(filepath.Join(s.pair.Head.Root, filepath.FromSlash(dir), "*.go")); dir == "." || err != nil || len(source) > 0 {
				return false
			}
		}
		return true
	})
}
