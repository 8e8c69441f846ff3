package op_test

import (
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestBound(t *testing.T) {
	float32s := op.Formats{Storage: op.Float32Format, Accumulate: op.Float32Format}
	narrow := op.Formats{Storage: op.BFloat16Format, Accumulate: op.Float32Format}
	g := op.Gauge{Acc: 3, In: 5, Eta: 7}
	for _, tt := range []struct {
		name    string
		formats op.Formats
		want    float64
		from    op.Origin
		bound   float64
	}{
		{"float32", float32s, -2, op.Stored, 2*0x1p-24*(3+2) + 7*0x1p-126},
		{"inputs are rounded to narrow storage", narrow, -2, op.Stored, 2*(0x1p-24*3+0x1p-8*(2+5)) + 7*0x1p-126},
		{"inputs in bfloat16 are not", narrow, -2, op.Origin{Inputs: op.BFloat16Format}, 2*(0x1p-24*3+0x1p-8*2) + 7*0x1p-126},
		{"what is wanted has roundings too", float32s, 2, op.Origin{Inputs: op.Float32Format, Roundoff: 0x1p-24}, 4*0x1p-24*(3+2) + 7*0x1p-126},
	} {
		if got := tt.formats.Bound(tt.want, g, tt.from); got != tt.bound {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.bound)
		}
	}
}
