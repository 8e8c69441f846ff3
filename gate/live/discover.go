package live

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// discover runs each selected benchmark of a package once on each side.
func (s *comparison) discover(ctx context.Context, p *pkg) error {
	s.Log("discovering the benchmarks of %s", p.sides[head].ImportPath)
	var found [2]map[string]result
	var order []string
	for side := range found {
		bench := s.Bench
		if bench == "" {
			bench = "."
		}
		results, err := s.runner.run(ctx, p.binaries[-1][side], p.sides[side].Dir, bench, "1x")
		if err != nil {
			return fmt.Errorf("%s: %w", sideNames[side], err)
		}
		found[side] = map[string]result{}
		for _, r := range results {
			if function := s.function(r.name); p.sides[side].Benchmarks[function].Name == "" {
				return fmt.Errorf("%s has a result of %s, which it does not declare: let nothing but package testing print results", p.sides[side].ImportPath, function)
			}
			if _, twice := found[side][r.name]; twice {
				return fmt.Errorf("%s has two benchmarks %s: give them names of their own", p.sides[side].ImportPath, r.name)
			}
			found[side][r.name] = r
			if side == head {
				order = append(order, r.name)
			} else if len(r.values) == 0 {
				return fmt.Errorf("%s %s reports nothing", p.sides[side].ImportPath, r.name)
			}
		}
	}
	loud, err := s.silent(p, found)
	if err != nil {
		return err
	}
	full := func(name string) string { return p.sides[head].ImportPath + ".Benchmark" + name }
	for _, name := range slices.Sorted(maps.Keys(found[base])) {
		if _, ok := found[head][name]; !ok {
			s.report.Removed = append(s.report.Removed, full(name))
		}
	}
	for _, name := range order {
		old, ok := found[base][name]
		if !ok {
			s.report.Added = append(s.report.Added, full(name))
			function := s.function(name)
			if _, declared := p.sides[base].Benchmarks[function]; declared && !loud[base][function] {
				loud[base][function] = true // noted once
				s.report.Notes = append(s.report.Notes, fmt.Sprintf("%s.%s has no result in the base, which has it too: not judged; if it reads files that git ignores, "+
					"compare commits with --head HEAD, or commit them", p.sides[head].ImportPath, function))
			}
			continue
		}
		plain := strings.TrimSuffix(name, s.runner.suffix)
		b := &benchmark{pkg: p, name: name, pattern: pattern(plain), top: p.sides[head].Benchmarks[s.function(name)], config: found[head][name].config, first: old.values}
		s.benchmarks = append(s.benchmarks, b)
	}
	return nil
}

// function is the benchmark function that a result of this name is of.
func (s *comparison) function(name string) string {
	function, _, _ := strings.Cut(strings.TrimSuffix(name, s.runner.suffix), "/")
	return "Benchmark" + function
}

// silent notes the selected functions of a package that have no result on either side, as those that skip, and refuses if there is no other. It returns
// those that have one, of each side.
func (s *comparison) silent(p *pkg, found [2]map[string]result) (loud [2]map[string]bool, err error) {
	for side, results := range found {
		loud[side] = map[string]bool{}
		for name := range results {
			loud[side][s.function(name)] = true
		}
	}
	if len(loud[base])+len(loud[head]) == 0 {
		return loud, fmt.Errorf("no benchmark of %s matches %q, or all skip: select packages and benchmarks that have results", p.sides[head].ImportPath, s.Bench)
	}
	for _, function := range slices.Sorted(maps.Keys(p.sides[head].Benchmarks)) {
		if !loud[base][function] && !loud[head][function] {
			s.report.Notes = append(s.report.Notes, fmt.Sprintf("%s.%s has no result on either side: not judged", p.sides[head].ImportPath, function))
		}
	}
	return loud, nil
}

// changed returns the benchmark functions whose own source differs, of those that both sides have.
func (s *comparison) changed() []string {
	var names []string
	for _, b := range s.benchmarks {
		old := b.pkg.sides[base].Benchmarks[b.top.Name]
		full := b.pkg.sides[head].ImportPath + "." + b.top.Name
		if old.Hash != b.top.Hash && !slices.Contains(names, full) {
			names = append(names, full)
		}
	}
	return names
}
