package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
)

// A number is a flag with a range. What lies outside is refused where the flag is read, and so is NaN.
type number[T int | float64] struct {
	value     *T
	low, high T
}

// intFlag defines a flag of integers from low to high.
func intFlag(f *pflag.FlagSet, to *int, name string, value, low, high int, usage string) {
	addNumber(f, &number[int]{to, low, high}, name, value, usage)
}

// floatFlag defines a flag of numbers from low to high.
func floatFlag(f *pflag.FlagSet, to *float64, name string, value, low, high float64, usage string) {
	addNumber(f, &number[float64]{to, low, high}, name, value, usage)
}

func addNumber[T int | float64](f *pflag.FlagSet, n *number[T], name string, value T, usage string) {
	*n.value = value
	f.Var(n, name, fmt.Sprintf("%s; from %v to %v", usage, n.low, n.high))
}

func (n *number[T]) String() string { return fmt.Sprint(*n.value) }

func (n *number[T]) Type() string { return fmt.Sprintf("%T", n.low) }

func (n *number[T]) Set(text string) error {
	var v T
	var err error
	switch p := any(&v).(type) {
	case *int:
		*p, err = strconv.Atoi(text)
	case *float64:
		*p, err = strconv.ParseFloat(text, 64)
	}
	if err != nil || !(v >= n.low && v <= n.high) { // NaN is in no range
		return fmt.Errorf("want a number from %v to %v", n.low, n.high)
	}
	*n.value = v
	return nil
}
