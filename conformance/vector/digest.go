package vector

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/assaykit/assay/conformance/op"
)

// Digest returns a SHA-256, in hex, of the cases and all numbers of the set: of what an implementation is held to, however it is stored.
// The error is that of attributes which are no JSON; no set that Load returns has them.
func (s *Set) Digest() (string, error) {
	h := sha256.New()
	var err error
	write := func(data any) { err = errors.Join(err, binary.Write(h, binary.LittleEndian, data)) }
	tensor := func(t op.Tensor) {
		for _, data := range []any{t.F32, t.F64, t.I64, t.Bool} {
			write(data)
		}
	}
	for _, f := range s.Files {
		meta, jsonErr := json.Marshal(f)
		err = errors.Join(err, jsonErr)
		write(meta)
		for _, c := range f.Cases {
			for _, in := range c.Const {
				tensor(in.Data)
			}
			for _, step := range c.Steps {
				for _, in := range step.Src {
					tensor(in.Data)
				}
				for _, results := range step.Results() {
					for _, e := range results {
						for _, data := range []any{e.Ints, e.Want, e.Acc, e.In, e.Index} {
							write(data)
						}
					}
				}
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), err
}
