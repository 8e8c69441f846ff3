package mutant

import (
	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
)

// Mutant is a planted bug.
type Mutant struct {
	ID     string
	Op     string // the op whose cases must catch it
	Clause string // the clause of SPEC.md that it breaks
	Bug    string // what it does wrong, in one sentence
	See    string // a public example of the bug, or ""
	New    func() op.Implementation

	buffers bool // the arithmetic is right: the bug may show only in a replay
}

// Options returns how to judge the mutant: a bug in the arithmetic must show in the results of a single run.
func (m Mutant) Options() []conformance.Option {
	if m.buffers {
		return nil
	}
	return []conformance.Option{conformance.Once()}
}

// bug is a planted bug before it is planted in an implementation.
type bug struct {
	id, op, clause, text, see string
	plant                     func(*plain)
}

// running returns the bug of a kernel that does something around the right one. Each kernel is wrapped by a wrapper of its own.
func running(wrap func(next op.Kernel) kernel) func(*plain) {
	return func(p *plain) { p.around = func(k op.Kernel) op.Kernel { return wrap(k) } }
}

// What the files register, by op: bugs in the arithmetic, and bugs in what is done with buffers, where the arithmetic is right.
var planted, inBuffers = map[string][]bug{}, map[string][]bug{}

func plant(bugs []bug) struct{} { return plantIn(planted, bugs) }

func plantInBuffers(bugs []bug) struct{} { return plantIn(inBuffers, bugs) }

func plantIn(catalogue map[string][]bug, bugs []bug) struct{} {
	for _, b := range bugs {
		catalogue[b.op] = append(catalogue[b.op], b)
	}
	return struct{}{}
}

// Catalogue returns the planted bugs, those of an op together, in the order of the op table. Their order and their IDs are stable.
func Catalogue() []Mutant {
	var mutants []Mutant
	add := func(bugs []bug, buffers bool) {
		for _, b := range bugs {
			mutants = append(mutants, Mutant{b.id, b.op, b.clause, b.text, b.see, func() op.Implementation {
				p := correct()
				b.plant(p)
				return p
			}, buffers})
		}
	}
	for _, name := range op.Names() {
		add(planted[name], false)
		add(inBuffers[name], true)
	}
	return mutants
}
