package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// maxInput is the size past which an input file is refused before it is read.
const maxInput = 4 << 30

func runCommand() *cobra.Command {
	var impl, attrs, in, out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "run OP",
		Short: "Run one op on tensors from a safetensors file",
		Long: `Run one op of an implementation on the tensors of a safetensors file and write its results to another.
Tensors are found by the names of the op's arguments, constants included. For an op that
keeps state, number the steps: 0/q, 0/k, 1/q, … Floats are converted to the implementation's storage format.

` + argumentsHelp(),
		Example: `  assay run attention --impl reference --attrs '{"causal":true}' --in x.safetensors --out y.safetensors`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			factory, err := implementation(impl)
			if err != nil {
				return err
			}
			tensors, err := readTensors(in)
			if err != nil {
				return fmt.Errorf("--in: %w", err)
			}
			results, err := runSteps(args[0], factory, json.RawMessage(attrs), tensors)
			if err != nil {
				return err
			}
			data, err := vector.EncodeSafetensors(results)
			if err != nil {
				return err
			}
			if err := writeFile(out, data); err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			return printResults(cmd.OutOrStdout(), results, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&impl, "impl", "optimized", "the implementation: "+implementationNames())
	f.StringVar(&attrs, "attrs", "{}", "the op's attributes, a JSON object")
	f.StringVar(&in, "in", "", "the safetensors file with the arguments")
	f.StringVar(&out, "out", "", "the safetensors file to write")
	f.BoolVar(&asJSON, "json", false, "print the names, dtypes and shapes of the results as JSON")
	for _, name := range []string{"in", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return cmd
}

// argumentsHelp lists every op with its arguments, from the op table.
func argumentsHelp() string {
	var b strings.Builder
	b.WriteString("The ops and their arguments:\n")
	for _, name := range op.Names() {
		args, _ := op.Arguments(name)
		var words []string
		for _, role := range []op.Role{op.Const, op.Src, op.Dst} {
			for _, a := range args {
				if a.Role != role {
					continue
				}
				word := fmt.Sprintf("%s[%s]", a.Name, a.Rule)
				if a.Optional || a.Of != "" {
					word += "?"
				}
				if role == op.Dst {
					word = "-> " + word
				}
				words = append(words, word)
			}
		}
		fmt.Fprintf(&b, "  %s: %s\n", name, strings.Join(words, " "))
	}
	return b.String()
}

func readTensors(path string) (map[string]op.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxInput:
		return nil, fmt.Errorf("%s has %d bytes: at most %d are read", path, info.Size(), int64(maxInput))
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	tensors, err := vector.DecodeSafetensors(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tensors, nil
}

// runSteps opens the op, runs every step that the tensors' names spell out, and returns the results under the same kind of names.
func runSteps(name string, factory conformance.Factory, attrs json.RawMessage, tensors map[string]op.Tensor) (results map[string]op.Tensor, err error) {
	args, err := op.Arguments(name)
	if err != nil {
		return nil, err
	}
	impl := factory()
	storage := op.FormatsOf(impl).Storage.DType()
	consts, steps, err := arrange(name, args, tensors, storage)
	if err != nil {
		return nil, err
	}
	spec := op.Spec{Op: name, Attrs: attrs, Const: consts}
	kernel, err := impl.Open(spec)
	if err != nil {
		return nil, err
	}
	if c, ok := kernel.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	results = map[string]op.Tensor{}
	for i, step := range steps {
		dst, err := op.Shapes(spec, step.src, storage)
		if err != nil {
			return nil, err
		}
		if err := kernel.Run(dst, step.src); err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		n := 0
		for _, a := range args {
			if a.Role != op.Dst {
				continue
			}
			if dst[n].Present() {
				results[step.prefix+a.Name] = dst[n]
			}
			n++
		}
	}
	return results, nil
}

type step struct {
	prefix string // of its tensors' names: "" or "3/"
	src    []op.Tensor
}

// arrange puts named tensors into table order: the constants, and the sources of each step.
func arrange(name string, args []op.Argument, tensors map[string]op.Tensor, storage op.DType) (consts []op.Tensor, steps []step, err error) {
	rest := maps.Clone(tensors)
	take := func(key string) op.Tensor {
		t := rest[key]
		delete(rest, key)
		return t.Convert(storage)
	}
	gather := func(role op.Role, prefix string) (out []op.Tensor) {
		for _, a := range args {
			if a.Role == role {
				out = append(out, take(prefix+a.Name))
			}
		}
		return out
	}
	consts = gather(op.Const, "")
	if _, numbered := firstNumbered(rest); numbered {
		for i := 0; ; i++ {
			prefix := strconv.Itoa(i) + "/"
			if !slices.ContainsFunc(slices.Collect(maps.Keys(rest)), func(k string) bool { return strings.HasPrefix(k, prefix) }) {
				break
			}
			steps = append(steps, step{prefix, gather(op.Src, prefix)})
		}
	} else {
		steps = []step{{"", gather(op.Src, "")}}
	}
	for key := range rest {
		var names []string
		for _, a := range args {
			if a.Role != op.Dst {
				names = append(names, a.Name)
			}
		}
		return nil, nil, fmt.Errorf("%s: the input file has a tensor %q: want the names %s, sources of several steps as 0/%s, 1/%[4]s, …",
			name, key, strings.Join(names, ", "), names[len(names)-1])
	}
	return consts, steps, nil
}

func firstNumbered(tensors map[string]op.Tensor) (string, bool) {
	for key := range tensors {
		if strings.HasPrefix(key, "0/") {
			return key, true
		}
	}
	return "", false
}

// writeFile writes a file whole or not at all: beside its place first, then renamed.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func printResults(w io.Writer, results map[string]op.Tensor, asJSON bool) error {
	type info struct {
		Name  string `json:"name"`
		DType string `json:"dtype"`
		Shape []int  `json:"shape"`
	}
	var infos []info
	for _, name := range slices.Sorted(maps.Keys(results)) {
		t := results[name]
		infos = append(infos, info{name, t.DType.String(), append([]int{}, t.Shape...)})
	}
	if asJSON {
		return writeJSON(w, infos)
	}
	for _, i := range infos {
		if _, err := fmt.Fprintf(w, "%s %s %v\n", i.Name, i.DType, i.Shape); err != nil {
			return err
		}
	}
	return nil
}
