package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/assaykit/assay/conformance/op"
)

// message builds protobuf messages.
type message []byte

func (m message) varint(number protowire.Number, v int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, number, protowire.VarintType), uint64(v))
}

func (m message) text(number protowire.Number, s string) message {
	return protowire.AppendString(protowire.AppendTag(m, number, protowire.BytesType), s)
}

func (m message) float(number protowire.Number, x float32) message {
	return protowire.AppendFixed32(protowire.AppendTag(m, number, protowire.Fixed32Type), math.Float32bits(x))
}

func (m message) sub(number protowire.Number, s message) message { return m.text(number, string(s)) }

// packed appends a repeated number of a wire type.
func (m message) packed(number protowire.Number, wire protowire.Type, values ...uint64) message {
	var body message
	for _, v := range values {
		switch wire {
		case protowire.VarintType:
			body = protowire.AppendVarint(body, v)
		case protowire.Fixed32Type:
			body = protowire.AppendFixed32(body, uint32(v))
		default:
			body = protowire.AppendFixed64(body, v)
		}
	}
	return m.sub(number, body)
}

// tensorProto is a TensorProto up to its numbers.
func tensorProto(kind dataType, dims ...int64) message {
	var m message
	for _, d := range dims {
		m = m.varint(1, d)
	}
	return m.varint(2, int64(kind))
}

// float32s is a whole TensorProto, with raw_data.
func float32s(x []float32, dims ...int64) message {
	var raw []byte
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return tensorProto(float32Type, dims...).sub(9, raw)
}

func int64s(x []int64, dims ...int64) message {
	var raw []byte
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return tensorProto(int64Type, dims...).sub(9, raw)
}

func TestDecodeTensor(t *testing.T) {
	minus := func(x int64) uint64 { return uint64(-x) }
	inf, nan := math.Inf(1), math.NaN()
	for _, tt := range []struct {
		name string
		file message
		want op.Tensor
	}{
		{"float32 raw", float32s([]float32{1.5, -2}, 2), op.Float64([]float64{1.5, -2}, 2)},
		{"float32 data", tensorProto(float32Type, 2).packed(4, protowire.Fixed32Type, 0x3fc00000, 0xc0000000), op.Float64([]float64{1.5, -2}, 2)},
		{"float32 data, not packed", tensorProto(float32Type, 2).float(4, 1.5).float(4, -2), op.Float64([]float64{1.5, -2}, 2)},
		{"a scalar", float32s([]float32{3}), op.Float64([]float64{3})},
		{"packed dims", message(nil).packed(1, protowire.VarintType, 1, 2).varint(2, 1).sub(9, float32s([]float32{1, 2}, 2)[4+2:]), op.Float64([]float64{1, 2}, 1, 2)},
		{"float64 raw", tensorProto(float64Type, 1).sub(9, binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1))), op.Float64([]float64{0.1}, 1)},
		{"float64 data", tensorProto(float64Type, 1).packed(10, protowire.Fixed64Type, math.Float64bits(0.1)), op.Float64([]float64{0.1}, 1)},
		{"float16 raw", tensorProto(float16Type, 4).sub(9, message{0, 0x3e, 0, 0xc0, 1, 0, 0, 0x7c}), op.Float64([]float64{1.5, -2, 0x1p-24, inf}, 4)},
		{"float16 data", tensorProto(float16Type, 2).packed(5, protowire.VarintType, 0xfc00, 0x7e00), op.Float64([]float64{-inf, nan}, 2)},
		{"bfloat16 raw", tensorProto(bfloat16Type, 2).sub(9, message{0xc0, 0x3f, 0x80, 0xff}), op.Float64([]float64{1.5, -inf}, 2)},
		{"bfloat16 data", tensorProto(bfloat16Type, 1).packed(5, protowire.VarintType, 0x3fc0), op.Float64([]float64{1.5}, 1)},
		{"bool raw", tensorProto(boolType, 3).sub(9, message{1, 0, 1}), op.Bools([]bool{true, false, true}, 3)},
		{"bool data", tensorProto(boolType, 2).packed(5, protowire.VarintType, 0, 1), op.Bools([]bool{false, true}, 2)},
		{"int64 raw", int64s([]int64{-3, 1 << 40}, 2), op.Int64([]int64{-3, 1 << 40}, 2)},
		{"int64 data", tensorProto(int64Type, 2).packed(7, protowire.VarintType, minus(3), 1<<40), op.Int64([]int64{-3, 1 << 40}, 2)},
		{"int32 raw", tensorProto(int32Type, 1).sub(9, message{0xfe, 0xff, 0xff, 0xff}), op.Int64([]int64{-2}, 1)},
		{"int32 data", tensorProto(int32Type, 2).packed(5, protowire.VarintType, minus(2), 5), op.Int64([]int64{-2, 5}, 2)},
		{"int8 raw", tensorProto(int8Type, 2).sub(9, message{0xff, 0x7f}), op.Int64([]int64{-1, 127}, 2)},
		{"int16 data", tensorProto(int16Type, 1).packed(5, protowire.VarintType, minus(9)), op.Int64([]int64{-9}, 1)},
		{"uint8 raw", tensorProto(uint8Type, 1).sub(9, message{0xff}), op.Int64([]int64{255}, 1)},
		{"uint32 data", tensorProto(uint32Type, 1).packed(11, protowire.VarintType, 1<<32-1), op.Int64([]int64{1<<32 - 1}, 1)},
		{"an empty list", tensorProto(int64Type, 0), op.Tensor{DType: op.I64, Shape: []int{0}, I64: []int64{}}},
	} {
		got, err := decodeTensor(tt.file)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got.DType != tt.want.DType || fmt.Sprint(got.Shape) != fmt.Sprint(tt.want.Shape) || fmt.Sprint(got.F64, got.I64, got.Bool) != fmt.Sprint(tt.want.F64, tt.want.I64, tt.want.Bool) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got.Tensor, tt.want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		file message
		is   error
	}{
		{"not a message", message{0xff}, ErrCorrupt},
		{"fewer numbers than the shape says", float32s([]float32{1, 2}, 3), ErrCorrupt},
		{"more numbers than the shape says", float32s([]float32{1, 2}, 1), ErrCorrupt},
		{"a shape of 2^60 elements and no numbers", tensorProto(float32Type, 1<<30, 1<<30), ErrCorrupt},
		{"a shape of 2^60 elements and one number", tensorProto(float32Type, 1<<30, 1<<30).float(4, 1), ErrCorrupt},
		{"a dimension of 2^40", tensorProto(float32Type, 1<<40).float(4, 1), ErrCorrupt},
		{"a negative dimension", tensorProto(float32Type, -1).float(4, 1), ErrCorrupt},
		{"five bytes of float32", tensorProto(float32Type, 1).sub(9, message{0, 0, 0, 0, 0}), ErrCorrupt},
		{"raw_data as a number", tensorProto(float32Type, 1).varint(9, 1), ErrCorrupt},
		{"float_data cut off", tensorProto(float32Type, 1).sub(4, message{0, 0}), ErrCorrupt},
		{"a varint cut off", tensorProto(int64Type, 1).sub(7, message{0x80}), ErrCorrupt},
		{"strings", tensorProto(8, 1).text(6, "x"), errUnsupported},
		{"complex numbers", tensorProto(14, 1), errUnsupported},
		{"no type", message(nil).varint(1, 1), errUnsupported},
		{"an unsigned number above 2^63", tensorProto(uint64Type, 1).packed(11, protowire.VarintType, 1<<63), errUnsupported},
		{"numbers in another file", tensorProto(float32Type, 1).varint(14, 1), errUnsupported},
		{"a number in a shape without elements", tensorProto(float32Type, 0).float(4, 1), ErrCorrupt},
	} {
		if got, err := decodeTensor(tt.file); !errors.Is(err, tt.is) {
			t.Errorf("%s: got %+v, %v, want %v", tt.name, got, err, tt.is)
		}
	}
	for _, tt := range []struct {
		name string
		file message
	}{
		{"nothing", nil},
		{"two graphs", message(nil).sub(7, nil).sub(7, nil)},
		{"a graph that is a number", message(nil).varint(7, 1)},
		{"a node cut off", message(nil).sub(7, message(nil).text(1, "\x0a\x05x"))},
		{"an attribute of the wrong type", message(nil).sub(7, message(nil).sub(1, message(nil).sub(5, message(nil).varint(2, 1))))},
		{"a bad initializer", message(nil).sub(7, message(nil).sub(5, message{0xff}))},
	} {
		if m, err := decodeModel(tt.file); !errors.Is(err, ErrCorrupt) {
			t.Errorf("model: %s: got %+v, %v, want ErrCorrupt", tt.name, m, err)
		}
	}
}

func FuzzDecodeTensor(f *testing.F) {
	f.Add([]byte(float32s([]float32{1, 2}, 2)))
	f.Add([]byte(tensorProto(float16Type, 2).packed(5, protowire.VarintType, 0xfc00, 0x7e00)))
	f.Add([]byte(tensorProto(float32Type, 1<<30, 1<<30)))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeTensor(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, errUnsupported) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		if n := got.Len(); n > len(data)+1 {
			t.Errorf("%d elements from %d bytes", n, len(data))
		}
		if got.Len() > 0 {
			if err := got.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
