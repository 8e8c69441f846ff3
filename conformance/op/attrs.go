package op

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

func oneOf(name, got string, want ...string) error {
	for _, w := range want {
		if got == w {
			return nil
		}
	}
	return fmt.Errorf("%s = %q: want one of %q", name, got, want)
}

func nonNegative(name string, x float64) error {
	if !(x >= 0) || math.IsInf(x, 1) {
		return fmt.Errorf("%s = %v: want a finite number of at least 0", name, x)
	}
	return nil
}

func atLeast(name string, x, low int) error {
	if x < low {
		return fmt.Errorf("%s = %d: want at least %d", name, x, low)
	}
	return nil
}

func capacity(c int) error {
	if c < 1 || c > 1<<24 {
		return fmt.Errorf("capacity = %d: want from 1 to 2^24", c)
	}
	return nil
}

func positive(name string, x float64) error {
	if !(x > 0) || math.IsInf(x, 1) {
		return fmt.Errorf("%s = %v: want a finite number greater than 0", name, x)
	}
	return nil
}

func fraction(name string, x float64) error {
	if !(x >= 0 && x < 1) {
		return fmt.Errorf("%s = %v: want a number in [0, 1)", name, x)
	}
	return nil
}

// Attribute describes an attribute of an op.
type Attribute struct {
	Name    string
	Type    string
	Default string // as JSON; empty where it must be given
	Want    string // what its value must be, in the words of the error about another; empty where any of the type will do
}

// Attributes returns the attributes of an op, in the order of their declaration. What they may be is found out, not declared: each is set to
// what nothing may be, and the op says what it wants.
func Attributes(name string) ([]Attribute, error) {
	r, err := rowOf(name)
	if err != nil || r.attrs == nil {
		return nil, err
	}
	var all []Attribute
	for _, f := range reflect.VisibleFields(r.typ.FieldByIndex(r.attrs).Type) {
		tag, ok := f.Tag.Lookup("json")
		if !ok {
			continue
		}
		a := Attribute{Type: typeName(f.Type)}
		a.Name, _, _ = strings.Cut(tag, ",")
		args, attrs := r.defaults()
		value := attrs.FieldByIndex(f.Index)
		standard, err := json.Marshal(value.Interface())
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, a.Name, err)
		}
		line := refusal(args, a.Name)
		if !strings.HasPrefix(line, a.Name+" ") {
			a.Default = string(standard)
			setAbsurd(value)
			line = refusal(args, a.Name)
		}
		if i := strings.LastIndex(line, ": want "); i >= 0 {
			a.Want = line[i+len(": want "):]
		}
		all = append(all, a)
	}
	return all, nil
}

// defaults returns a pointer to a fresh argument struct with its attributes as they are unless given, and the struct of these.
func (r *row) defaults() (args any, attrs reflect.Value) {
	args = reflect.New(r.typ).Interface()
	if d, ok := args.(defaulter); ok {
		d.defaults()
	}
	return args, reflect.ValueOf(args).Elem().FieldByIndex(r.attrs)
}

// refusal returns the line about an attribute in what validation says of its struct; empty where there is none.
func refusal(args any, name string) string {
	v, ok := args.(validator)
	if !ok {
		return ""
	}
	if err := v.validate(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			if slices.Contains(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ':' || r == ',' }), name) {
				return line
			}
		}
	}
	return ""
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "a list, each " + typeName(t.Elem())
	}
	return kindNames[t.Kind()]
}

// setAbsurd sets an attribute to what no attribute may be.
func setAbsurd(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		setAbsurd(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		setAbsurd(v.Index(0))
	case reflect.Int, reflect.Int64:
		v.SetInt(math.MinInt32)
	case reflect.Float64:
		v.SetFloat(math.NaN())
	case reflect.String:
		v.SetString("?")
	}
}
