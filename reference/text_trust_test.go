package reference

import (
	"testing"
	"unicode/utf8"
)

// Sequences of bytes at the edges of every range of The Unicode Standard's table 3-7: well-formed is what package utf8 says, and a maximal
// subpart is, by definition D93b, the longest start of a sequence that some bytes complete to a well-formed one, or else one byte.
func TestSubpartsAtEveryEdge(t *testing.T) {
	edges := []byte{0x00, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xC3, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
		0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}
	continuations := []byte{0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF}
	whole := func(b []byte) bool { r, n := utf8.DecodeRune(b); return n == len(b) && (r != utf8.RuneError || n == 3) }
	var begins func(b []byte) bool // whether b is a well-formed sequence or begins one
	begins = func(b []byte) bool {
		if whole(b) {
			return true
		}
		if len(b) == 4 {
			return false
		}
		for _, c := range continuations {
			if begins(append(b[:len(b):len(b)], c)) {
				return true
			}
		}
		return false
	}
	known := map[string]bool{}
	cached := func(b []byte) bool {
		v, ok := known[string(b)]
		if !ok {
			v = begins(b)
			known[string(b)] = v
		}
		return v
	}
	check := func(b []byte) {
		want := 1
		for n := 1; n <= len(b) && cached(b[:n]); n++ {
			want = n
			if whole(b[:n]) {
				break
			}
		}
		if n, ok := subpart(b); n != want || ok != whole(b[:want]) {
			t.Fatalf("% x: got %d, %v, want %d, %v", b, n, ok, want, whole(b[:want]))
		}
	}
	for _, b0 := range edges {
		check([]byte{b0})
		for _, b1 := range edges {
			check([]byte{b0, b1})
			for _, b2 := range edges {
				check([]byte{b0, b1, b2})
				for _, b3 := range edges {
					check([]byte{b0, b1, b2, b3})
				}
			}
		}
	}
}

// CR LF is one end of a line wherever it stands, and CR alone one too.
func TestLineEndingsAtTheEdges(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		n          int
	}{
		{"a\r\n", "a\n", 1}, {"\r\n", "\n", 1}, {"\r", "\n", 1}, {"\r\r\n", "\n\n", 2}, {"\n\r", "\n\n", 1}, {"\r\na", "\na", 1}, {"a\r\nb", "a\nb", 1},
	} {
		if got, n := UnifyLineEndings(tt.text); got != tt.want || n != tt.n {
			t.Errorf("%q: got %q and %d, want %q and %d", tt.text, got, n, tt.want, tt.n)
		}
	}
}

// TXT-15: floor(fraction N), from 1 to N - 1.
func TestSplitSizes(t *testing.T) {
	for _, tt := range []struct {
		n        int
		fraction float64
		want     int
	}{
		{10, 0.1, 1}, {19, 0.1, 1}, {20, 0.1, 2}, {100, 0.29, 28}, {7, 0.25, 1}, {8, 0.25, 2}, {5, 0.001, 1}, {2, 0.9, 1}, {2, 0.001, 1}, {3, 0.9, 2},
		{100, 0.999, 99}, {4, 0.75, 3}, {4, 0.5, 2},
	} {
		train, validation := Split(make([]int, tt.n), tt.fraction)
		if len(validation) != tt.want || len(train) != tt.n-tt.want {
			t.Errorf("%d ids, fraction %v: got %d and %d, want %d in validation", tt.n, tt.fraction, len(train), len(validation), tt.want)
		}
	}
}
