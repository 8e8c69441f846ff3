package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
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
		difference, err := compareFile(dir, name, files[name], exactly)
		if err != nil {
			return err
		}
		differences = append(differences, difference)
	}
	return differing("", differences)
}

// checkOps is check for the files of some ops, and for what the manifest says of them. It looks at no other file.
func checkOps(dir string, files map[string][]byte, exactly bool) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	var differences []error
	names := opFilesOf(files)
	for _, name := range names {
		difference, err := compareFile(dir, name, files[name], exactly)
		if err != nil {
			return err
		}
		if difference == nil {
			difference, err = listedAs(dir, name, m)
		}
		if err != nil {
			return err
		}
		differences = append(differences, difference)
	}
	return differing(remedy(names), differences)
}

// checkCases is check for the cases that files hold: their entries and tensors in the files of their ops.
func checkCases(dir string, files map[string][]byte, exactly bool) error {
	var differences []error
	names := opFilesOf(files)
	for _, name := range names {
		there, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			differences = append(differences, fmt.Errorf("%s is missing", name))
			continue
		case err != nil:
			return err
		}
		compare := compareEntries
		if strings.HasSuffix(name, ".safetensors") {
			meta := files[strings.TrimSuffix(name, ".safetensors")+".json"]
			compare = func(name string, there, want []byte) error {
				return compareCaseTensors(name, there, want, meta, exactly)
			}
		}
		differences = append(differences, compare(name, there, files[name]))
	}
	return differing(remedy(names), differences)
}

// opFilesOf returns the names of files, in order, but for the two that are not of one op.
func opFilesOf(files map[string][]byte) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return name == vector.SchemaName || name == vector.ManifestName })
}

// remedy returns the flags that have the named files written.
func remedy(names []string) string {
	flags := ""
	for _, name := range names {
		if opName, ok := strings.CutSuffix(name, ".json"); ok {
			flags += " -op " + opName
		}
	}
	return flags
}

// differing returns an error that holds the differences and says what to run, nil where there are none.
func differing(flags string, differences []error) error {
	if err := errors.Join(differences...); err != nil {
		return fmt.Errorf("%w: run `go run ./tools/gengolden%s` and commit the result\n%w", errDiffers, flags, err)
	}
	return nil
}

// compareFile says how a file of the directory differs from the generated one.
func compareFile(dir, name string, want []byte, exactly bool) (difference, err error) {
	there, err := os.ReadFile(filepath.Join(dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is missing", name), nil
	case err != nil || bytes.Equal(there, want):
		return nil, err
	}
	return explain(name, there, want, exactly), nil
}

// listedAs says how the manifest differs from a file that is there.
func listedAs(dir, name string, m *vector.Manifest) (difference, err error) {
	there, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	if m.Files[name] != vector.Entry(there) {
		return fmt.Errorf("%s does not list %s as it is", vector.ManifestName, name), nil
	}
	return nil, nil
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
		if _, rest, ok := strings.Cut(b[i], `{"id":"`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			id = ", case " + name
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
	if err := compareTensors(name, a, b, exactly); err != nil || !exactly {
		return err
	}
	return fmt.Errorf("%s: the tensors are equal, their encoding is not", name)
}

// compareTensors says how the tensors that are there differ from those that are wanted.
func compareTensors(name string, there, want map[string]op.Tensor, exactly bool) error {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		t, ok := there[key]
		if !ok {
			return fmt.Errorf("%s: tensor %s is missing", name, key)
		}
		if i := differ(key, t, want[key], exactly); i >= 0 {
			return fmt.Errorf("%s: tensor %s differs: element %d is %v, generated %v", name, key, i, t.At(i), want[key].At(i))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(there)) {
		if _, ok := want[key]; !ok {
			return fmt.Errorf("%s: tensor %s is not generated any more", name, key)
		}
	}
	return nil
}

// entry is a case as it stands in the file of its op.
type entry struct {
	id   string
	text json.RawMessage
}

func entriesOf(name string, meta []byte) ([]entry, error) {
	var f struct {
		Cases []json.RawMessage `json:"cases"`
	}
	if err := json.Unmarshal(meta, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	entries := make([]entry, len(f.Cases))
	for i, text := range f.Cases {
		var c struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(text, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		entries[i] = entry{c.ID, text}
	}
	return entries, nil
}

// compareEntries says how the entries of the wanted cases differ from those that are there.
func compareEntries(name string, there, want []byte) error {
	have, err := entriesOf(name, there)
	if err != nil {
		return err
	}
	wanted, err := entriesOf(name, want)
	if err != nil {
		return err
	}
	for _, w := range wanted {
		i := slices.IndexFunc(have, func(e entry) bool { return e.id == w.id })
		switch {
		case i < 0:
			return fmt.Errorf("%s: case %s is missing", name, w.id)
		case !bytes.Equal(have[i].text, w.text):
			return fmt.Errorf("%s: case %s: there is %s, generated %s", name, w.id, have[i].text, w.text)
		}
	}
	return nil
}

// compareCaseTensors compares the tensors of the cases that meta holds.
func compareCaseTensors(name string, there, want, meta []byte, exactly bool) error {
	a, err := vector.DecodeSafetensors(there)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b, err := vector.DecodeSafetensors(want)
	if err != nil {
		return err
	}
	entries, err := entriesOf(name, meta)
	if err != nil {
		return err
	}
	maps.DeleteFunc(a, func(key string, _ op.Tensor) bool { // what is of another case
		of, _, _ := strings.Cut(key, "/")
		return !slices.ContainsFunc(entries, func(e entry) bool { return path.Base(e.id) == of })
	})
	return compareTensors(name, a, b, exactly)
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
