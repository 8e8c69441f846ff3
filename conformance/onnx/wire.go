package onnx

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrCorrupt is wrapped by every error about a file that is not what ONNX says it is: cut off, contradictory or out of range.
var ErrCorrupt = errors.New("corrupt file")

// field is one field of a message: a number, or bytes.
type field struct {
	number protowire.Number
	wire   protowire.Type
	value  uint64 // of a varint, or the bits of a fixed32 or fixed64
	bytes  []byte
}

// fields calls f with each field of a message, in order.
func fields(message []byte, f func(field) error) error {
	for len(message) > 0 {
		number, wire, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrCorrupt, protowire.ParseError(n))
		}
		message = message[n:]
		x := field{number: number, wire: wire}
		switch wire {
		case protowire.VarintType:
			x.value, n = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(message)
			x.value = uint64(v)
		case protowire.Fixed64Type:
			x.value, n = protowire.ConsumeFixed64(message)
		case protowire.BytesType:
			x.bytes, n = protowire.ConsumeBytes(message)
		default: // groups, which ONNX does not use
			n = protowire.ConsumeFieldValue(number, wire, message)
		}
		if n < 0 {
			return fmt.Errorf("%w: field %d: %w", ErrCorrupt, number, protowire.ParseError(n))
		}
		message = message[n:]
		if err := f(x); err != nil {
			return fmt.Errorf("field %d: %w", number, err)
		}
	}
	return nil
}

// want reports that a field has another wire type than its schema says.
func (x field) want(wire protowire.Type) error {
	if x.wire != wire {
		return fmt.Errorf("%w: wire type %d, want %d", ErrCorrupt, x.wire, wire)
	}
	return nil
}

func (x field) text(to *string) error {
	*to = string(x.bytes)
	return x.want(protowire.BytesType)
}

func (x field) integer(to *int64) error {
	*to = int64(x.value)
	return x.want(protowire.VarintType)
}

func (x field) float(to *float64) error {
	*to = float64(math.Float32frombits(uint32(x.value)))
	return x.want(protowire.Fixed32Type)
}

// numbers appends the elements of a repeated number, packed or not.
func (x field) numbers(wire protowire.Type, to *[]uint64) error {
	if x.wire == wire {
		*to = append(*to, x.value)
		return nil
	}
	if err := x.want(protowire.BytesType); err != nil {
		return err
	}
	for data := x.bytes; len(data) > 0; {
		var v uint64
		var n int
		switch wire {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var w uint32
			w, n = protowire.ConsumeFixed32(data)
			v = uint64(w)
		default:
			v, n = protowire.ConsumeFixed64(data)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrCorrupt, protowire.ParseError(n))
		}
		*to, data = append(*to, v), data[n:]
	}
	return nil
}
