package conformance

import "slices"

// keptBytes is how much memory the buffers of past cases may take.
const keptBytes = 64 << 20

// keeper holds the buffers of past cases, each of them overwritten, to see whether anybody still writes there.
type keeper struct {
	held  []heldBuffer
	bytes int
	late  []*Failure
}

type heldBuffer struct {
	opCase
	arena
}

// keep holds the buffers of a case, and lets go of the oldest where there are too many.
func (k *keeper) keep(c opCase, used []arena) {
	for _, a := range used {
		k.held = append(k.held, heldBuffer{c, a})
		k.bytes += a.bytes()
	}
	n := 0
	for ; k.bytes > keptBytes; n++ {
		k.look(k.held[n])
		k.held[n] = heldBuffer{}
	}
	k.held = k.held[n:]
}

// end looks at all that is held and returns the failures of cases whose buffers were written late, one of each.
func (k *keeper) end() []*Failure {
	for _, h := range k.held {
		k.look(h)
	}
	return k.late
}

func (k *keeper) look(h heldBuffer) {
	k.bytes -= h.bytes()
	if !h.spent() && !slices.ContainsFunc(k.late, func(f *Failure) bool { return f.Case == h.ID }) {
		k.late = append(k.late, h.fail(h.arena.step, clauseReferences, "%s was written after its Run had returned, by the time that its op ended", h.name))
	}
}
