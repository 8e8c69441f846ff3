//go:build unix

package conformance

import "golang.org/x/sys/unix"

// fenced returns n bytes behind which there are others that can be neither read nor written, both multiples of the size of a page; nil where
// the system refuses.
func fenced(n, others int) []byte {
	b, err := unix.Mmap(-1, 0, n+others, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil || unix.Mprotect(b[n:], unix.PROT_NONE) != nil {
		return nil
	}
	return b[:n:n]
}
