package vector

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
)

// ManifestName is the name of the manifest's file.
const ManifestName = "MANIFEST.json"

// The sizes past which a file is refused before it is read, and a recipe before it is generated.
const (
	maxFile   = 256 << 20
	maxRecipe = 1 << 28 // elements
)

// Load reads and checks a set of vectors: every file against the manifest's size and SHA-256, every case for consistency with its
// tensors. Errors wrap ErrCorrupt and name the file, the case and the reason. Nothing is allocated on the word of a header alone.
func Load(fsys fs.FS) (*Set, error) {
	raw, err := readFile(fsys, ManifestName, -1)
	if err != nil {
		return nil, err
	}
	s := &Set{}
	if err := decodeStrict(raw, &s.Manifest); err != nil {
		return nil, corrupt(ManifestName, err)
	}
	if s.Manifest.Format != FormatVersion {
		return nil, corrupt(ManifestName, fmt.Errorf("format %d: this program reads format %d", s.Manifest.Format, FormatVersion))
	}
	if err := unlisted(fsys, s.Manifest.Files); err != nil {
		return nil, err
	}
	content := make(map[string][]byte, len(s.Manifest.Files))
	for _, name := range slices.Sorted(maps.Keys(s.Manifest.Files)) {
		if content[name], err = readListed(fsys, name, s.Manifest.Files[name]); err != nil {
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
		f, err := DecodeFile(opName, content[name], tensors)
		if err != nil {
			return nil, err
		}
		s.Files = append(s.Files, f)
	}
	if len(s.Files) == 0 {
		return nil, corrupt(ManifestName, errors.New("lists no op"))
	}
	if got := s.Cases(); got != s.Manifest.Cases {
		return nil, corrupt(ManifestName, fmt.Errorf("counts %d cases, the files hold %d", s.Manifest.Cases, got))
	}
	return s, nil
}

// SchemaName is the name of the JSON schema that the <op>.json files follow.
const SchemaName = "schema.json"

func corrupt(file string, err error) error { return fmt.Errorf("%w: %s: %w", ErrCorrupt, file, err) }

// readFile reads a file whose size is known from its directory entry, want or at most maxFile, before anything is allocated.
func readFile(fsys fs.FS, name string, want int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, corrupt(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, corrupt(name, err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, corrupt(name, errors.New("is not a regular file"))
	case want >= 0 && info.Size() != want:
		return nil, corrupt(name, fmt.Errorf("has %d bytes, the manifest says %d: the file is truncated or altered", info.Size(), want))
	case info.Size() > maxFile:
		return nil, corrupt(name, fmt.Errorf("has %d bytes: at most %d are read", info.Size(), maxFile))
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, corrupt(name, err)
	}
	return data, nil
}

func readListed(fsys fs.FS, name string, entry FileEntry) ([]byte, error) {
	if name != path.Base(name) || !fs.ValidPath(name) {
		return nil, corrupt(ManifestName, fmt.Errorf("lists %q: want a plain file name", name))
	}
	data, err := readFile(fsys, name, entry.Bytes)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != entry.SHA256 {
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

func decodeStrict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("has data after its JSON value")
	}
	return nil
}

// DecodeFile reads the cases of one op from its two files and checks them against each other and the op table.
func DecodeFile(opName string, meta, tensors []byte) (*File, error) {
	f := new(File)
	if err := decodeStrict(meta, f); err != nil {
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
	d := decoder{file: f, args: args, tensors: all}
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
	}
	for key := range d.tensors { // what is left belongs to no case
		return nil, corrupt(opName+".safetensors", fmt.Errorf("tensor %q belongs to no case", key))
	}
	return f, nil
}

// decoder joins cases with their tensors, taking each tensor from the map as it is used.
type decoder struct {
	file    *File
	args    []op.Argument
	tensors map[string]op.Tensor
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
		if !slices.ContainsFunc(d.file.Flags, func(f Flag) bool { return f.Name == flag }) {
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
			n, ok := op.Elements(in.Shape)
			if !ok || n > maxRecipe || in.Type != op.F32.String() {
				return fmt.Errorf("%s: a recipe for %s %v: want F32 and at most %d elements", in.Name, in.Type, in.Shape, maxRecipe)
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
