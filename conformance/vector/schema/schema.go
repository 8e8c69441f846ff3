// Package schema holds the files of a set of vectors to their JSON schema, golden/schema.json. It stands apart from package vector, so
// that a kernel author who imports the suite does not import a schema validator.
package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
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

// Validate holds every <op>.json of a set that vector.Load has accepted to the embedded schema. Errors wrap vector.ErrCorrupt and name
// the file and the place.
func Validate(fsys fs.FS, set *vector.Set) error {
	s, err := compiled()
	if err != nil {
		return err
	}
	for _, f := range set.Files {
		name := f.Op + ".json"
		raw, err := fs.ReadFile(fsys, name)
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
