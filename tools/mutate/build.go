package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed runtime.go.txt
var runtime string

// find returns the mutants of the package in dir and its files with all of them built in, by name, the file that switches them included.
func find(dir string) (mutants []mutant, files map[string][]byte, err error) {
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, nil, err
	}
	var parsed []*ast.File
	var sources [][]byte
	var kept []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		file, err := parser.ParseFile(fset, name, src, 0)
		if err != nil {
			return nil, nil, err
		}
		parsed, sources, kept = append(parsed, file), append(sources, src), append(kept, name)
	}
	if len(parsed) == 0 {
		return nil, nil, fmt.Errorf("%s holds no Go files", dir)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: importer.ForCompiler(fset, "source", nil)}).Check(parsed[0].Name.Name, fset, parsed, info)
	if err != nil {
		return nil, nil, err
	}
	next := 1
	files = map[string][]byte{filepath.Join(dir, "zz_mutants.go"): []byte(strings.Replace(runtime, "PACKAGE", pkg.Name(), 1))}
	for i, file := range parsed {
		f := finder{fset: fset, info: info, pkg: pkg, src: sources[i], file: filepath.Base(kept[i]), next: &next}
		for _, d := range file.Decls {
			f.funcs = ""
			f.walk(d)
		}
		mutants = append(mutants, f.mutants...)
		files[kept[i]] = f.edits.apply(sources[i])
	}
	return mutants, files, nil
}

// build writes the files and compiles the tests of each package with them in the place of their originals. The binaries are in tmp.
func build(module string, files map[string][]byte, packages []string, tmp string) (binaries []binary, err error) {
	replace := map[string]string{}
	for name, content := range files {
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		to := filepath.Join(tmp, filepath.Base(name))
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return nil, err
		}
		replace[abs] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	overlayFile := filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return nil, err
	}
	for i, pkg := range packages {
		b := binary{pkg: pkg, path: filepath.Join(tmp, fmt.Sprintf("%d.test", i)), dir: filepath.Join(module, pkg)}
		cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlayFile, "-o", b.path, "./"+filepath.ToSlash(pkg))
		cmd.Dir = module
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go test -c ./%s: %w\n%s", pkg, err, out)
		}
		if _, err := os.Stat(b.path); err != nil {
			return nil, errors.Join(fmt.Errorf("%s has no tests", pkg), err)
		}
		usage, _ := exec.Command(b.path, "-help").CombinedOutput()
		b.rapid = bytes.Contains(usage, []byte("-rapid.nofailfile"))
		binaries = append(binaries, b)
	}
	return binaries, nil
}
