package main

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is a value of action.yml or a workflow: a map, a list, or a string on one line, as each step's command is.
type node struct {
	text string
	line int
	keys []string
	maps map[string]*node
	list []*node
}

// get returns the value at a path of keys; an empty node where there is none.
func (n *node) get(path ...string) *node {
	for _, key := range path {
		if n = n.maps[key]; n == nil {
			return &node{}
		}
	}
	return n
}

func parseYAML(source string) (*node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(source), &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 {
		return nil, errors.New("no YAML document")
	}
	return convert(document.Content[0])
}

func convert(y *yaml.Node) (*node, error) {
	n := &node{line: y.Line, maps: map[string]*node{}}
	switch y.Kind {
	case yaml.ScalarNode:
		if n.text = y.Value; strings.Contains(n.text, "\n") {
			return nil, fmt.Errorf("line %d: want a string on one line", y.Line)
		}
	case yaml.SequenceNode:
		for _, item := range y.Content {
			v, err := convert(item)
			if err != nil {
				return nil, err
			}
			n.list = append(n.list, v)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(y.Content); i += 2 {
			key := y.Content[i].Value
			v, err := convert(y.Content[i+1])
			if err != nil {
				return nil, err
			}
			if n.maps[key] != nil {
				return nil, fmt.Errorf("line %d: a second %q", v.line, key)
			}
			n.keys, n.maps[key] = append(n.keys, key), v
		}
	default:
		return nil, fmt.Errorf("line %d: want a map, a list or a string", y.Line)
	}
	return n, nil
}
