//go:build unix

package conformance_test

import (
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
)

// What is read past the end of a tensor is seen where there is no memory, and so is a write there that skips the guard.
func TestReadingPastTheEnd(t *testing.T) {
	var sum atomic.Uint32
	r := mustCheck(t, of(func(a op.ReLUArgs) error {
		sum.Add(*(*uint32)(unsafe.Add(unsafe.Pointer(&a.X.F32[0]), 4*(len(a.X.F32)+5))))
		return correct(a)
	}), conformance.Vectors(reluSet), conformance.Cases("relu/plain"))
	require.Equal(t, 1, r.Failed)
	require.ErrorContains(t, r.Err(), "relu/plain [BUF-2] step 0: x: element 9, outside its 4 elements, was read or written\n")
	require.ErrorContains(t, r.Err(), "hostile_unix_test.go")
}
