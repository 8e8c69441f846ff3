package philox

import (
	"slices"
	"testing"
)

// The known answers of Random123 (kat_vectors, philox4x32 10).
func TestKnownAnswers(t *testing.T) {
	for _, tt := range []struct {
		counter [2]uint64
		key     uint64
		want    [4]uint32
	}{
		{[2]uint64{0, 0}, 0, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[2]uint64{^uint64(0), ^uint64(0)}, ^uint64(0), [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[2]uint64{0x85a308d3243f6a88, 0x0370734413198a2e}, 0x299f31d0a4093822, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := Block(tt.key, tt.counter); got != tt.want {
			t.Errorf("Block(%#x, %#x) = %#x, want %#x", tt.key, tt.counter, got, tt.want)
		}
	}
}

func TestFillIsOneSequence(t *testing.T) {
	long, short := make([]int64, 11), make([]int64, 6)
	Fill(long, 7, 3)
	Fill(short, 7, 3)
	if !slices.Equal(long[:6], short) {
		t.Errorf("a shorter fill gives %v, want the beginning of %v", short, long)
	}
	if b := Block(7, [2]uint64{1, 3}); long[4] != int64(b[0]) || long[7] != int64(b[3]) {
		t.Errorf("got %v, want elements 4 to 7 to be %v", long, b)
	}
}

func TestBelowReachesEveryNumber(t *testing.T) {
	var seen [5]int
	for i := range uint64(400) {
		seen[Below(5, 1, [2]uint64{i, 0})]++
	}
	for n, count := range seen {
		if count < 40 || count > 120 {
			t.Errorf("%d was drawn %d times of 400, want about 80: %v", n, count, seen)
		}
	}
}
