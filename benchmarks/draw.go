package benchmarks

import (
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// draw names a family of tensors: each is a vector.Recipe, seeded by the family's name and its own, so a workload has the same numbers in
// every run and on every machine.
type draw string

func (d draw) tensor(kind, name string, scale, offset float64, shape ...int) op.Tensor {
	h := fnv.New64a()
	h.Write([]byte(string(d) + " " + name))
	r := vector.Recipe{Kind: kind, Seed: h.Sum64(), Scale: float32(scale), Offset: float32(offset)}
	return op.Float32(r.Generate(shape), shape...)
}

// normal returns numbers near the standard normal distribution: sums of four uniforms have deviation 1/sqrt 3.
func (d draw) normal(name string, shape ...int) op.Tensor {
	return d.tensor("sum4", name, math.Sqrt(3), 0, shape...)
}

// matrix returns weights [..., in, out] that keep the variance: x W has the deviation of x.
func (d draw) matrix(name string, shape ...int) op.Tensor {
	fanIn := shape[len(shape)-2]
	if name == "wte" || name == "wpe" { // tables, whose rows are inputs
		fanIn = shape[len(shape)-1]
	}
	return d.tensor("uniform", name, math.Sqrt(3/float64(fanIn)), 0, shape...)
}

// tokens returns ids below vocab.
func (d draw) tokens(name string, vocab int, shape ...int) op.Tensor {
	ids := op.New(op.I64, shape...)
	for i, x := range d.tensor("uniform", name, 0.5, 0.5, shape...).F32 { // [0, 1], since 1 - 2^-24 may round up
		ids.I64[i] = min(int64(float64(x)*float64(vocab)), int64(vocab-1))
	}
	return ids
}

// weights returns the constants of an op in table order, with lengths by the names of its shape rules. Those that absent names are left out.
func (d draw) weights(opName string, dims map[string]int, absent []string) []op.Tensor {
	args, err := op.Arguments(opName)
	if err != nil {
		panic(err) // the ops are those in this package
	}
	var consts []op.Tensor
	for _, a := range args {
		switch {
		case a.Role != op.Const:
			continue
		case slices.Contains(absent, a.Name):
			consts = append(consts, op.Tensor{})
			continue
		}
		var shape []int
		for _, name := range strings.Fields(a.Rule) {
			shape = append(shape, dims[name])
		}
		switch {
		case strings.HasSuffix(a.Name, "gamma"):
			consts = append(consts, d.tensor("uniform", a.Name, 0.25, 1, shape...))
		case strings.HasSuffix(a.Name, "beta"), a.Name[0] == 'b':
			consts = append(consts, d.tensor("uniform", a.Name, 0.25, 0, shape...))
		default:
			consts = append(consts, d.matrix(a.Name, shape...))
		}
	}
	return consts
}

func scalar(x int) op.Tensor { return op.Int64([]int64{int64(x)}) }
