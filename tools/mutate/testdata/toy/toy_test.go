package toy

import (
	"math"
	"testing"
)

func TestSum(t *testing.T) {
	if got, err := Sum([]float64{1, -1, 4, 5, 8, 0.5}, 5); err != nil || got != -21.5 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Sum(nil, 5); err == nil {
		t.Error("no error")
	}
}

func TestCount(t *testing.T) {
	if got := Count([]int{1, 2, 3, 4, 6, 8, 10, 12}); got != 2 {
		t.Errorf("got %d", got)
	}
}

func TestAngle(t *testing.T) {
	if got := Angle(1); got != 2*math.Sin(1) {
		t.Errorf("got %v", got)
	}
}
