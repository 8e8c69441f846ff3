package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/assaykit/assay/conformance/op"
)

// dataType is TensorProto.DataType.
type dataType int64

// The element types that are read. Integers of all widths are held as int64.
const (
	float32Type  dataType = 1
	uint8Type    dataType = 2
	int8Type     dataType = 3
	uint16Type   dataType = 4
	int16Type    dataType = 5
	int32Type    dataType = 6
	int64Type    dataType = 7
	boolType     dataType = 9
	float16Type  dataType = 10
	float64Type  dataType = 11
	uint32Type   dataType = 12
	uint64Type   dataType = 13
	bfloat16Type dataType = 16
)

// element says how a data type is encoded: its bytes in raw_data, the field that holds it otherwise, and what its bits mean.
type element struct {
	name   string
	size   int
	field  protowire.Number
	format op.Format // of a float
	float  func(bits uint64) float64
	signed bool
}

// The repeated fields of a TensorProto.
const (
	floatData  = 4
	int32Data  = 5
	int64Data  = 7
	doubleData = 10
	uint64Data = 11
)

var elements = map[dataType]element{
	float32Type:  {name: "float32", size: 4, field: floatData, format: op.Float32Format, float: float32bits},
	float64Type:  {name: "float64", size: 8, field: doubleData, format: op.Float64Format, float: math.Float64frombits},
	float16Type:  {name: "float16", size: 2, field: int32Data, format: op.Float16Format, float: float16bits},
	bfloat16Type: {name: "bfloat16", size: 2, field: int32Data, format: op.BFloat16Format, float: bfloat16bits},
	boolType:     {name: "bool", size: 1, field: int32Data},
	uint8Type:    {name: "uint8", size: 1, field: int32Data},
	int8Type:     {name: "int8", size: 1, field: int32Data, signed: true},
	uint16Type:   {name: "uint16", size: 2, field: int32Data},
	int16Type:    {name: "int16", size: 2, field: int32Data, signed: true},
	int32Type:    {name: "int32", size: 4, field: int32Data, signed: true},
	int64Type:    {name: "int64", size: 8, field: int64Data, signed: true},
	uint32Type:   {name: "uint32", size: 4, field: uint64Data},
	uint64Type:   {name: "uint64", size: 8, field: uint64Data},
}

func (d dataType) String() string {
	if e, ok := elements[d]; ok {
		return e.name
	}
	return fmt.Sprintf("data type %d", int64(d))
}

func float32bits(bits uint64) float64 { return float64(math.Float32frombits(uint32(bits))) }

func float16bits(bits uint64) float64 { return op.Float16Format.Number(uint16(bits)) }

func bfloat16bits(bits uint64) float64 { return op.BFloat16Format.Number(uint16(bits)) }

// tensor is a TensorProto. Its numbers are F64 for every float type, I64 for every integer type, or Bool, whatever they were stored as;
// kind says what that was. The zero tensor is absent.
type tensor struct {
	name string
	kind dataType
	op.Tensor
}

// rawTensor is a TensorProto before its numbers are read.
type rawTensor struct {
	dims     []uint64
	kind     int64
	raw      []byte
	hasRaw   bool
	values   map[protowire.Number][]uint64
	external bool
}

func decodeTensor(data []byte) (tensor, error) {
	r := rawTensor{values: map[protowire.Number][]uint64{}}
	var t tensor
	err := fields(data, func(x field) error {
		switch x.number {
		case 1:
			return x.numbers(protowire.VarintType, &r.dims)
		case 2:
			return x.integer(&r.kind)
		case floatData:
			return r.collect(x, protowire.Fixed32Type)
		case int32Data, int64Data, uint64Data:
			return r.collect(x, protowire.VarintType)
		case doubleData:
			return r.collect(x, protowire.Fixed64Type)
		case 8:
			return x.text(&t.name)
		case 9:
			r.raw, r.hasRaw = x.bytes, true
			return x.want(protowire.BytesType)
		case 3, 13, 14:
			r.external = r.external || x.value != 0 || len(x.bytes) > 0
		}
		return nil
	})
	if err == nil {
		t.kind = dataType(r.kind)
		t.Tensor, err = r.decode()
	}
	if err != nil {
		return tensor{}, fmt.Errorf("tensor %.40q: %w", t.name, err)
	}
	return t, nil
}

func (r *rawTensor) collect(x field, wire protowire.Type) error {
	values := r.values[x.number]
	err := x.numbers(wire, &values)
	r.values[x.number] = values
	return err
}

// decode returns the numbers. It allocates no more than the file holds.
func (r *rawTensor) decode() (op.Tensor, error) {
	e, ok := elements[dataType(r.kind)]
	switch {
	case !ok:
		return op.Tensor{}, fmt.Errorf("%w: %v", errUnsupported, dataType(r.kind))
	case r.external:
		return op.Tensor{}, fmt.Errorf("%w: numbers in another file, or in segments", errUnsupported)
	}
	shape := make([]int, len(r.dims))
	for i, d := range r.dims {
		if d > math.MaxInt32 {
			return op.Tensor{}, fmt.Errorf("%w: dimension %d", ErrCorrupt, int64(d))
		}
		shape[i] = int(d)
	}
	bits, err := r.bits(e)
	if err != nil {
		return op.Tensor{}, err
	}
	n, ok := op.Elements(shape)
	switch {
	case slices.Contains(shape, 0) && len(bits) == 0: // no op sees it
		return op.Tensor{DType: e.dtype(dataType(r.kind)), Shape: shape}, nil
	case !ok || n != len(bits):
		return op.Tensor{}, fmt.Errorf("%w: shape %v with %d elements", ErrCorrupt, shape, len(bits))
	}
	return e.tensor(dataType(r.kind), bits, shape)
}

// bits returns the elements' bits: those of raw_data, little-endian, or those of the typed field.
func (r *rawTensor) bits(e element) ([]uint64, error) {
	if !r.hasRaw {
		return r.values[e.field], nil
	}
	if len(r.raw)%e.size != 0 {
		return nil, fmt.Errorf("%w: %d bytes of %s", ErrCorrupt, len(r.raw), e.name)
	}
	bits := make([]uint64, len(r.raw)/e.size)
	for i := range bits {
		var word [8]byte
		copy(word[:], r.raw[i*e.size:(i+1)*e.size])
		bits[i] = binary.LittleEndian.Uint64(word[:])
	}
	return bits, nil
}

// dtype is the element type that the numbers are held in.
func (e element) dtype(kind dataType) op.DType {
	switch {
	case e.float != nil:
		return op.F64
	case kind == boolType:
		return op.Bool
	}
	return op.I64
}

func (e element) tensor(kind dataType, bits []uint64, shape []int) (op.Tensor, error) {
	t := op.New(e.dtype(kind), shape...)
	for i, b := range bits {
		if t.DType == op.F64 {
			t.F64[i] = e.float(b)
		} else if t.DType == op.Bool {
			t.Bool[i] = b != 0
		} else if e.signed { // extend the sign: raw_data has the type's width, int32_data has 64 bits
			shift := 64 - 8*e.size
			t.I64[i] = int64(b<<shift) >> shift
		} else if t.I64[i] = int64(b); t.I64[i] < 0 {
			return op.Tensor{}, fmt.Errorf("%w: %s %d", errUnsupported, e.name, b)
		}
	}
	return t, nil
}
