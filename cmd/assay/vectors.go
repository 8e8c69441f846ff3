package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
	"github.com/assaykit/assay/internal/input"
)

func vectorsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "vectors",
		Short:   "Verify, list, show or export the golden vectors",
		Example: "  assay vectors list --op 'attention*'\n  assay vectors export ./vectors",
		Args:    knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{cmd, errors.New("vectors: want a command")}
		},
	}
	cmd.AddCommand(verifyCommand(), listCommand(), showCommand(), exportCommand())
	return cmd
}

// vectorFlags are common to the subcommands.
type vectorFlags struct {
	vectorsFlags
	asJSON bool
}

func (v *vectorFlags) register(cmd *cobra.Command) {
	v.vectorsFlags.register(cmd)
	cmd.Flags().BoolVar(&v.asJSON, "json", false, "print JSON")
}

func verifyCommand() *cobra.Command {
	var v vectorFlags
	cmd := &cobra.Command{
		Use:     "verify",
		Short:   "Check hashes, schema and contents; exit 2 where something is wrong",
		Example: "  assay vectors verify --vectors ./vectors",
		Args:    noArguments,
		RunE: stoppable("nothing is kept", func(cmd *cobra.Command, _ []string) error {
			set, err := v.load()
			if err != nil {
				return err
			}
			if v.asJSON {
				return writeJSON(cmd.OutOrStdout(), set.Manifest)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d cases of %d ops, spec %s: hashes, schema and contents hold\n",
				set.Cases(), len(set.Files), set.Manifest.Spec)
			return err
		}),
	}
	v.register(cmd)
	return cmd
}

func listCommand() *cobra.Command {
	var v vectorFlags
	var pattern string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the cases: id, comparison, clauses, comment",
		Example: "  assay vectors list --op attention",
		Args:    noArguments,
		RunE: stoppable("nothing is kept", func(cmd *cobra.Command, _ []string) error {
			if err := knownOps(pattern); err != nil {
				return err
			}
			set, err := v.load()
			if err != nil {
				return err
			}
			var cases []*vector.Case
			for _, f := range set.Files {
				if ok, _ := path.Match(pattern, f.Op); ok {
					cases = append(cases, f.Cases...)
				}
			}
			if len(cases) == 0 {
				return fmt.Errorf("--op %q matches no op of these vectors", pattern)
			}
			if v.asJSON {
				return writeJSON(cmd.OutOrStdout(), cases)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, c := range cases {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", c.ID, c.Compare, strings.Join(c.Clauses, " "), c.Comment)
			}
			return tw.Flush()
		}),
	}
	v.register(cmd)
	cmd.Flags().StringVar(&pattern, "op", "*", "only ops that match this pattern")
	return cmd
}

func showCommand() *cobra.Command {
	var v vectorFlags
	cmd := &cobra.Command{
		Use:     "show CASE",
		Short:   "Show one case: what it traps, its attributes and the beginning of its tensors",
		Example: "  assay vectors show attention/tiles-512",
		Args:    oneArgument("the id of a case"),
		RunE: stoppable("nothing is kept", func(cmd *cobra.Command, args []string) error {
			set, err := v.load()
			if err != nil {
				return err
			}
			f, c, err := caseOf(set, args[0])
			if err != nil {
				return err
			}
			if v.asJSON {
				return writeJSON(cmd.OutOrStdout(), c)
			}
			return showCase(cmd.OutOrStdout(), f, c)
		}),
	}
	v.register(cmd)
	return cmd
}

func showCase(out io.Writer, f *vector.File, c *vector.Case) error {
	w := &errWriter{w: out}
	w.printf("%s: %s\n", c.ID, c.Comment)
	w.printf("clauses  %s\ncompare  %s\nattrs    %s\n", strings.Join(c.Clauses, " "), c.Compare, c.Attrs)
	for _, flag := range f.Flags {
		if slices.Contains(c.Flags, flag.Name) {
			w.printf("flag     %s: %s %s\n", flag.Name, flag.Bug, flag.See)
		}
	}
	inputs := func(ins []vector.Input) {
		for i := range ins {
			if in := &ins[i]; in.DType != 0 {
				w.printf("  %s %s %v %s\n", in.Name, in.Type, in.Shape, excerpt(in.Tensor()))
			}
		}
	}
	if len(c.Const) > 0 {
		w.printf("constants\n")
		inputs(c.Const)
	}
	for i, s := range c.Steps {
		w.printf("step %d\n", i)
		inputs(s.Src)
		if s.Error != "" {
			w.printf("  must fail: %s\n", s.Error)
		}
		for n, list := range s.Results() {
			if n > 0 {
				w.printf("  or\n")
			}
			for _, e := range list {
				showResult(w, &e)
			}
		}
	}
	return w.err
}

func showResult(w *errWriter, e *vector.Expect) {
	of := ""
	if e.Sampled {
		of = fmt.Sprintf(" (%d sampled)", len(e.Index))
	}
	switch {
	case !e.Present():
		w.printf("  -> %s absent\n", e.Name)
	case e.Integers():
		w.printf("  -> %s %s %v%s %s\n", e.Name, e.Type, e.Shape, of, excerpt(op.Int64(e.Ints, len(e.Ints))))
	default:
		w.printf("  -> %s %v%s %s\n     gauge %s\n", e.Name, e.Shape, of, excerpt(op.Float64(e.Want, len(e.Want))), excerpt(op.Float64(e.Acc, len(e.Acc))))
	}
}

// excerpt shows the first elements of a tensor.
func excerpt(t op.Tensor) string {
	const shown = 6
	var words []string
	for i := range min(t.Len(), shown) {
		words = append(words, fmt.Sprintf("%.6g", t.At(i)))
	}
	if t.Len() > shown {
		words = append(words, "…")
	}
	return strings.Join(words, " ")
}

type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) printf(format string, args ...any) {
	if e.err == nil {
		_, e.err = fmt.Fprintf(e.w, format, args...)
	}
}

func exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "Write the embedded vectors to a directory, for other languages",
		Long: `Write the embedded vectors to a directory, for other languages: a new one, an empty one, or one that an earlier
export of the same vectors was writing when it ended, which this one completes. Of other directories nothing is changed.

MANIFEST.json has the SHA-256 of each file, and at its end its own, of itself with zeros for the 64 digits of that.`,
		Example: "  assay vectors export ./vectors && python3 -c 'from safetensors.numpy import load_file; print(load_file(\"vectors/softmax.safetensors\").keys())'",
		Args:    oneArgument("a directory"),
		RunE: stoppable("the same command completes what is written", func(cmd *cobra.Command, args []string) error {
			n, err := export(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d files in %s\n", n, args[0])
			return err
		}),
	}
}

// export writes the embedded vectors to a directory and returns how many files they are. Files get their names at once, without others in
// between that a killed export would leave; the manifest is the last, so that a part of the files is never taken for the set.
func export(ctx context.Context, dir string) (int, error) {
	entries, err := fs.ReadDir(golden.FS, ".")
	if err != nil {
		return 0, err
	}
	content := map[string][]byte{}
	for _, e := range entries {
		if content[e.Name()], err = golden.FS.ReadFile(e.Name()); err != nil {
			return 0, err
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, err
	}
	if err := ours(dir, content); err != nil {
		return 0, fmt.Errorf("%s: %w: want a new directory, or an empty one", dir, err)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(content)), func(name string) bool { return name == vector.ManifestName })
	for _, name := range append(names, vector.ManifestName) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content[name], 0o666); err != nil {
			return 0, err
		}
	}
	return len(content), nil
}

// ours reports what a directory holds beside files of an export, whole or cut off.
func ours(dir string, content map[string][]byte) error {
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range there {
		want, known := content[e.Name()]
		if !known || !e.Type().IsRegular() {
			return fmt.Errorf("holds %s, which is not of these vectors", e.Name())
		}
		data, err := input.ReadFile(filepath.Join(dir, e.Name()), int64(len(want)))
		if err != nil || !bytes.HasPrefix(want, data) {
			return fmt.Errorf("holds %s, which is not of these vectors", e.Name())
		}
	}
	return nil
}
