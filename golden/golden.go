// Package golden holds the golden vectors, embedded. They are written by tools/gengolden and read by package vector.
package golden

import (
	"embed"
	"sync"

	"github.com/assaykit/assay/conformance/vector"
)

// FS holds the files of the set: for each op its cases and their tensors, the schema of the former, and the manifest.
//
//go:embed *.json *.safetensors
var FS embed.FS

// Load reads and checks the set, once. Errors wrap vector.ErrCorrupt.
var Load = sync.OnceValues(func() (*vector.Set, error) { return vector.Load(FS) })
