package conformance

import (
	"math/bits"
	"os"
	"sync"
)

// fenceBytes is how far memory behind a block can be neither read nor written: at least a page of any system.
const fenceBytes = 64 << 10

// blocks are the blocks that nobody uses, by their size. They are kept, and never unmapped: a goroutine that a kernel has left behind may still
// write there, which must end in a verdict and not in the end of the process.
var blocks = struct {
	sync.Mutex
	free map[int][][]byte
}{free: map[int][][]byte{}}

// takeBlock returns at least n bytes that end where memory can be neither read nor written, and what is in them is anything; nil where the
// system has no such memory.
func takeBlock(n int) []byte {
	size := max(os.Getpagesize(), 1<<bits.Len(uint(n-1)))
	blocks.Lock()
	defer blocks.Unlock()
	if free := blocks.free[size]; len(free) > 0 {
		blocks.free[size] = free[:len(free)-1]
		return free[len(free)-1]
	}
	return fenced(size, fenceBytes)
}

func giveBlock(b []byte) {
	blocks.Lock()
	defer blocks.Unlock()
	blocks.free[len(b)] = append(blocks.free[len(b)], b)
}
