package op

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A shape rule is a list of dimensions separated by spaces: a name, which stands for the same length wherever the op uses it; a
// number; a name or number followed by |1, where 1 is accepted too (broadcast); and, first, "..." for any leading dimensions, again
// the same wherever they stand. The empty rule is a scalar's.
type rule []dim

type dim struct {
	text string // as written, for messages
	name int    // index into the row's dimension names; -1 for a number, -2 for ...
	size int    // where name is -1
	or1  bool
}

const (
	number   = -1
	ellipsis = -2
	maxDims  = 16
)

// parseRule compiles a rule, adding the names that it meets to names. Rules are part of the source, so a bad one panics.
func parseRule(text string, names *[]string) rule {
	var r rule
	for i, word := range strings.Fields(text) {
		d := dim{text: word}
		base, or1 := strings.CutSuffix(word, "|1")
		d.or1 = or1
		switch n, err := strconv.Atoi(base); {
		case word == "..." && i == 0:
			d.name = ellipsis
		case err == nil:
			d.name, d.size = number, n
		default:
			if d.name = slices.Index(*names, base); d.name < 0 {
				d.name = len(*names)
				*names = append(*names, base)
			}
		}
		r = append(r, d)
	}
	if len(*names) > maxDims {
		panic("op: too many dimension names in one row: raise maxDims")
	}
	return r
}

func (r rule) String() string {
	words := make([]string, len(r))
	for i, d := range r {
		words[i] = d.text
	}
	return "[" + strings.Join(words, " ") + "]"
}

// dims are the dimension lengths that are known so far while the arguments of one call are checked.
type dims struct {
	names   []string
	size    [maxDims]int // 0: not known yet
	lead    []int        // what ... stands for
	hasLead bool
	storage DType // the dtype of the float arguments; 0: not known yet
}

func (d *dims) get(name string) int { return d.size[slices.Index(d.names, name)] }

func (d *dims) set(name string, size int) {
	if i := slices.Index(d.names, name); i >= 0 {
		d.size[i] = size
	}
}

// match binds the rule to a shape, or says how the two disagree.
func (d *dims) match(r rule, shape []int) error {
	rest, whole := shape, r
	if len(r) > 0 && r[0].name == ellipsis {
		r = r[1:]
		n := len(shape) - len(r)
		if n < 0 {
			return fmt.Errorf("%w: want at least %d dimensions, got %v", ErrShape, len(r), shape)
		}
		if d.hasLead && !slices.Equal(d.lead, shape[:n]) {
			return fmt.Errorf("%w: want leading dimensions %v, got %v", ErrShape, d.lead, shape)
		}
		d.lead, d.hasLead, rest = shape[:n], true, shape[n:]
	}
	if len(rest) != len(r) {
		return fmt.Errorf("%w: want %d dimensions %v, got %v", ErrShape, len(r), whole, shape)
	}
	for i, want := range r {
		size := want.size
		if want.name >= 0 {
			size = d.size[want.name]
		}
		switch {
		case want.or1 && rest[i] == 1:
		case size == 0:
			d.size[want.name] = rest[i]
		case size != rest[i]:
			return fmt.Errorf("%w: want %s = %d in %v, got %v", ErrShape, want.text, size, whole, shape)
		}
	}
	return nil
}

// resolve returns the shape that the rule stands for once its dimensions are known.
func (d *dims) resolve(r rule) []int {
	var shape []int
	for _, want := range r {
		switch want.name {
		case ellipsis:
			shape = append(shape, d.lead...)
		case number:
			shape = append(shape, want.size)
		default:
			shape = append(shape, d.size[want.name])
		}
	}
	return shape
}
