// Package vector defines golden test vectors and reads and writes them.
//
// A set of vectors is a directory. For each op there is <op>.json, which says what the cases are, and <op>.safetensors, which holds
// their tensors under the keys case/const/name and case/step/name, so that any language reads them with a library that it has.
// MANIFEST.json lists the files with their SHA-256, and has its own. Wanted results are stored in float64 beside their gauges: how far rounding may
// carry each element, in units of roundoff (SPEC.md, appendix A).
package vector

import (
	"cmp"
	"encoding/json"
	"errors"

	"github.com/assaykit/assay/conformance/op"
)

// FormatVersion is the version of the file format that this package reads and writes.
const FormatVersion = 1

// ErrCorrupt is wrapped by every error about vectors that cannot be trusted: missing, truncated, altered or contradictory.
var ErrCorrupt = errors.New("corrupt vectors")

// ErrLimit is wrapped by the error about a case whose tensors have more elements than are allowed.
var ErrLimit = errors.New("too many elements")

// Set is a whole directory of vectors.
type Set struct {
	Manifest Manifest
	Files    []*File // in the order of their ops' names
}

// Cases returns the number of cases in the set.
func (s *Set) Cases() int {
	n := 0
	for _, f := range s.Files {
		n += len(f.Cases)
	}
	return n
}

// File holds the cases of one op.
type File struct {
	Format int     `json:"format"`
	Op     string  `json:"op"`
	Flags  []Flag  `json:"flags"`
	Cases  []*Case `json:"cases"`
}

// Flag names a kind of bug that the cases which carry it trap.
type Flag struct {
	Name string `json:"name"`
	Bug  string `json:"bug"`           // what an implementation does wrong that these cases trap
	See  string `json:"see,omitempty"` // a public example of the bug
}

// Case is one test: an op opened with attributes and constants, and one or more steps run on it in order.
type Case struct {
	ID      string          `json:"id"` // op/name
	Comment string          `json:"comment"`
	Clauses []string        `json:"clauses"` // of SPEC.md
	Flags   []string        `json:"flags,omitempty"`
	Attrs   json.RawMessage `json:"attrs"`
	Const   []Input         `json:"const,omitempty"` // in table order; an absent one has no dtype
	Steps   []Step          `json:"steps"`
	Compare Compare         `json:"compare"`
	// Accumulate is the format of the arithmetic where a clause prescribes it, whatever an implementation declares; empty elsewhere.
	Accumulate op.Format `json:"accumulate,omitempty"`
}

// Formats returns the formats in which the case is judged: the declared ones, but for an accumulation format that its clauses prescribe.
func (c *Case) Formats(declared op.Formats) op.Formats {
	declared.Accumulate = cmp.Or(c.Accumulate, declared.Accumulate)
	return declared
}

// Compare says how results are held to what is wanted.
type Compare string

// The comparisons. Whichever it is, NaN and infinities are compared by kind.
const (
	Bound  Compare = "bound"  // within the bound that the gauges and the declared formats give
	Exact  Compare = "exact"  // within one ulp: every correct order of operations is exact here
	Finite Compare = "finite" // kind only: the bound would be too wide to mean anything
)

// Step is one Run.
type Step struct {
	Src []Input  `json:"src"`
	Dst []Expect `json:"dst,omitempty"`
	// Or holds further lists of results, each complete and as right as Dst: where rounding may decide between tokens.
	Or [][]Expect `json:"or,omitempty"`
	// Error is the kind of error that Run, or Open in the first step, must return: see ErrorKinds. Empty: it must succeed.
	Error string `json:"error,omitempty"`
}

// ErrorKinds are the values that Step.Error may have, each with the sentinel that such an error wraps. An error of the boundary's sentinels
// must be of the wanted kind; one that wraps none of them is accepted.
var ErrorKinds = map[string]error{
	"index": op.ErrIndex, "position": op.ErrPosition, "capacity": op.ErrCapacity, "shape": op.ErrShape, "attributes": op.ErrAttrs,
	"number": op.ErrNumber,
}

// Fails returns the sentinel of package op for the error that the step must give; nil where it must succeed.
func (s *Step) Fails() error { return ErrorKinds[s.Error] }

// Input is a tensor given to an op. The zero DType marks an absent optional argument.
type Input struct {
	Name   string    `json:"name"`
	DType  op.DType  `json:"-"`
	Type   string    `json:"dtype,omitempty"`
	Shape  []int     `json:"shape,omitempty"`
	Recipe *Recipe   `json:"recipe,omitempty"` // large inputs are generated, not stored
	Data   op.Tensor `json:"-"`                // the stored tensor; see Tensor
}

// Tensor returns the input's values, generating those of a recipe.
func (in *Input) Tensor() op.Tensor {
	if in.Recipe != nil {
		return op.Float32(in.Recipe.Generate(in.Shape), in.Shape...)
	}
	return in.Data
}

// Tensors returns the values of inputs, the zero Tensor for one that is absent.
func Tensors(ins []Input) []op.Tensor {
	ts := make([]op.Tensor, len(ins))
	for i := range ins {
		if ins[i].DType != 0 {
			ts[i] = ins[i].Tensor()
		}
	}
	return ts
}

// Results returns the lists of results of which a step must give one, element by element: Dst, and those of Or.
func (s *Step) Results() [][]Expect { return append([][]Expect{s.Dst}, s.Or...) }

// Expect is a wanted result. One without a shape is absent: it belongs to an argument that is not given.
type Expect struct {
	Name    string `json:"name"`
	Type    string `json:"dtype,omitempty"`   // "I64" for integers, which are compared exactly; empty for floats
	Shape   []int  `json:"shape,omitzero"`    // not nil for a scalar, which has no dimensions
	Sampled bool   `json:"sampled,omitempty"` // only the elements at Index are stored
	// Eta is how many smallest normals of the storage format underflow may add, on top of the gauges.
	Eta float64 `json:"eta,omitempty"`

	Ints []int64   `json:"-"` // of integers
	Want []float64 `json:"-"` // of floats
	Acc  []float64 `json:"-"` // gauge of arithmetic, in units of the accumulation format's roundoff
	In   []float64 `json:"-"` // gauge of rounding the inputs and stored intermediates, in units of the storage format's roundoff
	// Index holds the flat positions of the stored elements, ascending, where Sampled.
	Index []int64 `json:"-"`
}

// Present reports whether the result is there.
func (e *Expect) Present() bool { return e.Shape != nil }

// Integers reports whether the result has integers.
func (e *Expect) Integers() bool { return e.Type == op.I64.String() }

// Manifest lists the files of a set.
type Manifest struct {
	Format    int                  `json:"format"`
	Spec      string               `json:"spec"`      // version of SPEC.md
	Generator string               `json:"generator"` // version of the program that wrote the set
	Cases     int                  `json:"cases"`
	Clauses   []string             `json:"clauses"` // every clause of SPEC.md, covered or not
	Files     map[string]FileEntry `json:"files"`
	SHA256    string               `json:"sha256"` // of the manifest itself, with zeros for the digits of this; EncodeManifest sets it
}

// FileEntry is what the manifest knows of one file.
type FileEntry struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}
