package mutant

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func TestFloat64IsUnsupported(t *testing.T) {
	k, err := correct().Open(op.Spec{Op: "relu"})
	if err != nil {
		t.Fatal(err)
	}
	x, y := op.New(op.F64, 3), op.New(op.F64, 3)
	if err := k.Run([]op.Tensor{y}, []op.Tensor{x}); !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("Run: got %v", err)
	}
	if _, err := correct().Open(op.Spec{Op: "linear", Const: []op.Tensor{op.New(op.F64, 2, 2), {}}}); !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("Open: got %v", err)
	}
}

// The files of the families register what they have: an op without a function or a planted bug of no op would otherwise not be judged.
func TestEveryOpIsRegistered(t *testing.T) {
	for _, name := range op.Names() {
		if offered[name] == nil {
			t.Errorf("%s is not offered: the file of its family wants a function and var _ = offer((*plain).function)", name)
		}
		if planted[name] == nil {
			t.Errorf("%s has no planted bugs: the file of its family wants var _ = plant([]bug{...})", name)
		}
	}
	for _, registered := range []map[string][]bug{planted, inBuffers} {
		for name, bugs := range registered {
			if !slices.Contains(op.Names(), name) {
				t.Errorf("%s is planted in %s, which is no op", bugs[0].id, name)
			}
		}
	}
}

// A part that no family sets is nil, and panics in the one case that comes to it.
func TestEveryPartIsSet(t *testing.T) {
	var check func(parts reflect.Value)
	check = func(parts reflect.Value) {
		for i := range parts.NumField() {
			switch field := parts.Type().Field(i); {
			case field.Anonymous:
				check(parts.Field(i))
			case field.Type.Kind() == reflect.Func && parts.Field(i).IsNil():
				t.Errorf("%s.%s is not set: the file of its family wants it in its parts", parts.Type().Name(), field.Name)
			}
		}
	}
	check(reflect.ValueOf(correct()).Elem())
}
