package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/golden"
)

func opsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ops [OP]",
		Short: "List the ops, or show one: its tensors, attributes and clauses",
		Long: `List the ops with their tensors, or show one: its tensors with their shapes, its attributes with their defaults and
what they may be, and the clauses of SPEC.md that its cases hold it to. In a shape, a letter is the same length
wherever it stands, ... is any leading dimensions, B|1 is B or 1, and [] is a scalar.`,
		Example: "  assay ops\n  assay ops attention",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !asJSON {
				_, err := io.WriteString(cmd.OutOrStdout(), opsTable())
				return err
			}
			names := args
			if len(args) == 0 {
				names = op.Names()
			}
			var all []*opInfo
			for _, name := range names {
				info, err := describe(name)
				if err != nil {
					return err
				}
				all = append(all, info)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			return all[0].write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, of all ops where none is named")
	return cmd
}

// opsTable lists every op with its tensors, a line each.
func opsTable() string {
	var b strings.Builder
	for _, name := range op.Names() {
		args, _ := op.Arguments(name)
		var words []string
		for _, a := range inOrder(args) {
			word := fmt.Sprintf("%s[%s]", a.Name, a.Rule)
			if a.Optional || a.Of != "" {
				word += "?"
			}
			if a.Role == op.Dst {
				word = "-> " + word
			}
			words = append(words, word)
		}
		fmt.Fprintf(&b, "  %s: %s\n", name, strings.Join(words, " "))
	}
	return b.String()
}

// inOrder returns arguments by role: constants, sources, destinations.
func inOrder(args []op.Argument) []op.Argument {
	roles := []op.Role{op.Const, op.Src, op.Dst}
	return slices.SortedStableFunc(slices.Values(args), func(a, b op.Argument) int {
		return cmp.Compare(slices.Index(roles, a.Role), slices.Index(roles, b.Role))
	})
}

// opInfo is what there is to say of an op.
type opInfo struct {
	Op         string          `json:"op"`
	Gradient   string          `json:"gradient,omitempty"`
	Stateful   bool            `json:"stateful"`
	Tensors    []tensorInfo    `json:"tensors"`
	Attributes []attributeInfo `json:"attributes"`
	Clauses    []string        `json:"clauses"` // that its cases cite
}

type tensorInfo struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	Types    string `json:"types"`
	Shape    string `json:"shape"`
	Presence string `json:"presence,omitempty"`
}

type attributeInfo struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default string `json:"default,omitempty"` // as JSON
	Want    string `json:"want,omitempty"`
}

func describe(name string) (*opInfo, error) {
	row, err := op.Lookup(name)
	if err != nil {
		return nil, err
	}
	args, err := op.Arguments(name)
	if err != nil {
		return nil, err
	}
	attributes, err := op.Attributes(name)
	if err != nil {
		return nil, err
	}
	set, err := golden.Load()
	if err != nil {
		return nil, err
	}
	info := &opInfo{Op: name, Gradient: row.Gradient, Stateful: row.Stateful, Attributes: []attributeInfo{}, Clauses: clausesOf(set, name)}
	for _, a := range inOrder(args) {
		t := tensorInfo{Name: a.Name, Role: map[op.Role]string{op.Const: "constant", op.Src: "source", op.Dst: "result"}[a.Role], Types: a.Types, Shape: "[" + a.Rule + "]"}
		switch {
		case a.Optional:
			t.Presence = "optional"
		case a.Of != "":
			t.Presence = "with " + a.Of
		}
		info.Tensors = append(info.Tensors, t)
	}
	for _, a := range attributes {
		info.Attributes = append(info.Attributes, attributeInfo(a))
	}
	return info, nil
}

// clausesOf returns the clauses that cases of an op cite, in the order of SPEC.md.
func clausesOf(set *vector.Set, name string) []string {
	cited := map[string]bool{}
	for _, f := range set.Files {
		for _, c := range f.Cases {
			for _, clause := range c.Clauses {
				cited[clause] = cited[clause] || f.Op == name
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(set.Manifest.Clauses), func(clause string) bool { return !cited[clause] })
}

func (o *opInfo) write(out io.Writer) error {
	w := &errWriter{w: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	w.printf("%s\n", o.Op)
	if o.Stateful {
		w.printf("keeps state: number the steps of assay run, 0/%s, 1/%[1]s, …\n", o.Tensors[len(o.Tensors)-1].Name)
	}
	w.printf("\ntensors\n")
	for _, t := range o.Tensors {
		w.printf("  %s\t%s\t%s\t%s\t%s\n", t.Name, t.Role, t.Types, t.Shape, t.Presence)
	}
	if len(o.Attributes) > 0 {
		w.printf("\nattributes\n")
	}
	for _, a := range o.Attributes {
		standard := "must be given"
		if a.Default != "" {
			standard = "default " + a.Default
		}
		w.printf("  %s\t%s\t%s\t%s\n", a.Name, a.Type, standard, a.Want)
	}
	if o.Gradient != "" {
		w.printf("\ngradient\n  %s\n", o.Gradient)
	}
	w.printf("\nclauses of its cases\n  %s\n", strings.Join(o.Clauses, " "))
	if w.err == nil {
		w.err = w.w.(*tabwriter.Writer).Flush()
	}
	return w.err
}
