// Package kernels is the code on which the gate tests itself: six kernels that load a processor in different ways. An operation is a hundred
// repetitions of a kernel's work, so that repeating it 105 times is a slowdown by 5 % and nothing else.
package kernels

import (
	"math"
	"slices"
)

// Repetitions of each kernel's work in an operation. The self-test plants its slowdowns here.
const (
	matMulReps  = 100
	softmaxReps = 100
	wordsReps   = 100
	sortReps    = 100
	streamReps  = 100
	nodesReps   = 100
)

// MatMul multiplies n x n matrices: arithmetic.
func MatMul(c, a, b []float32, n int) {
	for range matMulReps {
		matMul(c, a, b, n)
	}
}

func matMul(c, a, b []float32, n int) {
	clear(c)
	for i := range n {
		row := c[i*n : i*n+n]
		for k := range n {
			x := a[i*n+k]
			for j, y := range b[k*n : k*n+n] {
				row[j] += x * y
			}
		}
	}
}

// Softmax: exponentials and a division.
func Softmax(y, x []float64) {
	for range softmaxReps {
		softmax(y, x)
	}
}

func softmax(y, x []float64) {
	top, sum := slices.Max(x), 0.0
	for i, v := range x {
		y[i] = math.Exp(v - top)
		sum += y[i]
	}
	for i := range y {
		y[i] /= sum
	}
}

// Words counts the words of a text: branches on bytes, and a map.
func Words(counts map[string]int, text []byte) {
	for range wordsReps {
		words(counts, text)
	}
}

func words(counts map[string]int, text []byte) {
	start := 0
	for i, c := range text {
		if c == ' ' {
			counts[string(text[start:i])]++
			start = i + 1
		}
	}
}

// Sort sorts a copy of x: branches that cannot be predicted.
func Sort(y, x []uint32) {
	for range sortReps {
		copy(y, x)
		slices.Sort(y)
	}
}

// Stream adds x to y: memory beyond the second cache.
func Stream(y, x []float64) {
	for range streamReps {
		stream(y, x)
	}
}

func stream(y, x []float64) {
	for i, v := range x {
		y[i] += v
	}
}

// Node is a node of a search tree.
type Node struct {
	Left, Right *Node
	Key         uint32
}

// Nodes builds search trees: allocation, and the garbage collector.
func Nodes(keys []uint32) (root *Node) {
	for range nodesReps {
		root = nodes(keys)
	}
	return root
}

func nodes(keys []uint32) *Node {
	var root *Node
	for _, key := range keys {
		at := &root
		for *at != nil {
			if key < (*at).Key {
				at = &(*at).Left
			} else {
				at = &(*at).Right
			}
		}
		*at = &Node{Key: key}
	}
	return root
}
