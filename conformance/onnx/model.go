package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// model is what this package reads of a ModelProto.
type model struct {
	opsets          map[string]int64 // version by domain
	nodes           []node
	inputs, outputs []string // of the graph, in order
	initializers    map[string]tensor
}

// node is a NodeProto. An empty name stands for an absent input or output.
type node struct {
	op, domain      string
	inputs, outputs []string
	attrs           map[string]attribute
}

// attribute is an AttributeProto with a number, a string, or a list of integers or floats.
type attribute struct {
	i      int64
	f      float64
	s      string
	ints   []int64
	floats []float64
	kind   int64 // AttributeProto.AttributeType
}

func decodeModel(data []byte) (model, error) {
	m := model{opsets: map[string]int64{}, initializers: map[string]tensor{}}
	graphs := 0
	err := fields(data, func(x field) error {
		switch x.number {
		case 7:
			graphs++
			return x.message(m.graph)
		case 8:
			var domain string
			var version int64
			err := x.message(func(x field) error {
				switch x.number {
				case 1:
					return x.text(&domain)
				case 2:
					return x.integer(&version)
				}
				return nil
			})
			m.opsets[domain] = version
			return err
		}
		return nil
	})
	if err == nil && graphs != 1 {
		err = fmt.Errorf("%w: a model with %d graphs", ErrCorrupt, graphs)
	}
	if err != nil {
		return model{}, fmt.Errorf("model: %w", err)
	}
	return m, nil
}

// message calls f with each field of a field that is a message.
func (x field) message(f func(field) error) error {
	if err := x.want(protowire.BytesType); err != nil {
		return err
	}
	return fields(x.bytes, f)
}

func (m *model) graph(x field) error {
	switch x.number {
	case 1:
		n := node{attrs: map[string]attribute{}}
		err := x.message(n.field)
		m.nodes = append(m.nodes, n)
		return err
	case 5:
		if err := x.want(protowire.BytesType); err != nil {
			return err
		}
		t, err := decodeTensor(x.bytes)
		m.initializers[t.name] = t
		return err
	case 11:
		return valueName(x, &m.inputs)
	case 12:
		return valueName(x, &m.outputs)
	}
	return nil
}

// valueName appends the name of a ValueInfoProto.
func valueName(x field, to *[]string) error {
	var name string
	err := x.message(func(x field) error {
		if x.number == 1 {
			return x.text(&name)
		}
		return nil
	})
	*to = append(*to, name)
	return err
}

func (n *node) field(x field) error {
	var s string
	switch x.number {
	case 1:
		err := x.text(&s)
		n.inputs = append(n.inputs, s)
		return err
	case 2:
		err := x.text(&s)
		n.outputs = append(n.outputs, s)
		return err
	case 4:
		return x.text(&n.op)
	case 5:
		var name string
		var a attribute
		err := x.message(func(x field) error { return a.field(x, &name) })
		n.attrs[name] = a
		return err
	case 7:
		return x.text(&n.domain)
	}
	return nil
}

func (a *attribute) field(x field, name *string) error {
	switch x.number {
	case 1:
		return x.text(name)
	case 2:
		return x.float(&a.f)
	case 3:
		return x.integer(&a.i)
	case 4:
		return x.text(&a.s)
	case 7:
		var bits []uint64
		err := x.numbers(protowire.Fixed32Type, &bits)
		for _, b := range bits {
			a.floats = append(a.floats, float32bits(b))
		}
		return err
	case 8:
		var values []uint64
		err := x.numbers(protowire.VarintType, &values)
		for _, v := range values {
			a.ints = append(a.ints, int64(v))
		}
		return err
	case 20:
		return x.integer(&a.kind)
	}
	return nil
}
