package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
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
)

func vectorsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "vectors",
		Short:   "Verify, list, show or export the golden vectors",
		Example: "  assay vectors list --op 'attention*'\n  assay vectors export ./vectors",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("vectors: want one of verify, list, show, export")
		},
	}
	cmd.AddCommand(verifyCommand(), listCommand(), showCommand(), exportCommand())
	return cmd
}

// vectorFlags are common to the subcommands.
type vectorFlags struct {
	dir    string
	asJSON bool
}

func (v *vectorFlags) register(cmd *cobra.Command) {
	vectorsFlag(cmd, &v.dir)
	cmd.Flags().BoolVar(&v.asJSON, "json", false, "print JSON")
}

func verifyCommand() *cobra.Command {
	var v vectorFlags
	cmd := &cobra.Command{
		Use:     "verify",
		Short:   "Check hashes, schema and contents; exit 2 where something is wrong",
		Example: "  assay vectors verify --vectors ./vectors",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := loadVectors(v.dir)
			if err != nil {
				return err
			}
			if v.asJSON {
				return writeJSON(cmd.OutOrStdout(), set.Manifest)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d cases of %d ops, spec %s: hashes, schema and contents hold\n",
				set.Cases(), len(set.Files), set.Manifest.Spec)
			return err
		},
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
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := loadVectors(v.dir)
			if err != nil {
				return err
			}
			var cases []*vector.Case
			for _, f := range set.Files {
				if ok, err := path.Match(pattern, f.Op); err != nil {
					return fmt.Errorf("--op %q: %w", pattern, err)
				} else if ok {
					cases = append(cases, f.Cases...)
				}
			}
			if len(cases) == 0 {
				return fmt.Errorf("--op %q matches no op with vectors: the ops are %s", pattern, strings.Join(op.Names(), ", "))
			}
			if v.asJSON {
				return writeJSON(cmd.OutOrStdout(), cases)
			}
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, c := range cases {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", c.ID, c.Compare, strings.Join(c.Clauses, " "), c.Comment)
			}
			return tw.Flush()
		},
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
		Example: "  assay vectors show attention/causal-17",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := loadVectors(v.dir)
			if err != nil {
				return err
			}
			for _, f := range set.Files {
				i := slices.IndexFunc(f.Cases, func(c *vector.Case) bool { return c.ID == args[0] })
				if i < 0 {
					continue
				}
				if v.asJSON {
					return writeJSON(cmd.OutOrStdout(), f.Cases[i])
				}
				return showCase(cmd.OutOrStdout(), f, f.Cases[i])
			}
			return fmt.Errorf("no case %q: list them with `assay vectors list`", args[0])
		},
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
		Use:     "export DIR",
		Short:   "Write the embedded vectors to a directory, for other languages",
		Example: "  assay vectors export ./vectors && python3 -c 'from safetensors.numpy import load_file; print(load_file(\"vectors/softmax.safetensors\").keys())'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			entries, err := fs.ReadDir(golden.FS, ".")
			if err != nil {
				return err
			}
			for _, e := range entries {
				data, err := golden.FS.ReadFile(e.Name())
				if err != nil {
					return err
				}
				if err := writeFile(filepath.Join(args[0], e.Name()), data); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d files in %s\n", len(entries), args[0])
			return err
		},
	}
}
