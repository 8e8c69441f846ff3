package op_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

// A result that belongs to an argument is there exactly where the argument is, in Shapes and in every call.
func TestResultsOfOptionalArguments(t *testing.T) {
	draws, token := i64(3), i64(3)
	for _, tt := range []struct {
		name    string
		w, x    op.Tensor
		want    string      // dtypes that Shapes gives
		refused []op.Tensor // dw and dx that Run refuses
		says    string
	}{
		{"both", f32(5), f32(3, 5), "[I64 F32 F32]", []op.Tensor{absent, f32(3, 5)}, "probe: invalid shape: dw is missing"},
		{"constant only", f32(5), absent, "[I64 F32 absent]", []op.Tensor{f32(5), f32(3, 5)}, "probe: invalid shape: dx is given, but x is not"},
		{"source only", absent, f32(3, 5), "[I64 absent F32]", []op.Tensor{f32(5), f32(3, 5)}, "dw is given, but w is not"},
		{"the other source", absent, f32(3, 5), "[I64 absent F32]", []op.Tensor{absent, absent}, "dx is missing"},
		{"none", absent, absent, "[I64 absent absent]", []op.Tensor{absent, f32(3, 5)}, "dx is given, but x is not"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec, src := op.Spec{Op: "probe", Const: []op.Tensor{tt.w}}, []op.Tensor{tt.x, draws}
			dst, err := op.Shapes(spec, src, op.F32)
			if err != nil {
				t.Fatal(err)
			}
			var got []op.DType
			for _, d := range dst {
				got = append(got, d.DType)
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("Shapes gives %v, want %v", got, tt.want)
			}
			k, err := op.Func(func(op.ProbeArgs) error { return nil }).Open(spec)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // presence is that of each call, not of the one before
				if err := k.Run(dst, src); err != nil {
					t.Errorf("Run refuses what Shapes gives: %v", err)
				}
				err = k.Run(append([]op.Tensor{token}, tt.refused...), src)
				if !errors.Is(err, op.ErrShape) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want an error that says %q", err, tt.says)
				}
			}
			if err := op.Validate(spec, append([]op.Tensor{token}, tt.refused...), src); !errors.Is(err, op.ErrShape) {
				t.Errorf("Validate: got %v", err)
			}
		})
	}
}

func TestIntegerResults(t *testing.T) {
	spec := op.Spec{Op: "probe", Const: []op.Tensor{absent}}
	src := []op.Tensor{absent, i64(3)}
	dst, err := op.Shapes(spec, src, op.F64)
	if err != nil || dst[0].DType != op.I64 || len(dst[0].I64) != 3 {
		t.Fatalf("got %v, %v", dst, err)
	}
	if err := op.Validate(spec, []op.Tensor{f32(3), absent, absent}, src); !errors.Is(err, op.ErrDType) {
		t.Errorf("a float destination for tokens: got %v, want ErrDType", err)
	}
}

type ofNothing struct {
	X op.Tensor `src:"x" shape:"N"`
	Y op.Tensor `dst:"y,of=z" shape:"N"`
}

type ofResult struct {
	X op.Tensor `src:"x" shape:"N"`
	Y op.Tensor `dst:"y" shape:"N"`
	Z op.Tensor `dst:"z,of=y" shape:"N"`
}

type sourceOf struct {
	X op.Tensor `src:"x" shape:"N"`
	Y op.Tensor `src:"y,of=x" shape:"N"`
}

type misspelt struct {
	X op.Tensor `src:"x,optionel" shape:"N"`
}

func (ofNothing) Op() string { return "of nothing" }
func (ofResult) Op() string  { return "of result" }
func (sourceOf) Op() string  { return "source of" }
func (misspelt) Op() string  { return "misspelt" }

// A tag that means nothing is a mistake in the source.
func TestBadTagsPanic(t *testing.T) {
	for _, a := range []op.Args{ofNothing{}, ofResult{}, sourceOf{}, misspelt{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", a.Op())
				}
			}()
			op.NewRow(a)
		}()
	}
}
