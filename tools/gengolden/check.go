package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// The agreement that -check wants on platforms whose elementary functions may differ in the last place from those of the pinned one. A
// wanted value may be off by wantULPs units in the last place, of float64, of the largest value of its tensor; a gauge by gaugeTolerance
// of itself, because the measured ones amplify what differs by the inverse of their step.
const (
	wantULPs       = 1 << 10
	gaugeTolerance = 1e-4
)

// pinned reports whether this platform is the one that the vectors were generated on, where they must agree to the last bit.
func pinned() bool {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return false
	}
	info, ok := debug.ReadBuildInfo()
	return ok && !slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "GOAMD64" && s.Value != "v1" })
}

// check compares the directory with files, bit by bit or, where exactly is false, numbers within their tolerance. The error wraps
// errDiffers and names each file that differs, with its first differing case or tensor.
func check(dir string, files map[string][]byte, exactly bool) error {
	stale, err := unknown(dir, files)
	if err != nil {
		return err
	}
	var differences []error
	for _, name := range stale {
		differences = append(differences, fmt.Errorf("%s is not generated any more", name))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		there, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			differences = append(differences, fmt.Errorf("%s is missing", name))
			continue
		case err != nil:
			return err
		case bytes.Equal(there, files[name]):
			continue
		}
		differences = append(differences, explain(name, there, files[name], exactly))
	}
	if err := errors.Join(differences...); err != nil {
		return fmt.Errorf("%w\n%w", errDiffers, err)
	}
	return nil
}

// explain says how a file that is there differs from the generated one, nil where it does within tolerance.
func explain(name string, there, want []byte, exactly bool) error {
	switch {
	case strings.HasSuffix(name, ".safetensors"):
		return explainTensors(name, there, want, exactly)
	case name == vector.ManifestName && !exactly:
		return nil // its sums follow from the other files
	}
	a, b := strings.Split(string(there), "\n"), strings.Split(string(want), "\n")
	id := ""
	for i := range min(len(a), len(b)) {
		if _, rest, ok := strings.Cut(b[i], `"id": "`); ok {
			id = ", case " + strings.TrimRight(rest, `",`)
		}
		if a[i] != b[i] {
			return fmt.Errorf("%s: line %d%s: there is %s, generated %s", name, i+1, id, strings.TrimSpace(a[i]), strings.TrimSpace(b[i]))
		}
	}
	return fmt.Errorf("%s has %d lines, generated %d", name, len(a), len(b))
}

func explainTensors(name string, there, want []byte, exactly bool) error {
	a, err := vector.DecodeSafetensors(there)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b, err := vector.DecodeSafetensors(want)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(b)) {
		t, ok := a[key]
		if !ok {
			return fmt.Errorf("%s: tensor %s is missing", name, key)
		}
		if i := differ(key, t, b[key], exactly); i >= 0 {
			return fmt.Errorf("%s: tensor %s differs: element %d is %v, generated %v", name, key, i, t.At(i), b[key].At(i))
		}
		delete(a, key)
	}
	for _, key := range slices.Sorted(maps.Keys(a)) {
		return fmt.Errorf("%s: tensor %s is not generated any more", name, key)
	}
	if exactly {
		return fmt.Errorf("%s: the tensors are equal, their encoding is not", name)
	}
	return nil
}

// differ returns the first element in which two tensors of one key differ, -1 for none, and 0 where their types or shapes do.
func differ(key string, a, b op.Tensor, exactly bool) int {
	if a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) {
		return 0
	}
	tolerance := func(int) float64 { return 0 }
	isGauge := strings.HasSuffix(key, ".acc") || strings.HasSuffix(key, ".in")
	switch {
	case exactly:
	case isGauge:
		tolerance = func(i int) float64 { return gaugeTolerance * math.Abs(b.At(i)) }
	case b.DType == op.F64:
		largest := 0.0
		for _, x := range b.F64 {
			if !math.IsInf(x, 0) && !math.IsNaN(x) {
				largest = max(largest, math.Abs(x))
			}
		}
		tolerance = func(int) float64 { return wantULPs * 0x1p-52 * largest }
	}
	for i := range b.Len() {
		x, y := a.At(i), b.At(i)
		same := x == y && math.Signbit(x) == math.Signbit(y) || math.IsNaN(x) && math.IsNaN(y)
		if !same && !(math.Abs(x-y) <= tolerance(i)) {
			return i
		}
	}
	return -1
}
