package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// version is written to the manifest. It changes when the same cases would be given other numbers.
const version = "gengolden 1"

//go:embed schema.json
var schemaJSON []byte

// registered makes the cases of each op, by its name.
var registered = map[string]func() family{}

// register has the generator know the cases of an op. The file of the op's family calls it.
func register(opName string, cases func() family) struct{} {
	if registered[opName] != nil {
		panic("the cases of " + opName + " are registered twice")
	}
	registered[opName] = cases
	return struct{}{}
}

// families returns the cases of all ops, in the order of the op table.
func families() ([]family, error) {
	var all []family
	for _, name := range op.Names() {
		if registered[name] == nil {
			return nil, fmt.Errorf("no file registers cases of %s: its family's has to", name)
		}
		f := registered[name]()
		f.op = name
		f = f.withWide()
		for i := range f.cases {
			f.cases[i].accumulate = f.accumulate
		}
		all = append(all, f)
	}
	return all, nil
}

// spec is what the generator reads of SPEC.md.
type spec struct {
	version string
	clauses []string
}

var (
	clausePattern  = regexp.MustCompile(`(?m)^\*\*([A-Z]+-\d+)\*\*`)
	versionPattern = regexp.MustCompile(`(?m)^Version (\d+(\.\d+)*)`)
)

func parseSpec(text []byte) (spec, error) {
	var s spec
	if m := versionPattern.FindSubmatch(text); m != nil {
		s.version = string(m[1])
	}
	for _, m := range clausePattern.FindAllSubmatch(text, -1) {
		s.clauses = append(s.clauses, string(m[1]))
	}
	switch {
	case s.version == "":
		return s, errors.New(`no line of the specification begins with "Version " and a number`)
	case len(s.clauses) == 0:
		return s, errors.New("no line of the specification begins with the id of a clause, such as **MM-1**")
	}
	return s, nil
}

// generate computes the files of some families by name, with a manifest of these. Of their cases they hold those with the ids, or all where
// there are no ids.
func generate(s spec, fams []family, ids []string, progress func(done, total int)) (map[string][]byte, error) {
	for i := range fams {
		if err := fams[i].checkReferences(s.clauses); err != nil {
			return nil, err
		}
	}
	opFiles, err := finishAll(only(fams, ids), progress)
	if err != nil {
		return nil, err
	}
	schema, err := compileSchema()
	if err != nil {
		return nil, err
	}
	manifest := vector.Manifest{Format: vector.FormatVersion, Spec: s.version, Generator: version, Clauses: s.clauses,
		Files: map[string]vector.FileEntry{}}
	files := map[string][]byte{vector.SchemaName: schemaJSON}
	for _, f := range opFiles {
		meta, tensors, err := vector.Encode(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Op, err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(meta))
		if err != nil {
			return nil, fmt.Errorf("%s.json: %w", f.Op, err)
		}
		if err := schema.Validate(doc); err != nil {
			return nil, fmt.Errorf("%s.json breaks %s: %w", f.Op, vector.SchemaName, err)
		}
		files[f.Op+".json"], files[f.Op+".safetensors"] = meta, tensors
		manifest.Cases += len(f.Cases)
	}
	for name, data := range files {
		manifest.Files[name] = vector.Entry(data)
	}
	if files[vector.ManifestName], err = vector.EncodeManifest(manifest); err != nil {
		return nil, err
	}
	if _, err := load(files); err != nil { // what is written must be readable
		return nil, err
	}
	return files, nil
}

// only returns families that have no other cases than those with the ids; as they are, where there are no ids.
func only(fams []family, ids []string) []family {
	if len(ids) == 0 {
		return fams
	}
	reduced := slices.Clone(fams)
	for i := range reduced {
		f := &reduced[i]
		f.cases = slices.DeleteFunc(slices.Clone(f.cases), func(t testCase) bool { return !slices.Contains(ids, f.op+"/"+t.name) })
	}
	return reduced
}

func load(files map[string][]byte) (*vector.Set, error) {
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data, Mode: 0o444}
	}
	return vector.Load(fsys)
}

func compileSchema() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(vector.SchemaName, doc); err != nil {
		return nil, err
	}
	return c.Compile(vector.SchemaName)
}

// finishAll computes the cases on all processors. Where several fail, it reports them all.
func finishAll(fams []family, progress func(done, total int)) ([]*vector.File, error) {
	type job struct {
		op   string
		from *testCase
		to   **vector.Case
	}
	var jobs []job
	opFiles := make([]*vector.File, len(fams))
	for i, f := range fams {
		opFiles[i] = &vector.File{Format: vector.FormatVersion, Op: f.op, Flags: f.flags, Cases: make([]*vector.Case, len(f.cases))}
		for j := range f.cases {
			jobs = append(jobs, job{f.op, &f.cases[j], &opFiles[i].Cases[j]})
		}
	}
	slices.SortStableFunc(jobs, func(a, b job) int { return b.from.weight() - a.from.weight() }) // long ones first, not alone at the end
	var next, done atomic.Int64
	failures := make([]error, len(jobs))
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				*jobs[i].to, failures[i] = jobs[i].from.finish(jobs[i].op)
				progress(int(done.Add(1)), len(jobs))
			}
		})
	}
	wg.Wait()
	return opFiles, errors.Join(failures...)
}

func (t *testCase) weight() int {
	if t.prepare != nil {
		return 1
	}
	return 0
}

// checkReferences reports a clause that the specification does not have, and a flag that no case carries. It looks at what the family
// says, so before anything is computed.
func (f *family) checkReferences(clauses []string) error {
	if _, err := op.Arguments(f.op); err != nil {
		return err
	}
	carried := map[string]bool{}
	for _, t := range f.cases {
		if err := checkClauses(f.op+"/"+t.name, strings.Fields(t.clauses), clauses); err != nil {
			return err
		}
		for _, name := range strings.Fields(t.flags) {
			carried[name] = true
		}
	}
	for _, flag := range f.flags {
		if !carried[flag.Name] {
			return fmt.Errorf("%s: no case carries the flag %s", f.op, flag.Name)
		}
	}
	return nil
}

func checkClauses(id string, cited, clauses []string) error {
	for _, clause := range cited {
		if !slices.Contains(clauses, clause) {
			return fmt.Errorf("%s: clause %s is not in the specification", id, clause)
		}
	}
	return nil
}
