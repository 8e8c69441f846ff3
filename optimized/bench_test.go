package optimized_test

import (
	"fmt"
	"testing"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

// bench times one call, whose cost in arithmetic operations may be given.
func bench(b *testing.B, workers int, flops float64, s op.Spec, src ...op.Tensor) {
	k := open(b, optimized.New(optimized.Workers(workers)), s)
	dst, err := op.Shapes(s, src, op.F32)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Run(dst, src); err != nil {
			b.Fatal(err)
		}
	}
	if flops > 0 {
		b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	}
}

func BenchmarkMatMul(b *testing.B) {
	r := newRand(b)
	for _, n := range []int{64, 512, 1024} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("n=%d/workers=%d", n, workers), func(b *testing.B) {
				bench(b, workers, 2*float64(n)*float64(n)*float64(n), spec("matmul", ""), normal(r, 1, n, n), normal(r, 1, n, n))
			})
		}
	}
}

// BenchmarkMatMulNaive is the triple loop that BenchmarkMatMul is to be compared with.
func BenchmarkMatMulNaive(b *testing.B) {
	const n = 512
	r := newRand(b)
	x, y, c := normal(r, 1, n, n).F32, normal(r, 1, n, n).F32, make([]float32, n*n)
	for b.Loop() {
		for i := range n {
			for j := range n {
				var sum float32
				for k := range n {
					sum += x[i*n+k] * y[k*n+j]
				}
				c[i*n+j] = sum
			}
		}
	}
	b.ReportMetric(2*float64(n*n*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkAttention(b *testing.B) {
	const h, n, d = 12, 512, 64
	r := newRand(b)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("heads=%d/seq=%d/workers=%d", h, n, workers), func(b *testing.B) {
			x := normal(r, 1, 1, h, n, d)
			bench(b, workers, 2*h*n*(n+1)*d, spec("attention", `{"causal":true}`), x, x, x, absent)
		})
	}
}

func BenchmarkRows(b *testing.B) {
	r := newRand(b)
	const rows, n = 64, 3072
	x := normal(r, 2, rows, n)
	for _, s := range []op.Spec{
		spec("softmax", ""), spec("gelu", ""), spec("gelu", `{"approximate":"tanh"}`), spec("layernorm", "", normal(r, 1, n), normal(r, 1, n)),
	} {
		b.Run(s.Op+string(s.Attrs), func(b *testing.B) {
			bench(b, 1, 0, s, x)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(rows*n), "ns/element")
		})
	}
}

// small is one layer of gpt3-small's dimensions, with a small vocabulary.
var small = modelSize{vocab: 1024, ctx: 1024, layers: 1, d: 768, hd: 768, gd: 768, f: 3072}

func BenchmarkPrefill(b *testing.B) {
	r := newRand(b)
	const tokens = 256
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("tokens=%d/workers=%d", tokens, workers), func(b *testing.B) {
			bench(b, workers, 0, spec("gpt", `{"heads":12}`, gptConst(r, small, true, true, false)...), ids(r, small.vocab, 1, tokens))
			b.ReportMetric(tokens*float64(b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	r := newRand(b)
	const held = 512
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("held=%d/workers=%d", held, workers), func(b *testing.B) {
			s := spec("gpt.cached", `{"heads":12,"capacity":1024}`, gptConst(r, small, true, true, false)...)
			k := open(b, optimized.New(optimized.Workers(workers)), s)
			run(b, k, s, ids(r, small.vocab, 1, held), scalar(0), absent)
			src, dst := []op.Tensor{ids(r, small.vocab, 1, 1), scalar(held), absent}, []op.Tensor{op.New(op.F32, 1, 1, small.vocab)}
			b.ReportAllocs()
			for b.Loop() {
				if err := k.Run(dst, src); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

// BenchmarkTrain takes steps on one batch.
func BenchmarkTrain(b *testing.B) {
	r := newRand(b)
	m := modelSize{vocab: 2048, ctx: 128, layers: 2, d: 256, hd: 256, gd: 256, f: 1024}
	const sequences, length = 4, 128
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			k := newTrainer(b, spec("gpt.train", `{"heads":4,"activation":"gelu_tanh","lr":1e-3,"max_norm":1}`, gptConst(r, m, true, true, false)...), optimized.Workers(workers))
			in, out := ids(r, m.vocab, 1, sequences, length), ids(r, m.vocab, 1, sequences, length)
			b.ReportAllocs()
			for b.Loop() {
				step(b, k, in, out)
			}
			b.ReportMetric(sequences*length*float64(b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

// BenchmarkGradient is backward beside forward: BenchmarkAttention and BenchmarkPrefill have the same sizes.
func BenchmarkGradient(b *testing.B) {
	r := newRand(b)
	x, block := normal(r, 1, 1, 12, 512, 64), blockConst(r, nil, small.d, small.hd, small.gd, small.f)
	b.Run("attention", func(b *testing.B) {
		bench(b, 1, 0, spec("attention.grad", `{"causal":true}`), x, x, x, absent, x)
	})
	b.Run("block", func(b *testing.B) {
		y := normal(r, 1, 1, 256, small.d)
		bench(b, 1, 0, spec("block", `{"heads":12,"causal":true}`, block...), y)
	})
	b.Run("block.grad", func(b *testing.B) {
		y := normal(r, 1, 1, 256, small.d)
		bench(b, 1, 0, spec("block.grad", `{"heads":12,"causal":true}`, block...), y, y)
	})
}
