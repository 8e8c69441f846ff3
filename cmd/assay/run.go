package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/internal/input"
	"github.com/assaykit/assay/internal/output"
)

// runElements is how many elements the tensors of a run may have together unless --max-elements says otherwise.
const runElements = 1 << 25

func runCommand() *cobra.Command {
	var impl, attrs, in, out string
	var asJSON bool
	elements := runElements
	cmd := &cobra.Command{
		Use:   "run OP",
		Short: "Run one op on tensors from a safetensors file",
		Long: `Run one op of an implementation on the tensors of a safetensors file and write its results to another.
Tensors are found by the names of the op's arguments, constants included. For an op that
keeps state, number the steps: 0/q, 0/k, 1/q, …

Floats of all widths are read, and converted to the implementation's storage format; integers of all widths, for tensors of
integers; and for a mask, integers that are 0 or 1. The file that --out names is replaced whole, or not at all;
where it is a symbolic link, what it points to.

assay run OP --help shows one op: its tensors, attributes and clauses. The ops and their tensors:
` + opsTable(),
		Example: `  assay run attention --impl reference --attrs '{"causal":true}' --in x.safetensors --out y.safetensors`,
		Args:    oneArgument("an op"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if in == "" || out == "" {
				return usageError{cmd, errors.New("run: want --in FILE and --out FILE")}
			}
			r, err := newRun(args[0], impl, attrs)
			if err != nil {
				return err
			}
			file, err := output.Claim(out)
			if err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			var results map[string]op.Tensor
			err = stoppable("nothing is written", func(cmd *cobra.Command, _ []string) (err error) {
				if err := r.read(in, elements); err != nil {
					return fmt.Errorf("--in: %w", err)
				}
				results, err = r.steps(cmd.Context())
				return err
			})(cmd, args)
			if err != nil {
				return err
			}
			data, err := vector.EncodeSafetensors(results)
			if err != nil {
				return err
			}
			if err := file.Write(func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
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
	f.Var((*count)(&elements), "max-elements", "how many elements the tensors may have together, results included")
	f.BoolVar(&asJSON, "json", false, "print the names, dtypes and shapes of the results as JSON")
	help := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		for _, name := range args {
			if info, err := describe(name); err == nil {
				if info.write(cmd.OutOrStdout()) == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "\n%s", cmd.UsageString())
				}
				return
			}
		}
		help(cmd, args)
	})
	return cmd
}

// run is one run of an op.
type run struct {
	op      string
	attrs   json.RawMessage
	args    []op.Argument
	impl    op.Implementation
	storage op.DType
	consts  []op.Tensor
	calls   []call
}

// call is one step: its sources, and the prefix of its tensors' names, empty or such as "3/".
type call struct {
	prefix string
	src    []op.Tensor
}

// newRun returns a run that has not read its tensors yet.
func newRun(name, impl, attrs string) (*run, error) {
	args, err := op.Arguments(name)
	if err != nil {
		return nil, err
	}
	factory, err := implementation(impl)
	if err != nil {
		return nil, err
	}
	r := &run{op: name, attrs: json.RawMessage(attrs), args: args, impl: factory()}
	r.storage = op.FormatsOf(r.impl).Storage.DType()
	return r, nil
}

// read takes the tensors from a file, puts them into the op table's order, and reports what does not fit there. With their results they have
// at most so many elements.
func (r *run) read(path string, elements int) error {
	const header = 16 << 20 // of bytes, at most
	data, err := input.ReadFile(path, header+8*int64(elements))
	if errors.Is(err, input.ErrTooLarge) {
		return fmt.Errorf("%w: --max-elements allows more", err)
	}
	if err != nil {
		return err
	}
	tensors, err := vector.WidenSafetensors(data, elements)
	if errors.Is(err, vector.ErrLimit) {
		err = fmt.Errorf("%w: --max-elements allows more", err)
	}
	if err == nil {
		err = r.arrange(tensors)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	total := 0
	for _, t := range tensors {
		total += t.Len()
	}
	return r.fit(total, elements)
}

// arrange puts named tensors into table order: the constants, and the sources of each step.
func (r *run) arrange(tensors map[string]op.Tensor) error {
	numbered := map[int]map[string]op.Tensor{}
	plain := map[string]op.Tensor{}
	for key, t := range tensors {
		number, name, _ := strings.Cut(key, "/")
		if i, err := strconv.Atoi(number); err == nil && strconv.Itoa(i) == number && name != "" && i >= 0 {
			if numbered[i] == nil {
				numbered[i] = map[string]op.Tensor{}
			}
			numbered[i][name] = t
		} else {
			plain[key] = t
		}
	}
	var err error
	if r.consts, err = r.take(op.Const, plain); err != nil {
		return err
	}
	for i := range len(numbered) {
		step, ok := numbered[i]
		if !ok {
			return fmt.Errorf("%s: step %d has no tensors: want steps numbered from 0 without gaps", r.op, i)
		}
		src, err := r.take(op.Src, step)
		if err == nil {
			err = r.leftover(step, strconv.Itoa(i)+"/")
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		r.calls = append(r.calls, call{strconv.Itoa(i) + "/", src})
	}
	if len(numbered) == 0 {
		src, err := r.take(op.Src, plain)
		if err != nil {
			return err
		}
		r.calls = []call{{"", src}}
	}
	return r.leftover(plain, "")
}

// take moves the tensors of a role out of the named ones, in table order: floats in the storage format, masks of integers as booleans.
func (r *run) take(role op.Role, tensors map[string]op.Tensor) ([]op.Tensor, error) {
	var taken []op.Tensor
	for _, a := range r.args {
		if a.Role != role {
			continue
		}
		t := tensors[a.Name].Convert(r.storage)
		delete(tensors, a.Name)
		if strings.Contains(a.Types, "bool") && t.DType == op.I64 {
			mask := op.New(op.Bool, t.Shape...)
			for i, x := range t.I64 {
				if x != 0 && x != 1 {
					return nil, fmt.Errorf("%s: element %d of %s is %d: want 0 or 1 in a mask of integers", r.op, i, a.Name, x)
				}
				mask.Bool[i] = x == 1
			}
			t = mask
		}
		taken = append(taken, t)
	}
	return taken, nil
}

// leftover reports the first tensor that the op does not take.
func (r *run) leftover(tensors map[string]op.Tensor, prefix string) error {
	left := slices.Sorted(maps.Keys(tensors))
	if len(left) == 0 {
		return nil
	}
	var names []string
	for _, a := range r.args {
		if a.Role != op.Dst {
			names = append(names, a.Name)
		}
	}
	return fmt.Errorf("%s: the input file has a tensor %q: want the names %s, sources of several steps as 0/%s, 1/%[4]s, …",
		r.op, prefix+left[0], strings.Join(names, ", "), names[len(names)-1])
}

func (r *run) spec() op.Spec { return op.Spec{Op: r.op, Attrs: r.attrs, Const: r.consts} }

// fit reports a step that the op table refuses, and results that, beside so many elements of tensors, would have more than are allowed.
func (r *run) fit(total, allowed int) error {
	for i, c := range r.calls {
		dst, err := op.Results(r.spec(), c.src, r.storage)
		if err != nil {
			return r.at(i, err)
		}
		for _, d := range dst {
			if n, ok := op.Elements(d.Shape); ok && d.Present() {
				total += n
			}
			if total > allowed {
				return r.at(i, fmt.Errorf("%s: %w: with results of shape %v the tensors have %d, at most %d are allowed: --max-elements allows more",
					r.op, vector.ErrLimit, d.Shape, total, allowed))
			}
		}
	}
	return nil
}

// at names the step of an error, where there are several.
func (r *run) at(i int, err error) error {
	if r.calls[i].prefix == "" {
		return err
	}
	return fmt.Errorf("step %d: %w", i, err)
}

// steps opens the op, runs every step, and returns the results under the names of their arguments.
func (r *run) steps(ctx context.Context) (results map[string]op.Tensor, err error) {
	kernel, err := r.impl.Open(r.spec())
	if err != nil {
		return nil, err
	}
	if c, ok := kernel.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	results = map[string]op.Tensor{}
	for i, c := range r.calls {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dst, err := op.Results(r.spec(), c.src, r.storage)
		if err == nil {
			for i, d := range dst {
				if d.Present() {
					dst[i] = op.New(d.DType, d.Shape...)
				}
			}
			err = kernel.Run(dst, c.src)
		}
		if err != nil {
			return nil, r.at(i, err)
		}
		n := 0
		for _, a := range r.args {
			if a.Role != op.Dst {
				continue
			}
			if dst[n].Present() {
				results[c.prefix+a.Name] = dst[n]
			}
			n++
		}
	}
	return results, nil
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
