package vector

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/internal/input"
)

// ManifestName is the name of the manifest's file.
const ManifestName = "MANIFEST.json"

// The sizes past which files are refused before they are read: that of a set's JSON files, each, since what is made of them is larger, and
// of all files together.
const (
	maxJSON = 8 << 20
	maxSet  = 128 << 20
)

// MaxElements is how many elements the tensors of one case may have together, its results included. The largest embedded case has half.
const MaxElements = 1 << 24

// Load reads and checks a set of vectors: every file against the manifest's size and SHA-256, the manifest against its own, every case for
// consistency with its tensors and the op table. Errors wrap ErrCorrupt and name the file, the case and the reason. Nothing is allocated on
// the word of a header, a shape or a recipe alone: one case may ask for MaxElements.
func Load(fsys fs.FS) (*Set, error) { return LoadWithin(fsys, MaxElements) }

// LoadWithin is Load with another limit in the place of MaxElements.
func LoadWithin(fsys fs.FS, elements int) (*Set, error) {
	m, err := LoadManifest(fsys)
	if err != nil {
		return nil, err
	}
	s := &Set{Manifest: *m}
	if err := unlisted(fsys, m.Files); err != nil {
		return nil, err
	}
	clauses := map[string]bool{}
	for _, clause := range m.Clauses {
		clauses[clause] = true
	}
	content := make(map[string][]byte, len(m.Files))
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		if content[name], err = readListed(fsys, name, m.Files[name]); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(content)) {
		opName, ok := strings.CutSuffix(name, ".json")
		if !ok || name == SchemaName {
			continue
		}
		tensors, ok := content[opName+".safetensors"]
		if !ok {
			return nil, corrupt(opName+".safetensors", errors.New("is missing, but "+name+" is there"))
		}
		f, err := decodeFile(opName, content[name], tensors, elements)
		if err != nil {
			return nil, err
		}
		for _, c := range f.Cases {
			for _, clause := range c.Clauses {
				if !clauses[clause] {
					return nil, corrupt(name, fmt.Errorf("case %s: clause %s is not among those of %s", c.ID, clause, ManifestName))
				}
			}
		}
		s.Files = append(s.Files, f)
	}
	if len(s.Files) == 0 {
		return nil, corrupt(ManifestName, errors.New("lists no op"))
	}
	if got := s.Cases(); got != m.Cases {
		return nil, corrupt(ManifestName, fmt.Errorf("counts %d cases, the files hold %d", m.Cases, got))
	}
	return s, nil
}

// LoadManifest reads the manifest of a set and checks it: no byte of it is another than when it was written.
func LoadManifest(fsys fs.FS) (*Manifest, error) {
	raw, err := input.ReadFS(fsys, ManifestName, maxJSON)
	if err != nil {
		return nil, corrupt(ManifestName, err)
	}
	m := new(Manifest)
	if err := op.DecodeJSON(raw, m); err != nil {
		return nil, corrupt(ManifestName, err)
	}
	if err := m.check(raw); err != nil {
		return nil, corrupt(ManifestName, err)
	}
	return m, nil
}

// check reports what is wrong with a manifest in itself. raw is its file.
func (m *Manifest) check(raw []byte) error {
	if m.Format != FormatVersion {
		return fmt.Errorf("format %d: this program reads format %d", m.Format, FormatVersion)
	}
	if len(m.SHA256) != len(noDigest) {
		return errors.New("has no sha256 of itself: export the vectors again")
	}
	blank := bytes.ReplaceAll(raw, []byte(m.SHA256), []byte(noDigest))
	if Entry(blank).SHA256 != m.SHA256 {
		return fmt.Errorf("has SHA-256 %s, and says %s: the file is altered", Entry(blank).SHA256, m.SHA256)
	}
	if m.Spec == "" || len(m.Clauses) == 0 {
		return errors.New("names no spec, or none of its clauses")
	}
	seen := map[string]bool{}
	for _, clause := range m.Clauses {
		if seen[clause] {
			return fmt.Errorf("lists clause %s twice", clause)
		}
		seen[clause] = true
	}
	var total int64
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		bytes := m.Files[name].Bytes
		switch {
		case name != path.Base(name) || !fs.ValidPath(name):
			return fmt.Errorf("lists %q: want a plain file name", name)
		case bytes < 0:
			return fmt.Errorf("%s has %d bytes", name, bytes)
		case bytes > maxSet || total+bytes > maxSet:
			return fmt.Errorf("lists files of more than %d bytes", maxSet)
		}
		total += bytes
	}
	return nil
}

// SchemaName is the name of the JSON schema that the <op>.json files follow.
const SchemaName = "schema.json"

func corrupt(file string, err error) error { return fmt.Errorf("%w: %s: %w", ErrCorrupt, file, err) }

func readListed(fsys fs.FS, name string, entry FileEntry) ([]byte, error) {
	limit := int64(maxSet)
	if path.Ext(name) == ".json" {
		limit = maxJSON
	}
	data, err := input.ReadFS(fsys, name, limit)
	if err != nil {
		return nil, corrupt(name, err)
	}
	if int64(len(data)) != entry.Bytes {
		return nil, corrupt(name, fmt.Errorf("has %d bytes, the manifest says %d: the file is truncated or altered", len(data), entry.Bytes))
	}
	if got := Entry(data).SHA256; got != entry.SHA256 {
		return nil, corrupt(name, fmt.Errorf("has SHA-256 %s, the manifest says %s: the file is altered", got, entry.SHA256))
	}
	return data, nil
}

// unlisted refuses vector files that the manifest does not know: a set is whole or it is nothing.
func unlisted(fsys fs.FS, known map[string]FileEntry) error {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return corrupt(".", err)
	}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		if _, ok := known[e.Name()]; !ok && (ext == ".json" || ext == ".safetensors") && e.Name() != ManifestName {
			return corrupt(e.Name(), errors.New("is not listed in "+ManifestName))
		}
	}
	return nil
}

// DecodeFile reads the cases of one op from its two files and checks them against each other and the op table.
func DecodeFile(opName string, meta, tensors []byte) (*File, error) {
	return decodeFile(opName, meta, tensors, MaxElements)
}

func decodeFile(opName string, meta, tensors []byte, elements int) (*File, error) {
	f := new(File)
	if err := op.DecodeJSON(meta, f); err != nil {
		return nil, corrupt(opName+".json", err)
	}
	all, err := DecodeSafetensors(tensors)
	if err != nil {
		return nil, corrupt(opName+".safetensors", err)
	}
	if f.Format != FormatVersion || f.Op != opName {
		return nil, corrupt(opName+".json", fmt.Errorf("is format %d of op %q: want format %d of %q", f.Format, f.Op, FormatVersion, opName))
	}
	args, err := op.Arguments(f.Op)
	if err != nil {
		return nil, corrupt(opName+".json", err)
	}
	d := decoder{file: f, args: args, tensors: all, flags: map[string]bool{}}
	for _, flag := range f.Flags {
		d.flags[flag.Name] = true
	}
	seen := map[string]bool{}
	for i, c := range f.Cases {
		if c == nil {
			return nil, corrupt(opName+".json", fmt.Errorf("case %d is null", i))
		}
		if seen[c.ID] {
			return nil, corrupt(opName+".json", fmt.Errorf("case %s is there twice", c.ID))
		}
		seen[c.ID] = true
		if err := d.link(c); err != nil {
			return nil, corrupt(opName+".json", fmt.Errorf("case %s: %w", c.ID, err))
		}
		n, err := needs(f.Op, c)
		if err != nil {
			return nil, corrupt(opName+".json", fmt.Errorf("case %s: %w", c.ID, err))
		}
		if n > elements {
			return nil, fmt.Errorf("%s.json: case %s: %w: its tensors have %d, at most %d are allowed", opName, c.ID, ErrLimit, n, elements)
		}
	}
	if left := slices.Sorted(maps.Keys(d.tensors)); len(left) > 0 {
		return nil, corrupt(opName+".safetensors", fmt.Errorf("tensor %q belongs to no case", left[0]))
	}
	return f, nil
}

// needs returns how many elements the tensors of a case have, its results included, of which it says whether they have the form that the op
// table gives them. It generates no recipe.
func needs(opName string, c *Case) (total int, err error) {
	headers := func(ins []Input) []op.Tensor {
		ts := make([]op.Tensor, len(ins))
		for i, in := range ins {
			if in.DType != 0 {
				ts[i] = op.Tensor{DType: in.DType, Shape: in.Shape}
			}
		}
		return ts
	}
	add := func(ts []op.Tensor) {
		for _, t := range ts {
			if n, ok := op.Elements(t.Shape); ok && t.Present() {
				total = min(total+n, math.MaxInt/2)
			}
		}
	}
	spec := op.Spec{Op: opName, Attrs: c.Attrs, Const: headers(c.Const)}
	add(spec.Const)
	for i := range c.Steps {
		s := &c.Steps[i]
		src := headers(s.Src)
		dst, err := op.Results(spec, src, op.F32)
		if (s.Error == "shape" || s.Error == "attributes") && err != nil {
			continue
		}
		if err == nil {
			err = s.agree(dst)
		}
		if err != nil {
			return 0, fmt.Errorf("step %d: %w", i, err)
		}
		add(src)
		add(dst)
	}
	return total, nil
}

// agree reports a stored result that has not the form that the op table gives it.
func (s *Step) agree(dst []op.Tensor) error {
	for _, list := range s.Results() {
		for j, e := range list {
			if e.Present() != dst[j].Present() || !slices.Equal(e.Shape, dst[j].Shape) {
				return fmt.Errorf("%s has shape %v, the op table gives it %v", e.Name, e.Shape, dst[j].Shape)
			}
		}
	}
	return nil
}

// decoder joins cases with their tensors, taking each tensor from the map as it is used.
type decoder struct {
	file    *File
	args    []op.Argument
	tensors map[string]op.Tensor
	flags   map[string]bool // that the file explains
}

func (d *decoder) link(c *Case) error {
	name, ok := strings.CutPrefix(c.ID, d.file.Op+"/")
	switch {
	case !ok || name == "" || strings.Contains(name, "/"):
		return fmt.Errorf("id %q: want %s/name", c.ID, d.file.Op)
	case len(c.Clauses) == 0:
		return errors.New("covers no clause")
	case len(c.Steps) == 0:
		return errors.New("has no steps")
	case c.Compare != Bound && c.Compare != Exact && c.Compare != Finite:
		return fmt.Errorf("compare %q: want bound, exact or finite", c.Compare)
	case c.Accumulate != "" && c.Accumulate.Valid() != nil:
		return fmt.Errorf("accumulate: %w", c.Accumulate.Valid())
	}
	for _, flag := range c.Flags {
		if !d.flags[flag] {
			return fmt.Errorf("flag %q is not explained in flags", flag)
		}
	}
	if err := d.inputs(c.Const, op.Const, name+"/const"); err != nil {
		return err
	}
	for i := range c.Steps {
		s, prefix := &c.Steps[i], fmt.Sprintf("%s/%d", name, i)
		if err := d.inputs(s.Src, op.Src, prefix); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if err := d.results(s, prefix); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// take returns a stored tensor and strikes it off the list of those that no case uses.
func (d *decoder) take(key string) (op.Tensor, bool) {
	t, ok := d.tensors[key]
	delete(d.tensors, key)
	return t, ok
}

func (d *decoder) byRole(role op.Role) []op.Argument {
	return slices.DeleteFunc(slices.Clone(d.args), func(a op.Argument) bool { return a.Role != role })
}

func (d *decoder) inputs(ins []Input, role op.Role, prefix string) error {
	args := d.byRole(role)
	if len(ins) != len(args) {
		return fmt.Errorf("has %d %s tensors, %s takes %d", len(ins), role, d.file.Op, len(args))
	}
	for i := range ins {
		in := &ins[i]
		if in.Name != args[i].Name {
			return fmt.Errorf("%s tensor %d is %q, %s has %q there", role, i, in.Name, d.file.Op, args[i].Name)
		}
		if in.Type == "" { // absent; the op table says whether it may be
			continue
		}
		if in.Recipe != nil {
			if _, ok := op.Elements(in.Shape); !ok || in.Type != op.F32.String() {
				return fmt.Errorf("%s: a recipe for %s %v: want F32 and positive dimensions", in.Name, in.Type, in.Shape)
			}
			if err := in.Recipe.Check(); err != nil {
				return fmt.Errorf("%s: %w", in.Name, err)
			}
			in.DType = op.F32
			continue
		}
		t, ok := d.take(prefix + "/" + in.Name)
		if !ok {
			return fmt.Errorf("tensor %s/%s is missing", prefix, in.Name)
		}
		if t.DType.String() != in.Type || !slices.Equal(t.Shape, in.Shape) {
			return fmt.Errorf("tensor %s/%s is %v %v, the case says %s %v", prefix, in.Name, t.DType, t.Shape, in.Type, in.Shape)
		}
		in.DType, in.Data = t.DType, t
	}
	return nil
}

func (d *decoder) results(s *Step, prefix string) error {
	if s.Error != "" {
		if s.Fails() == nil || len(s.Dst)+len(s.Or) != 0 {
			return fmt.Errorf("expects error %q and %d results: want one of %q and no results", s.Error, len(s.Dst)+len(s.Or),
				slices.Sorted(maps.Keys(ErrorKinds)))
		}
		return nil
	}
	for n, list := range s.Results() {
		if err := d.list(list, alternative(prefix, n)); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) list(results []Expect, prefix string) error {
	args := d.byRole(op.Dst)
	if len(results) != len(args) {
		return fmt.Errorf("has %d dst tensors, %s has %d", len(results), d.file.Op, len(args))
	}
	for i := range results {
		e := &results[i]
		integers := ""
		if args[i].Types == "i64" {
			integers = op.I64.String()
		}
		switch {
		case e.Name != args[i].Name:
			return fmt.Errorf("dst tensor %d is %q, %s has %q there", i, e.Name, d.file.Op, args[i].Name)
		case !e.Present() && args[i].Of != "": // absent; the op table says whether it is
			continue
		case e.Type != integers:
			return fmt.Errorf("%s: dtype %q: want %q", e.Name, e.Type, integers)
		}
		if err := d.expect(e, prefix+"/"+e.Name); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	return nil
}

func (d *decoder) expect(e *Expect, key string) error {
	n, ok := op.Elements(e.Shape)
	if !ok || !e.Present() {
		return fmt.Errorf("shape %v: want positive dimensions, [] for a scalar", e.Shape)
	}
	if !(e.Eta >= 0) || math.IsInf(e.Eta, 1) {
		return fmt.Errorf("eta %v: want a finite number of at least 0", e.Eta)
	}
	if e.Sampled {
		t, ok := d.take(key + ".index")
		if !ok || t.DType != op.I64 || len(t.Shape) != 1 {
			return fmt.Errorf("sampled, but %s.index is not there as a list of I64", key)
		}
		for i, at := range t.I64 {
			if at < 0 || at >= int64(n) || i > 0 && at <= t.I64[i-1] {
				return fmt.Errorf("%s.index[%d] = %d: want ascending positions below %d", key, i, at, n)
			}
		}
		e.Index, n = t.I64, len(t.I64)
	}
	want, ok := d.take(key)
	if e.Integers() {
		if !ok || want.DType != op.I64 || want.Len() != n {
			return fmt.Errorf("tensor %s is not there as %d elements of I64", key, n)
		}
		e.Ints = want.I64
		return nil
	}
	if !ok || want.DType != op.F64 || want.Len() != n {
		return fmt.Errorf("tensor %s is not there as %d elements of F64", key, n)
	}
	e.Want = want.F64
	var err error
	if e.Acc, err = d.gauge(key+".acc", n); err != nil {
		return err
	}
	e.In, err = d.gauge(key+".in", n)
	return err
}

func (d *decoder) gauge(key string, n int) ([]float64, error) {
	t, ok := d.take(key)
	if !ok || t.DType != op.F32 || t.Len() != n {
		return nil, fmt.Errorf("gauge %s is not there as %d elements of F32", key, n)
	}
	for i, g := range t.F32 {
		if !(g >= 0) || math.IsInf(float64(g), 1) {
			return nil, fmt.Errorf("gauge %s[%d] is %v: want a finite number of at least 0", key, i, g)
		}
	}
	return t.Convert(op.F64).F64, nil
}
