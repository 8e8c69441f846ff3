package child

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOutput holds what is kept of outputs that are written in one piece and byte by byte.
func TestOutput(t *testing.T) {
	for _, test := range []struct {
		text, want string
		dropped    int64
	}{
		{"", "", 0},
		{"abc", "abc", 0},
		{"abcdef", "abcdef", 0},
		{"abcdefg", "abc\n… 1 bytes left out …\nefg", 1},
		{"abc" + strings.Repeat("x", 1000) + "def", "abc\n… 1000 bytes left out …\ndef", 1000},
	} {
		whole, bytewise := Output{Limit: 3}, Output{Limit: 3}
		whole.Write([]byte(test.text))
		for i := range len(test.text) {
			bytewise.Write([]byte(test.text[i : i+1]))
		}
		for _, o := range []*Output{&whole, &bytewise} {
			require.Equal(t, test.want, string(o.Bytes()))
			require.Equal(t, test.dropped, o.Dropped())
			require.LessOrEqual(t, len(o.tail), 2*o.Limit)
		}
	}
}
