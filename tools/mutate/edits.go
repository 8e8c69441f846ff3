package main

import (
	"bytes"
	"cmp"
	"slices"
)

// edits are changes of a text that nest: texts put before and after a span, and pieces replaced.
type edits struct{ list []edit }

type edit struct {
	at, until  int // what is replaced; equal where the text is put in between
	start, end int // the span that it belongs to
	closes     bool
	order      int
	text       string
}

// open puts text before the span from start to end; the outermost span's comes first.
func (e *edits) open(start, end int, text string) {
	e.list = append(e.list, edit{start, start, start, end, false, len(e.list), text})
}

// close puts text after the span; the outermost span's comes last.
func (e *edits) close(start, end int, text string) {
	e.list = append(e.list, edit{end, end, start, end, true, len(e.list), text})
}

// replace puts text in the place of what is from at to until.
func (e *edits) replace(at, until int, text string) {
	e.list = append(e.list, edit{at, until, at, until, false, len(e.list), text})
}

// apply returns the changed text.
func (e *edits) apply(src []byte) []byte {
	sorted := slices.Clone(e.list)
	slices.SortFunc(sorted, func(a, b edit) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.closes != b.closes: // what ends here ends before the next begins
			if a.closes {
				return -1
			}
			return 1
		case a.closes: // inner spans end first; of equal ones, the one opened last
			return cmp.Or(cmp.Compare(b.start, a.start), cmp.Compare(b.order, a.order))
		}
		return cmp.Or(cmp.Compare(b.end, a.end), cmp.Compare(a.order, b.order)) // outer spans begin first
	})
	var out bytes.Buffer
	last := 0
	for _, x := range sorted {
		out.Write(src[last:x.at])
		out.WriteString(x.text)
		last = x.until
	}
	out.Write(src[last:])
	return out.Bytes()
}
