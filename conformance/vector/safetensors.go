package vector

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/nlpodyssey/safetensors"

	"github.com/assaykit/assay/conformance/op"
)

// maxHeader is the size past which the header of a safetensors file is refused: what is made of it is larger.
const maxHeader = 16 << 20

// DecodeSafetensors returns the tensors of a safetensors file by name. Every allocation is bounded by len(data). F16, BF16 and the
// other element types that no op takes are errors.
func DecodeSafetensors(data []byte) (map[string]op.Tensor, error) {
	return decodeSafetensors(data, math.MaxInt, false)
}

// WidenSafetensors is DecodeSafetensors for files that are not ours: narrower floats come back as F32 and narrower integers as I64, which
// changes none of their numbers. More elements than the limit, in all tensors together, are an error that wraps ErrLimit.
func WidenSafetensors(data []byte, elements int) (map[string]op.Tensor, error) {
	return decodeSafetensors(data, elements, true)
}

func decodeSafetensors(data []byte, elements int, widen bool) (map[string]op.Tensor, error) {
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	st, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, err
	}
	views := st.Tensors()
	total := uint64(0)
	for _, v := range views { // the library has held the data to the shapes
		if total += uint64(len(v.TensorView.Data())) / v.TensorView.DType().Size(); total > uint64(elements) {
			return nil, fmt.Errorf("%w: the tensors up to %q have %d, at most %d are allowed", ErrLimit, v.Name, total, elements)
		}
	}
	out := make(map[string]op.Tensor, len(views))
	for _, v := range views {
		if out[v.Name], err = fromView(v.TensorView, widen); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", v.Name, err)
		}
	}
	return out, nil
}

// checkHeader reports a header that is too large to be read, and names that stand in it twice, of which the library would take the last.
func checkHeader(data []byte) error {
	if len(data) < 8 {
		return fmt.Errorf("%d bytes are no safetensors file", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	switch rest := data[8:]; {
	case n > uint64(len(rest)):
		return fmt.Errorf("a header of %d bytes in a file of %d", n, len(data))
	case n > maxHeader:
		return fmt.Errorf("a header of %d bytes: at most %d are read", n, maxHeader)
	default:
		return op.DecodeJSON(rest[:n], new(map[string]json.RawMessage))
	}
}

// Metadata returns the texts that a safetensors file holds beside its tensors.
func Metadata(data []byte) (map[string]string, error) {
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	_, m, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, err
	}
	return m.Metadata(), nil
}

// The element types that no op takes, and that have all their numbers in one that some do.
var (
	narrowFloats = map[safetensors.DType]op.Format{safetensors.F16: op.Float16Format, safetensors.BF16: op.BFloat16Format}
	narrowInts   = map[safetensors.DType]func(raw []byte) int64{
		safetensors.I8:  func(b []byte) int64 { return int64(int8(b[0])) },
		safetensors.U8:  func(b []byte) int64 { return int64(b[0]) },
		safetensors.I16: func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) },
		safetensors.U16: func(b []byte) int64 { return int64(binary.LittleEndian.Uint16(b)) },
		safetensors.I32: func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) },
		safetensors.U32: func(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b)) },
	}
)

func fromView(v safetensors.TensorView, widen bool) (op.Tensor, error) {
	shape := make([]int, len(v.Shape()))
	for i, d := range v.Shape() {
		if d > math.MaxInt32 {
			return op.Tensor{}, fmt.Errorf("dimension %d is %d: at most %d is supported", i, d, math.MaxInt32)
		}
		shape[i] = int(d)
	}
	t := op.Tensor{Shape: shape}
	raw := v.Data()
	format, integer := narrowFloats[v.DType()], narrowInts[v.DType()]
	switch {
	case v.DType() == safetensors.F32:
		t.DType, t.F32 = op.F32, make([]float32, len(raw)/4)
		for i := range t.F32 {
			t.F32[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case v.DType() == safetensors.F64:
		t.DType, t.F64 = op.F64, make([]float64, len(raw)/8)
		for i := range t.F64 {
			t.F64[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	case v.DType() == safetensors.I64:
		t.DType, t.I64 = op.I64, make([]int64, len(raw)/8)
		for i := range t.I64 {
			t.I64[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	case v.DType() == safetensors.BOOL:
		t.DType, t.Bool = op.Bool, make([]bool, len(raw))
		for i, b := range raw {
			if b > 1 {
				return op.Tensor{}, fmt.Errorf("element %d of a BOOL tensor is %d: want 0 or 1", i, b)
			}
			t.Bool[i] = b == 1
		}
	case widen && format != "":
		t.DType, t.F32 = op.F32, make([]float32, len(raw)/2)
		for i := range t.F32 {
			t.F32[i] = float32(format.Number(binary.LittleEndian.Uint16(raw[2*i:])))
		}
	case widen && integer != nil:
		size := int(v.DType().Size())
		t.DType, t.I64 = op.I64, make([]int64, len(raw)/size)
		for i := range t.I64 {
			t.I64[i] = integer(raw[size*i:])
		}
	case widen:
		return op.Tensor{}, fmt.Errorf("dtype %v is not supported: want a float, an integer that I64 holds, or BOOL", v.DType())
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
