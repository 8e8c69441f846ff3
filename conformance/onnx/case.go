package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/assaykit/assay/internal/input"
)

// Case is one test of a suite: a model of one node, and sets of inputs with the outputs that they should give.
type Case struct {
	Name string // test_softmax_axis_0
	Op   string // Softmax
	// Reason says why the case cannot be judged; empty where it can.
	Reason string

	node    node
	version int64
	sets    []dataSet
}

// dataSet is the inputs and outputs of a node, by position; the zero tensor where one is absent.
type dataSet struct{ inputs, outputs []tensor }

// ErrNoCases is returned where a directory holds no tests.
var ErrNoCases = errors.New("no tests: want folders test_*/ with model.onnx and test_data_set_*/")

// maxFile is the size past which a file is refused before it is read. What is made of it is larger, and the largest of ONNX's has a tenth.
const maxFile = 16 << 20

// Load reads the tests of a directory, test_*/model.onnx with test_data_set_*/{input,output}_*.pb, in the order of their names. A test of
// an operator that is not translated, or of more than one, is a case with a Reason; a file that cannot be read is an error that wraps
// ErrCorrupt.
func Load(fsys fs.FS) ([]Case, error) {
	names, err := fs.Glob(fsys, "test_*/model.onnx")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, ErrNoCases
	}
	slices.Sort(names)
	cases := make([]Case, len(names))
	for i, name := range names {
		if cases[i], err = load(fsys, path.Dir(name)); err != nil {
			return nil, err
		}
	}
	return cases, nil
}

func load(fsys fs.FS, dir string) (Case, error) {
	c := Case{Name: dir}
	err := c.load(fsys)
	if errors.Is(err, errUnsupported) {
		c.Reason = reason(err)
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", dir, err)
	}
	return c, err
}

// reason is an unsupported error without the words that all have in common.
func reason(err error) string {
	return strings.ReplaceAll(err.Error(), errUnsupported.Error()+": ", "")
}

func (c *Case) load(fsys fs.FS) error {
	data, err := input.ReadFS(fsys, c.Name+"/model.onnx", maxFile)
	if err != nil {
		return err
	}
	m, err := decodeModel(data)
	if err != nil {
		return err
	}
	if c.Op, err = m.only(); err != nil {
		return err
	}
	c.node, c.version = m.nodes[0], m.version(m.nodes[0].domain)
	dirs, err := fs.Glob(fsys, c.Name+"/test_data_set_*")
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		return fmt.Errorf("%w: no test_data_set_*", ErrCorrupt)
	}
	for _, name := range m.outputs {
		if !slices.Contains(c.node.outputs, name) {
			return fmt.Errorf("%w: output %q of the graph is none of the node", ErrCorrupt, name)
		}
	}
	for _, dir := range dirs {
		if err := m.unknown(fsys, dir); err != nil {
			return err
		}
		inputs, err := values(fsys, dir, "input", m.inputs, c.node.inputs, m.initializers)
		if err != nil {
			return err
		}
		outputs, err := values(fsys, dir, "output", m.outputs, c.node.outputs, nil)
		if err != nil {
			return err
		}
		c.sets = append(c.sets, dataSet{inputs, outputs})
	}
	return nil
}

// only returns the operator of a graph of one node that is translated.
func (m *model) only() (string, error) {
	if len(m.nodes) != 1 {
		return "", fmt.Errorf("%w: a graph of %d nodes", errUnsupported, len(m.nodes))
	}
	n := m.nodes[0]
	if _, ok := operators[n.op]; !ok {
		return n.op, fmt.Errorf("%w: no translation of operator %s", errUnsupported, n.op)
	}
	if n.domain != "" && n.domain != "ai.onnx" && n.domain != "ai.onnx.preview.training" {
		return n.op, fmt.Errorf("%w: operator %s of domain %q", errUnsupported, n.op, n.domain)
	}
	return n.op, nil
}

// unknown reports what a data set holds beside the inputs and outputs of the graph: it would be judged by nothing.
func (m *model) unknown(fsys fs.FS, dir string) error {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for kind, names := range map[string][]string{"input": m.inputs, "output": m.outputs} {
		for i := range names {
			known[fmt.Sprintf("%s_%d.pb", kind, i)] = true
		}
	}
	for _, e := range entries {
		if !known[e.Name()] {
			return fmt.Errorf("%w: %s holds %s: the graph has %d inputs and %d outputs", ErrCorrupt, dir, e.Name(), len(m.inputs), len(m.outputs))
		}
	}
	return nil
}

// version returns the version of an operator set. The default domain has two names.
func (m *model) version(domain string) int64 {
	if v, ok := m.opsets[domain]; ok || domain != "" && domain != "ai.onnx" {
		return v
	}
	return max(m.opsets[""], m.opsets["ai.onnx"])
}

// values returns a node's inputs or outputs: those of the graph, which lie in files numbered in its order, and initializers.
func values(fsys fs.FS, dir, kind string, graph, node []string, known map[string]tensor) ([]tensor, error) {
	out := make([]tensor, len(node))
	for i, name := range node {
		at := slices.Index(graph, name)
		t, initial := known[name]
		switch {
		case name == "" || kind == "output" && at < 0:
			continue
		case at >= 0:
			file := fmt.Sprintf("%s/%s_%d.pb", dir, kind, at)
			data, err := input.ReadFS(fsys, file, maxFile)
			if errors.Is(err, fs.ErrNotExist) && initial {
				out[i] = t
				continue
			}
			if err != nil {
				return nil, err
			}
			if t, err = decodeTensor(data); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		case !initial:
			return nil, fmt.Errorf("%w: %s %q of the node is none of the graph", ErrCorrupt, kind, name)
		}
		out[i] = t
	}
	return out, nil
}
