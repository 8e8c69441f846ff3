package benchmarks

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

// planted wraps the kernels of the reference.
type planted struct {
	op.Implementation
	wrap func(op.Kernel) op.Kernel
}

func (p planted) Formats() op.Formats { return op.FormatsOf(p.Implementation) }

func (p planted) Open(spec op.Spec) (op.Kernel, error) {
	k, err := p.Implementation.Open(spec)
	if err != nil {
		return nil, err
	}
	return p.wrap(k), nil
}

type kernelFunc func(dst, src []op.Tensor) error

func (f kernelFunc) Run(dst, src []op.Tensor) error { return f(dst, src) }

// TestPlantedKernels shows that a kernel that is wrong, or fast only because it remembers, gets no result.
func TestPlantedKernels(t *testing.T) {
	benchTime := flag.Lookup("test.benchtime").Value
	old := benchTime.String()
	if err := benchTime.Set("5x"); err != nil {
		t.Fatal(err)
	}
	defer benchTime.Set(old)
	plant := func(name, workload, want string, wrap func(op.Kernel) op.Kernel) {
		t.Run(name, func(t *testing.T) {
			impl := planted{Contenders()[0].New(), wrap}
			var out bytes.Buffer
			err := Run(t.Context(), &out, Options{
				Contenders: []Contender{{Name: "planted", New: func() op.Implementation { return impl }}}, Workload: workload, BenchTime: 1,
			})
			if !errors.Is(err, ErrWrong) || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want a wrong result %s", err, want)
			}
			if strings.Contains(out.String(), "Benchmark") {
				t.Errorf("a result was written:\n%s", out.String())
			}
			p := mustPrepare(t, workload)
			if r := testing.Benchmark(func(b *testing.B) { benchmark(b, p, impl) }); r.N != 0 {
				t.Errorf("the benchmark did not fail: %v", r)
			}
		})
	}
	for _, tt := range plantedKernels {
		plant(tt.name, "op=softmax/model=tiny/seq=8", tt.want, tt.wrap)
	}
	for _, tt := range plantedStates {
		plant(tt.name, "op=adam/model=tiny/layer=ffn/params=256", tt.want, tt.wrap)
	}
}

type plantedKernel struct {
	name, want string
	wrap       func(op.Kernel) op.Kernel
}

// plantedStates are wrong kernels of an op that keeps a state.
var plantedStates = []plantedKernel{
	{"a step off by one part in a thousand", "before timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			err := k.Run(dst, src)
			dst[2].F64[17] *= 1.001
			return err
		})
	}},
	{"stays where its first step ended", "ends where the one before it did", func(k op.Kernel) op.Kernel {
		var first []op.Tensor
		return kernelFunc(func(dst, src []op.Tensor) error {
			if first == nil {
				err := k.Run(dst, src)
				first = clone(dst, op.F64)
				return err
			}
			for i := range dst {
				copy(dst[i].F64, first[i].F64)
			}
			return nil
		})
	}},
	{"stops stepping", "after timing", func(k op.Kernel) op.Kernel {
		runs := 0
		return kernelFunc(func(dst, src []op.Tensor) error {
			if runs++; runs > 1 {
				return nil
			}
			return k.Run(dst, src)
		})
	}},
	{"remembers gradients by their address", "after timing", func(k op.Kernel) op.Kernel {
		seen := map[*float64][]float64{}
		return kernelFunc(func(dst, src []op.Tensor) error {
			at := &src[0].F64[0]
			if _, ok := seen[at]; !ok {
				seen[at] = slices.Clone(src[0].F64)
			}
			return k.Run(dst, []op.Tensor{op.Float64(seen[at], src[0].Shape...), src[1]})
		})
	}},
}

// plantedKernels are wrong kernels of softmax.
var plantedKernels = []plantedKernel{
	{"off by one part in a thousand", "before timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			err := k.Run(dst, src)
			dst[0].F64[17] *= 1.001
			return err
		})
	}},
	{"computes only into a fresh destination", "after timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			if !math.IsNaN(dst[0].F64[0]) {
				return nil
			}
			return k.Run(dst, src)
		})
	}},
	{"leaves an element out", "before timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			old := dst[0].F64[40]
			err := k.Run(dst, src)
			dst[0].F64[40] = old
			return err
		})
	}},
	{"remembers its first result", "before timing", func(k op.Kernel) op.Kernel {
		var first []float64
		return kernelFunc(func(dst, src []op.Tensor) error {
			if first == nil {
				err := k.Run(dst, src)
				first = slices.Clone(dst[0].F64)
				return err
			}
			copy(dst[0].F64, first)
			return nil
		})
	}},
	{"remembers results by the address of the inputs", "after timing", func(k op.Kernel) op.Kernel {
		results := map[*float64][]float64{}
		return kernelFunc(func(dst, src []op.Tensor) error {
			at := &src[0].F64[0]
			if _, ok := results[at]; !ok {
				err := k.Run(dst, src)
				results[at] = slices.Clone(dst[0].F64)
				return err
			}
			copy(dst[0].F64, results[at])
			return nil
		})
	}},
	{"stops computing once it is timed", "after timing", func(k op.Kernel) op.Kernel {
		runs := 0
		return kernelFunc(func(dst, src []op.Tensor) error {
			if runs++; runs > sets {
				return nil
			}
			return k.Run(dst, src)
		})
	}},
	{"drifts by an ulp", "after timing", func(k op.Kernel) op.Kernel {
		runs := 0
		return kernelFunc(func(dst, src []op.Tensor) error {
			err := k.Run(dst, src)
			if runs++; runs > sets {
				dst[0].F64[3] *= 1 + 0x1p-52
			}
			return err
		})
	}},
	{"changes its inputs", "after timing", func(k op.Kernel) op.Kernel {
		return kernelFunc(func(dst, src []op.Tensor) error {
			err := k.Run(dst, src)
			src[0].F64[5]++
			return err
		})
	}},
}
