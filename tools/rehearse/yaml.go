package main

import (
	"fmt"
	"strings"
)

// node is a value of the part of YAML that action.yml and the workflows are written in: maps and lists by indentation, strings on one line, plain or
// between single quotes, and comments. Anything else is an error.
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

type line struct {
	number, indent int
	text           string
}

func parseYAML(source string) (*node, error) {
	var lines []line
	for i, s := range strings.Split(source, "\n") {
		text := strings.TrimLeft(s, " ")
		if text == "" || text[0] == '#' {
			continue
		}
		lines = append(lines, line{i + 1, len(s) - len(text), strings.TrimRight(text, " ")})
	}
	n, rest, err := block(lines, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("line %d: indented by %d, want 0", rest[0].number, rest[0].indent)
	}
	return n, err
}

// block reads the map or list whose entries are indented by indent, and returns the lines after it.
func block(lines []line, indent int) (*node, []line, error) {
	n := &node{maps: map[string]*node{}}
	if len(lines) > 0 {
		n.line = lines[0].number
	}
	for len(lines) > 0 && lines[0].indent == indent {
		l := lines[0]
		if item, ok := strings.CutPrefix(l.text, "- "); ok {
			lines[0] = line{l.number, indent + 2, item} // a list's item is a map, whose first line this is
			v, rest, err := block(lines, indent+2)
			if err != nil {
				return nil, nil, err
			}
			n.list, lines = append(n.list, v), rest
			continue
		}
		key, value, ok := strings.Cut(l.text+" ", ": ")
		if !ok || n.maps[key] != nil || strings.ContainsAny(key, " '\"{[") {
			return nil, nil, fmt.Errorf("line %d: %q is no key of its own with a value", l.number, l.text)
		}
		lines = lines[1:]
		v, err := scalar(value, l.number)
		if err != nil {
			return nil, nil, err
		}
		if value = strings.TrimSpace(value); value == "" && len(lines) > 0 && lines[0].indent > indent {
			if v, lines, err = block(lines, lines[0].indent); err != nil {
				return nil, nil, err
			}
		}
		n.keys, n.maps[key] = append(n.keys, key), v
	}
	if len(n.list) > 0 && len(n.keys) > 0 || len(lines) > 0 && lines[0].indent > indent {
		return nil, nil, fmt.Errorf("line %d: neither one map nor one list", n.line)
	}
	return n, lines, nil
}

func scalar(s string, number int) (*node, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "'") {
		text := strings.ReplaceAll(s[1:], "''", "\x00")
		text, ok := strings.CutSuffix(text, "'")
		if !ok || strings.Contains(text, "'") {
			return nil, fmt.Errorf("line %d: %s is not one string", number, s)
		}
		return &node{text: strings.ReplaceAll(text, "\x00", "'"), line: number}, nil
	}
	if at := strings.Index(s, " #"); at >= 0 {
		s = strings.TrimSpace(s[:at])
	}
	if strings.IndexAny(s, "|>\"{[&*!%@`") == 0 || strings.Contains(s, ": ") {
		return nil, fmt.Errorf("line %d: %s: want a plain string on one line", number, s)
	}
	return &node{text: s, line: number}, nil
}
