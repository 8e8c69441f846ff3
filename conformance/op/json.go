package op

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// DecodeJSON sets what into points to from one JSON value. It is strict where encoding/json is not: a member that is there twice, that the
// struct does not have, or that it has in other letter case is an error, and so is data after the value. Errors name members, not Go types.
func DecodeJSON(data []byte, into any) error {
	var syntax json.RawMessage // also bounds how deep values nest
	if err := json.Unmarshal(data, &syntax); err != nil {
		return err
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(data)), known: map[reflect.Type]map[string]reflect.Type{}}
	w.dec.UseNumber()
	if err := w.value(reflect.TypeOf(into)); err != nil {
		return err
	}
	err := json.Unmarshal(data, into)
	var bad *json.UnmarshalTypeError
	if errors.As(err, &bad) {
		return fmt.Errorf("%s: want %s, got %s", memberPath(bad.Field), kindNames[bad.Type.Kind()], bad.Value)
	}
	return err
}

// memberPath is the path of a member without the embedded structs that encoding/json puts into it: their names begin with capitals.
func memberPath(field string) string {
	var path []string
	for _, part := range strings.Split(field, ".") {
		if part != "" && !('A' <= part[0] && part[0] <= 'Z') {
			path = append(path, part)
		}
	}
	if len(path) == 0 {
		return "the value"
	}
	return strings.Join(path, ".")
}

var kindNames = map[reflect.Kind]string{
	reflect.Bool: "true or false", reflect.String: "a string", reflect.Struct: "an object", reflect.Map: "an object", reflect.Slice: "a list",
	reflect.Int: "an integer", reflect.Int64: "an integer", reflect.Uint64: "an integer of at least 0",
	reflect.Float32: "a number of float32", reflect.Float64: "a number of float64",
}

// walker reads a JSON value beside the Go type that it is for.
type walker struct {
	dec   *json.Decoder
	known map[reflect.Type]map[string]reflect.Type // the members of the structs met so far
}

// value reads one value for t; nil stands for a type that takes any, as one does that decodes itself.
func (w *walker) value(t reflect.Type) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		t = nil
	}
	token, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		err = w.object(t)
	case json.Delim('['):
		var element reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			element = t.Elem()
		}
		for err == nil && w.dec.More() {
			err = w.value(element)
		}
	default:
		return nil
	}
	if err == nil {
		_, err = w.dec.Token() // the closing bracket
	}
	return err
}

func (w *walker) object(t reflect.Type) error {
	seen := map[string]bool{}
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return err
		}
		name := token.(string)
		if seen[name] {
			return fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		var member reflect.Type
		switch {
		case t == nil:
		case t.Kind() == reflect.Map:
			member = t.Elem()
		case t.Kind() == reflect.Struct:
			known := w.members(t)
			var ok bool
			if member, ok = known[name]; !ok {
				return fmt.Errorf("unknown %q: %s", name, Suggest(name, sortedKeys(known)))
			}
		}
		if err := w.value(member); err != nil {
			return err
		}
	}
	return nil
}

// members returns the types of a struct's members by their names in JSON.
func (w *walker) members(t reflect.Type) map[string]reflect.Type {
	if m, ok := w.known[t]; ok {
		return m
	}
	m := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			m[name] = f.Type
		}
	}
	w.known[t] = m
	return m
}
