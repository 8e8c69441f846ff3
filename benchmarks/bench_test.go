package benchmarks

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

// BenchmarkOp measures every workload with every contender. Its levels are Op, op=, impl=, model=, ...:
//
//	go test ./benchmarks -run '^$' -bench '//impl=optimized/model=tiny'
//	go test ./benchmarks -run '^$' -bench '/op=attention$//model=gpt3-small' -count 10
func BenchmarkOp(b *testing.B) {
	fmt.Fprint(os.Stdout, UnitLines)
	workloads, err := Workloads("")
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range workloads {
		var p *bench // made once, for all contenders, if one is selected
		for _, c := range Contenders() {
			impl := c.New()
			if !c.takes(w, impl) {
				continue
			}
			_, name, _ := strings.Cut(benchName(w, c), "/")
			b.Run(name, func(b *testing.B) {
				if p == nil {
					if p, err = newBench(w); err != nil {
						b.Fatal(err)
					}
				}
				benchmark(b, p, impl)
			})
		}
	}
}

func benchmark(b *testing.B, p *bench, impl op.Implementation) {
	s, err := p.open(impl)
	if err != nil { // ErrUnsupported too: a contender that offers the op must not drop out unseen
		b.Fatal(err)
	}
	defer s.close()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := s.step(n); err != nil {
			b.Fatal(err)
		}
		n++
	}
	s.report(b.Elapsed(), n, b.ReportMetric)
	if err := s.verify(); err != nil {
		b.Fatal(err)
	}
}
