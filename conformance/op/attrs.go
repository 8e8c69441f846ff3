package op

import (
	"fmt"
	"math"
)

func oneOf(name, got string, want ...string) error {
	for _, w := range want {
		if got == w {
			return nil
		}
	}
	return fmt.Errorf("%s = %q: want one of %q", name, got, want)
}

func nonNegative(name string, x float64) error {
	if !(x >= 0) || math.IsInf(x, 1) {
		return fmt.Errorf("%s = %v: want a finite number of at least 0", name, x)
	}
	return nil
}

func atLeast(name string, x, low int) error {
	if x < low {
		return fmt.Errorf("%s = %d: want at least %d", name, x, low)
	}
	return nil
}

func capacity(c int) error {
	if c < 1 || c > 1<<24 {
		return fmt.Errorf("capacity = %d: want from 1 to 2^24", c)
	}
	return nil
}

func positive(name string, x float64) error {
	if !(x > 0) || math.IsInf(x, 1) {
		return fmt.Errorf("%s = %v: want a finite number greater than 0", name, x)
	}
	return nil
}

func fraction(name string, x float64) error {
	if !(x >= 0 && x < 1) {
		return fmt.Errorf("%s = %v: want a number in [0, 1)", name, x)
	}
	return nil
}
