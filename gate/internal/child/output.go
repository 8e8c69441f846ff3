package child

import (
	"bytes"
	"fmt"
)

// Output keeps the beginning and the end of what is written to it, up to Limit bytes of either, however much that is.
type Output struct {
	Limit      int
	head, tail []byte
	written    int64
}

// Write never fails.
func (o *Output) Write(p []byte) (int, error) {
	n := len(p)
	o.written += int64(n)
	first := min(n, o.Limit-len(o.head))
	o.head, p = append(o.head, p[:first]...), p[first:]
	o.tail = append(o.tail, p[max(0, len(p)-o.Limit):]...)
	if excess := len(o.tail) - o.Limit; excess > o.Limit {
		o.tail = append(o.tail[:0], o.tail[excess:]...)
	}
	return n, nil
}

// Dropped is how many bytes between the beginning and the end were not kept.
func (o *Output) Dropped() int64 {
	return max(0, o.written-int64(len(o.head)+o.Limit))
}

// Bytes returns what was kept, with a line in the place of what was not.
func (o *Output) Bytes() []byte {
	tail := o.tail[max(0, len(o.tail)-o.Limit):]
	if o.Dropped() == 0 {
		return bytes.Join([][]byte{o.head, tail}, nil)
	}
	return bytes.Join([][]byte{o.head, fmt.Appendf(nil, "\n… %d bytes left out …\n", o.Dropped()), tail}, nil)
}
