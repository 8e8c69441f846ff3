// Package benchmarks measures implementations of the op table on named workloads, side by side, and gives no number for a wrong result.
//
// A benchmark is a Workload (an op at the shape that a model of GPT-3's Table 2.1 gives it) run by a Contender. Before timing, its
// results are held to a float64 evaluation of sampled elements, within the bounds of SPEC.md, appendix A; after timing, the same inputs
// must give the same bits, from other buffers. Timed steps rotate through three sets of inputs. Cost counts operations and bytes.
//
// Run writes the Go benchmark format; BenchmarkOp measures the same with go test -bench. Package gate compares two such files.
package benchmarks
