// Package schema holds a set of vectors from elsewhere to what the embedded set says of all: to its JSON schema, golden/schema.json, its version
// of SPEC.md and the clauses of that. It stands apart from package vector, so that a kernel author who imports the suite does not import a
// schema validator.
package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
	"github.com/assaykit/assay/internal/input"
)

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	raw, err := golden.FS.ReadFile(vector.SchemaName)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(vector.SchemaName, doc); err != nil {
		return nil, err
	}
	return c.Compile(vector.SchemaName)
})

// Validate holds a set that vector.Load has accepted to the embedded one: every <op>.json to its schema, the manifest to its specification. A
// set may have cases of some clauses only, but it lists all of them, so that a report says how many its cases cover. Errors wrap
// vector.ErrCorrupt and name the file and the place.
func Validate(fsys fs.FS, set *vector.Set) error {
	own, err := vector.LoadManifest(golden.FS)
	if err != nil {
		return err
	}
	if err := sameSpec(&set.Manifest, own); err != nil {
		return fmt.Errorf("%w: %s: %w", vector.ErrCorrupt, vector.ManifestName, err)
	}
	s, err := compiled()
	if err != nil {
		return err
	}
	for _, f := range set.Files {
		name := f.Op + ".json"
		raw, err := input.ReadFS(fsys, name, set.Manifest.Files[name].Bytes)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", vector.ErrCorrupt, name, err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return fmt.Errorf("%w: %s: %w", vector.ErrCorrupt, name, err)
		}
		var bad *jsonschema.ValidationError
		if err := s.Validate(doc); errors.As(err, &bad) {
			return fmt.Errorf("%w: %s breaks %s: %w", vector.ErrCorrupt, name, vector.SchemaName, bad)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// sameSpec reports how the specification of a manifest differs from that of the embedded one.
func sameSpec(m, own *vector.Manifest) error {
	if m.Spec != own.Spec {
		return fmt.Errorf("is of SPEC.md %s: this program knows %s", m.Spec, own.Spec)
	}
	for _, clause := range m.Clauses {
		if !slices.Contains(own.Clauses, clause) {
			return fmt.Errorf("lists clause %s, which SPEC.md %s does not have", clause, own.Spec)
		}
	}
	for _, clause := range own.Clauses {
		if !slices.Contains(m.Clauses, clause) {
			return fmt.Errorf("does not list clause %s: want all of SPEC.md %s, covered or not", clause, own.Spec)
		}
	}
	return nil
}
