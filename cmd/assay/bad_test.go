package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

// badInputs is how many inputs TestBadInputs tries: thousands in CI, where ASSAY_BAD is "all".
var badInputs = map[bool]int{true: 6000, false: 160}[os.Getenv("ASSAY_BAD") == "all"]

// A bad input is a command line, with the files that it names. Whatever they hold, the command ends by itself, in little memory, with a status
// that it has. Where the input cannot be right, the status is not 0. (What a panic stops is left in the test's temporary directory.)
func TestBadInputs(t *testing.T) {
	generators := []func(t *testing.T, r *rand.Rand, dir string) (args []string, wrong bool){badRun, badVectors, badONNX, badFlags}
	statuses := map[int]int{}
	for i := range badInputs {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		dir := t.TempDir()
		args, wrong := generators[i%len(generators)](t, r, dir)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a hang; what is slow here takes a second
		_, stderr, code := interrupted(ctx, args...)
		cancel()
		statuses[code]++
		require.Contains(t, []int{exitHolds, exitVerdict, exitNotJudged}, code, "input %d: %q: %s", i, args, stderr)
		require.False(t, code == exitHolds && wrong, "input %d: %q: holds, and cannot", i, args)
		require.NoError(t, os.RemoveAll(dir))
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	require.Less(t, m.Sys, uint64(1<<30), "memory from the system")
	for _, code := range []int{exitHolds, exitVerdict, exitNotJudged} { // else this tries nothing
		require.NotZero(t, statuses[code], "no input ended with status %d: %v", code, statuses)
	}
}

// damage returns data with a part changed, and whether what remains is surely not what its format allows.
func damage(r *rand.Rand, data []byte) []byte {
	data = slices.Clone(data)
	if len(data) == 0 {
		return []byte{0}
	}
	switch at := r.IntN(len(data)); r.IntN(4) {
	case 0:
		data[at] ^= 1 << r.IntN(8)
	case 1:
		return data[:at]
	case 2:
		return slices.Insert(data, at, byte(r.IntN(256)))
	default:
		return slices.Delete(data, at, min(len(data), at+1+r.IntN(8)))
	}
	return data
}

var (
	jsonValues = regexp.MustCompile(`:("[^"]*"|-?[0-9.]+(e-?[0-9]+)?|true|false|\[[^\[\]{}]*\])`)
	// junk stands in the place of a JSON value: of other types, out of range, too much.
	junk = []string{"-1", "0", "1e400", "1e9", "9223372036854775807", "9223372036854775808", "2.5", `"x"`, `""`, "null", "{}", "[]", "[-1]", "[0]",
		"[4294967296,4294967296]", "[1,1,1,1,1,1,1,1,1]", "true", `"F16"`, `"U8"`, `"BOOL"`, `"I64"`, "[[[[]]]]", "NaN", "Infinity"}
)

// spoil puts junk in the place of one value of a JSON text.
func spoil(r *rand.Rand, text []byte) []byte {
	all := jsonValues.FindAllIndex(text, -1)
	if len(all) == 0 {
		return damage(r, text)
	}
	at := all[r.IntN(len(all))]
	return slices.Concat(text[:at[0]+1], []byte(junk[r.IntN(len(junk))]), text[at[1]:])
}

var members = regexp.MustCompile(`"[^"]*":("[^"]*"|-?[0-9.]+)`)

// twice repeats one member of a JSON text.
func twice(r *rand.Rand, text []byte) []byte {
	all := members.FindAllIndex(text, -1)
	at := all[r.IntN(len(all))]
	member := text[at[0]:at[1]]
	return slices.Concat(text[:at[0]], member, []byte(","), text[at[0]:])
}

// badRun spoils the arguments of a golden case of a random op: the file of tensors, its header, or the attributes.
func badRun(t *testing.T, r *rand.Rand, dir string) (args []string, wrong bool) {
	set, err := golden.Load()
	require.NoError(t, err)
	f := set.Files[r.IntN(len(set.Files))]
	c := f.Cases[r.IntN(len(f.Cases))]
	for strings.HasPrefix(f.Op, "gpt") && slices.Contains(c.Flags, "opticks") {
		c = f.Cases[r.IntN(len(f.Cases))]
	}
	tensors := map[string]op.Tensor{}
	for i, ins := range [][]vector.Input{c.Const, c.Steps[0].Src} {
		for j, tensor := range vector.Tensors(ins) {
			if tensor.Present() {
				tensors[[]string{"", "0/"}[i]+ins[j].Name] = tensor
			}
		}
	}
	data, err := vector.EncodeSafetensors(tensors)
	require.NoError(t, err)
	attrs := c.Attrs
	size := 8 + int(binary.LittleEndian.Uint64(data))
	withHeader := func(header []byte) []byte {
		return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header, data[size:])
	}
	member := regexp.MustCompile(`"[a-z_0-9]+":`).FindIndex(attrs)
	switch kind := r.IntN(7); {
	case kind == 0:
		data = damage(r, data)
	case kind == 1:
		data, wrong = data[:r.IntN(len(data))], true
	case kind == 2:
		data = withHeader(spoil(r, data[8:size]))
	case kind == 3:
		data, wrong = withHeader(twice(r, data[8:size])), true
	case kind == 4 || member == nil:
		attrs = spoil(r, attrs)
	case kind == 5:
		attrs, wrong = slices.Concat(attrs[:member[0]], bytes.ToUpper(attrs[member[0]:member[1]]), attrs[member[1]:]), true
	case members.Match(attrs):
		attrs, wrong = twice(r, attrs), true
	}
	in := filepath.Join(dir, "in.safetensors")
	require.NoError(t, os.WriteFile(in, data, 0o600))
	impl := []string{"optimized", "reference"}[r.IntN(2)]
	return []string{"run", f.Op, "--impl", impl, "--attrs", string(attrs), "--in", in, "--out", filepath.Join(dir, "out")}, wrong
}

// badVectors spoils a small set of vectors: one of its files, which the manifest gives away, or one that is sealed again.
func badVectors(t *testing.T, r *rand.Rand, dir string) (args []string, wrong bool) {
	own, err := vector.LoadManifest(golden.FS)
	require.NoError(t, err)
	name := []string{"relu", "clip_value", "embedding", "greedy"}[r.IntN(4)]
	m, files := *own, map[string][]byte{}
	m.Files = map[string]vector.FileEntry{}
	for _, file := range []string{name + ".json", name + ".safetensors"} {
		files[file], err = fs.ReadFile(golden.FS, file)
		require.NoError(t, err)
	}
	m.Cases = bytes.Count(files[name+".json"], []byte(`{"id":"`))
	spoiled := []string{name + ".json", name + ".json", name + ".safetensors"}[r.IntN(3)]
	sealed := r.IntN(3) > 0
	if sealed {
		switch {
		case spoiled == name+".safetensors":
			files[spoiled] = damage(r, files[spoiled])
		case r.IntN(4) == 0:
			files[spoiled], wrong = twice(r, files[spoiled]), true
		default:
			files[spoiled] = spoil(r, files[spoiled])
		}
	}
	for file, data := range files {
		m.Files[file] = vector.Entry(data)
	}
	files[vector.ManifestName], err = vector.EncodeManifest(m)
	require.NoError(t, err)
	if !sealed {
		spoiled = []string{spoiled, vector.ManifestName}[r.IntN(2)]
		whole := files[spoiled]
		files[spoiled] = damage(r, whole)
		wrong = !bytes.Equal(whole, files[spoiled])
	}
	for file, data := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), data, 0o600))
	}
	if r.IntN(2) == 0 {
		return []string{"vectors", "verify", "--vectors", dir}, wrong
	}
	return []string{"check", "--op", name, "--vectors", dir}, wrong
}

// badONNX spoils a file of a node test, or adds one.
func badONNX(t *testing.T, r *rand.Rand, dir string) (args []string, wrong bool) {
	const scalar = "\x10\x01\x4a\x04" // a float32 scalar, up to its bytes
	const one, minus = scalar + "\x00\x00\x80\x3f", scalar + "\x00\x00\x80\xbf"
	operator := []string{"Relu", "Tanh", "Softmax", "Gelu", "Erf"}[r.IntN(5)]
	nodeTest(t, dir, "test_x", operator, one, []string{one, minus}[r.IntN(2)])
	set := filepath.Join(dir, "test_x", "test_data_set_0")
	path := []string{filepath.Join(dir, "test_x", "model.onnx"), filepath.Join(set, "input_0.pb"), filepath.Join(set, "output_0.pb")}[r.IntN(3)]
	switch r.IntN(5) {
	case 0:
		require.NoError(t, os.WriteFile(filepath.Join(set, []string{"input_1.pb", "output_1.pb", "x"}[r.IntN(3)]), []byte(one), 0o600))
		wrong = true
	case 1:
		require.NoError(t, os.Remove(path))
		wrong = true
	default:
		require.NoError(t, rewrite(path, func(b []byte) []byte { return damage(r, b) }))
	}
	return []string{"onnx", dir}, wrong
}

// badFlags gives a command what is no value of its flag, or a name that is none.
func badFlags(t *testing.T, r *rand.Rand, dir string) (args []string, wrong bool) {
	text := []string{"", "x", "-", "--", "[", "\x00", "../..", "attention/", "mutant:", "variant:", "1e9", "-1", "0x", "NaN", strings.Repeat("a", 1<<16), "ünïcödé", "/dev/null", dir}
	bad := text[r.IntN(len(text))]
	lines := [][]string{
		{"check", "--impl", bad}, {"check", "--op", bad}, {"check", "--case", bad, "--op", "relu"}, {"check", "--profile", bad + "x"}, {"check", "--vectors", bad + "/none"},
		{"mutants", "--op", bad + "["}, {"run", bad, "--in", "/dev/null", "--out", filepath.Join(dir, "y")}, {"run", "relu", "--in", bad + "/none", "--out", filepath.Join(dir, "y")},
		{"run", "relu", "--in", "/dev/zero", "--out", bad}, {"vectors", "show", bad}, {"vectors", "list", "--op", bad}, {"vectors", "export", "/dev/null/" + bad},
		{"bench", "--count", bad}, {"bench", "--workload", "[" + bad}, {"onnx", bad + "/none"}, {"ops", "x" + bad}, {bad + "x"}, {"check", "x" + bad}, {"check", "--x" + bad},
		{"run", "relu", "--max-elements", bad, "--in", "x", "--out", "y"},
	}
	return lines[r.IntN(len(lines))], true
}

// The kinds of damage that the test relies on do what they say.
func TestSpoil(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	require.Regexp(t, `^\{("a":1,"a":1,"b":"x"|"a":1,"b":"x","b":"x")\}$`, string(twice(r, []byte(`{"a":1,"b":"x"}`))))
	for range 100 {
		require.NotEqual(t, "abcdef", string(damage(r, []byte("abcdef"))))
		require.Regexp(t, `^\{"a":.+\}$`, string(spoil(r, []byte(`{"a":7}`))))
	}
}
