package vector

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/nlpodyssey/safetensors"

	"github.com/assaykit/assay/conformance/op"
)

// DecodeSafetensors returns the tensors of a safetensors file by name. Every allocation is bounded by len(data). F16, BF16 and the
// other element types that no op takes are errors.
func DecodeSafetensors(data []byte) (map[string]op.Tensor, error) {
	st, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, err
	}
	out := make(map[string]op.Tensor, st.Len())
	for _, named := range st.Tensors() {
		t, err := fromView(named.TensorView)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", named.Name, err)
		}
		out[named.Name] = t
	}
	return out, nil
}

// Metadata returns the texts that a safetensors file holds beside its tensors.
func Metadata(data []byte) (map[string]string, error) {
	_, m, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, err
	}
	return m.Metadata(), nil
}

func fromView(v safetensors.TensorView) (op.Tensor, error) {
	shape := make([]int, len(v.Shape()))
	for i, d := range v.Shape() {
		if d > math.MaxInt32 {
			return op.Tensor{}, fmt.Errorf("dimension %d is %d: at most %d is supported", i, d, math.MaxInt32)
		}
		shape[i] = int(d)
	}
	t := op.Tensor{Shape: shape}
	raw := v.Data()
	switch v.DType() {
	case safetensors.F32:
		t.DType, t.F32 = op.F32, make([]float32, len(raw)/4)
		for i := range t.F32 {
			t.F32[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case safetensors.F64:
		t.DType, t.F64 = op.F64, make([]float64, len(raw)/8)
		for i := range t.F64 {
			t.F64[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	case safetensors.I64:
		t.DType, t.I64 = op.I64, make([]int64, len(raw)/8)
		for i := range t.I64 {
			t.I64[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	case safetensors.BOOL:
		t.DType, t.Bool = op.Bool, make([]bool, len(raw))
		for i, b := range raw {
			if b > 1 {
				return op.Tensor{}, fmt.Errorf("element %d of a BOOL tensor is %d: want 0 or 1", i, b)
			}
			t.Bool[i] = b == 1
		}
	default:
		return op.Tensor{}, fmt.Errorf("dtype %v is not supported: want F32, F64, I64 or BOOL", v.DType())
	}
	return t, t.Check()
}

// EncodeSafetensors returns a safetensors file that holds the tensors. Equal tensors give equal bytes.
func EncodeSafetensors(tensors map[string]op.Tensor) ([]byte, error) {
	views, err := viewsOf(tensors)
	if err != nil {
		return nil, err
	}
	return safetensors.Serialize(views, nil)
}

// WriteSafetensors writes a safetensors file that holds the tensors, and texts about them.
func WriteSafetensors(w io.Writer, tensors map[string]op.Tensor, metadata map[string]string) error {
	views, err := viewsOf(tensors)
	if err != nil {
		return err
	}
	return safetensors.SerializeToWriter(views, metadata, w)
}

func viewsOf(tensors map[string]op.Tensor) (map[string]view, error) {
	views := make(map[string]view, len(tensors))
	for name, t := range tensors {
		if err := t.Check(); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		views[name] = view{t}
	}
	return views, nil
}

// view shows a tensor to the safetensors library as bytes.
type view struct{ t op.Tensor }

func (v view) DType() safetensors.DType {
	switch v.t.DType {
	case op.F32:
		return safetensors.F32
	case op.F64:
		return safetensors.F64
	case op.I64:
		return safetensors.I64
	}
	return safetensors.BOOL
}

func (v view) Shape() []uint64 {
	shape := make([]uint64, len(v.t.Shape))
	for i, d := range v.t.Shape {
		shape[i] = uint64(d)
	}
	return shape
}

func (v view) DataLen() uint64 { return uint64(v.t.Len()) * v.DType().Size() }

func (v view) Data() []byte {
	b := make([]byte, 0, v.DataLen())
	switch v.t.DType {
	case op.F32:
		for _, x := range v.t.F32 {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
	case op.F64:
		for _, x := range v.t.F64 {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	case op.I64:
		for _, x := range v.t.I64 {
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		}
	case op.Bool:
		for _, x := range v.t.Bool {
			if x {
				b = append(b, 1)
			} else {
				b = append(b, 0)
			}
		}
	}
	return b
}
