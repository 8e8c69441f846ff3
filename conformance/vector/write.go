package vector

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/assaykit/assay/conformance/op"
)

// Encode returns the two files of one op. Equal cases give equal bytes.
func Encode(f *File) (meta, tensors []byte, err error) {
	all := map[string]op.Tensor{}
	for _, c := range f.Cases {
		name := strings.TrimPrefix(c.ID, f.Op+"/")
		putInputs(all, c.Const, name+"/const")
		for i := range c.Steps {
			prefix := fmt.Sprintf("%s/%d", name, i)
			putInputs(all, c.Steps[i].Src, prefix)
			for n, list := range c.Steps[i].Results() {
				for j := range list {
					putExpect(all, &list[j], alternative(prefix, n))
				}
			}
		}
	}
	if meta, err = encodeMeta(f); err != nil {
		return nil, nil, err
	}
	tensors, err = EncodeSafetensors(all)
	return meta, tensors, err
}

// encodeMeta writes one flag or case a line: small, and a change of one case is a change of one line.
func encodeMeta(f *File) ([]byte, error) {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "{\"format\": %d, \"op\": %q,\n\"flags\": [", f.Format, f.Op)
	if err := encodeLines(&buf, f.Flags); err != nil {
		return nil, err
	}
	buf.WriteString("],\n\"cases\": [")
	if err := encodeLines(&buf, f.Cases); err != nil {
		return nil, err
	}
	buf.WriteString("]}\n")
	return buf.Bytes(), nil
}

func encodeLines[T any](buf *bytes.Buffer, items []T) error {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	for i, item := range items {
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.WriteByte('\n')
		if err := enc.Encode(item); err != nil {
			return err
		}
		buf.Truncate(buf.Len() - 1) // the newline that Encode ends with
	}
	return nil
}

func putInputs(all map[string]op.Tensor, ins []Input, prefix string) {
	for _, in := range ins {
		if in.DType != 0 && in.Recipe == nil {
			all[prefix+"/"+in.Name] = in.Data
		}
	}
}

// alternative returns the prefix of the keys of list n of a step's results.
func alternative(prefix string, n int) string {
	if n == 0 {
		return prefix
	}
	return fmt.Sprintf("%s/or/%d", prefix, n-1)
}

func putExpect(all map[string]op.Tensor, e *Expect, prefix string) {
	if !e.Present() {
		return
	}
	key := prefix + "/" + e.Name
	shape := e.Shape
	if e.Sampled {
		shape = []int{len(e.Index)}
		all[key+".index"] = op.Int64(e.Index, shape...)
	}
	if e.Integers() {
		all[key] = op.Int64(e.Ints, shape...)
		return
	}
	all[key] = op.Float64(e.Want, shape...)
	all[key+".acc"] = op.Float32(roundUp(e.Acc), shape...)
	all[key+".in"] = op.Float32(roundUp(e.In), shape...)
}

// roundUp rounds gauges to float32 away from zero: storing one must not tighten the bound.
func roundUp(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		if out[i] = float32(v); float64(out[i]) < v {
			out[i] = math.Nextafter32(out[i], float32(math.Inf(1)))
		}
	}
	return out
}

// Entry returns what the manifest says of a file.
func Entry(data []byte) FileEntry {
	sum := sha256.Sum256(data)
	return FileEntry{Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

// noDigest stands in a manifest for its own digest where that is computed.
var noDigest = strings.Repeat("0", 2*sha256.Size)

// EncodeManifest returns the manifest's file, with its digest set.
func EncodeManifest(m Manifest) ([]byte, error) {
	m.SHA256 = noDigest
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}
	text = append(text, '\n')
	at := bytes.LastIndex(text, []byte(noDigest))
	copy(text[at:], Entry(text).SHA256)
	return text, nil
}
