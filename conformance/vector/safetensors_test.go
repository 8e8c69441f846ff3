package vector_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// file returns a safetensors file with this header and data.
func file(header string, data ...byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// one returns a file of one tensor x.
func one(dtype string, elements int, data ...byte) []byte {
	return file(fmt.Sprintf(`{"x":{"dtype":%q,"shape":[%d],"data_offsets":[0,%d]}}`, dtype, elements, len(data)), data...)
}

func TestWideningIsExact(t *testing.T) {
	for _, c := range []struct {
		dtype string
		data  []byte
		want  op.Tensor
	}{
		{"F16", []byte{0x00, 0x3e, 0x00, 0xc0, 0x01, 0x00}, op.Float32([]float32{1.5, -2, 0x1p-24}, 3)},
		{"BF16", []byte{0xc0, 0x3f, 0x00, 0xc0, 0x80, 0x7f}, op.Float32([]float32{1.5, -2, float32(math.Inf(1))}, 3)},
		{"F32", []byte{0, 0, 0xc0, 0x3f}, op.Float32([]float32{1.5}, 1)},
		{"I8", []byte{0x7f, 0x80}, op.Int64([]int64{127, -128}, 2)},
		{"U8", []byte{0x7f, 0x80}, op.Int64([]int64{127, 128}, 2)},
		{"I16", []byte{0xff, 0xff, 0x00, 0x80}, op.Int64([]int64{-1, -1 << 15}, 2)},
		{"U16", []byte{0xff, 0xff}, op.Int64([]int64{1<<16 - 1}, 1)},
		{"I32", []byte{0xff, 0xff, 0xff, 0xff}, op.Int64([]int64{-1}, 1)},
		{"U32", []byte{0xff, 0xff, 0xff, 0xff}, op.Int64([]int64{1<<32 - 1}, 1)},
		{"BOOL", []byte{1, 0}, op.Bools([]bool{true, false}, 2)},
	} {
		t.Run(c.dtype, func(t *testing.T) {
			data := one(c.dtype, c.want.Len(), c.data...)
			got, err := vector.WidenSafetensors(data, c.want.Len())
			require.NoError(t, err)
			require.Equal(t, map[string]op.Tensor{"x": c.want}, got)
			_, err = vector.WidenSafetensors(data, c.want.Len()-1)
			require.ErrorIs(t, err, vector.ErrLimit)
			_, err = vector.DecodeSafetensors(data)
			if c.dtype == "F32" || c.dtype == "BOOL" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "is not supported: want F32, F64, I64 or BOOL")
			}
		})
	}
	_, err := vector.WidenSafetensors(one("U64", 1, make([]byte, 8)...), 1)
	require.ErrorContains(t, err, "U64 is not supported")
}

func TestHeadersAreRefused(t *testing.T) {
	const x = `"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	for _, c := range []struct {
		name string
		data []byte
		says string
	}{
		{"name twice", file("{"+x+","+x+"}", 1, 2, 3, 4), `"x" is there twice`},
		{"member twice", file(`{"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 1, 2, 3, 4), `"dtype" is there twice`},
		{"no header", []byte{1, 2, 3}, "3 bytes are no safetensors file"},
		{"longer than the file", append(binary.LittleEndian.AppendUint64(nil, 1<<40), '{', '}'), "a header of 1099511627776 bytes in a file of 10"},
		{"longer than any", file(string(make([]byte, 16<<20+1))), "at most 16777216 are read"},
		{"cut off", file(`{"x":`), "unexpected end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vector.DecodeSafetensors(c.data)
			require.ErrorContains(t, err, c.says)
			_, err = vector.Metadata(c.data)
			require.ErrorContains(t, err, c.says)
		})
	}
}
