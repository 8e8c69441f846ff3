package live

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRead holds what of a process's output counts: results in the frame of a run to the end.
func TestRead(t *testing.T) {
	const good = "goos: linux\npkg: example.com/m\nBenchmarkA-2 \t 7\t 100 ns/op\t 0 B/op\t 0 allocs/op\n"
	for _, test := range []struct{ name, output, want string }{
		{"as it is", good + "PASS\n", ""},
		{"more output around it", "starting\n" + good + "A is done\nPASS\nclosing\n", ""},
		{"another number of iterations", "BenchmarkA-2 \t 8\t 100 ns/op\t 0 B/op\t 0 allocs/op\nPASS\n", "8 iterations where 7 were asked for"},
		{"a panic on its way", "BenchmarkA-2 \t 0\t NaN ns/op\t 0 B/op\t 0 allocs/op\nPASS\n", "the benchmark failed"},
		{"no PASS", good, "without PASS"},
		{"PASS before the result", "PASS\n" + good, "without PASS"},
		{"PASS behind text", good + "donePASS\n", "without PASS"},
		{"a result behind text", "loading" + good[len("goos: linux\npkg: example.com/m\n"):] + "PASS\n", "mixed with other output"},
		{"text in a result", "BenchmarkA-2 \tloading 7\t 100 ns/op\t 0 B/op\t 0 allocs/op\nPASS\n", "mixed with other output"},
		{"a line in a result", "BenchmarkA-2 \tloading\n 7\t 100 ns/op\t 0 B/op\t 0 allocs/op\nPASS\n", "mixed with other output"},
		{"negative", "BenchmarkA-2 \t 7\t 100 ns/op\t -1 hits\t 0 B/op\t 0 allocs/op\nPASS\n", "A-2: -1 hits is negative, and has no ratio: report another figure, or leave the unit out with --skip-unit hits"},
		{"no time", "BenchmarkA-2 \t 7\t 0.0000000 ns/op\t 0 B/op\t 0 allocs/op\nPASS\n", "A-2: 0 ns/op is no time"},
		{"a unit twice", "BenchmarkA-2 \t 7\t 1 ns/op\t 1 x\t 2 x\t 0 B/op\t 0 allocs/op\nPASS\n", "two values of x"},
		{"a unit left out", "BenchmarkA-2 \t 7\t 1 ns/op\t -1 batch\t 0 B/op\t 0 allocs/op\nPASS\n", ""},
		{"a declaration that is none", "Unit tests ran\n" + good + "PASS\n", `lines such as "Unit tok/s better=higher"`},
		{"declarations that differ", "Unit x better=lower\nUnit x better=higher\n" + good + "PASS\n", "base and head must declare their units alike"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRunner(t.TempDir(), []string{"batch"})
			results, err := r.read([]byte(test.output), "A", "7x")
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			require.Len(t, results, 1)
			require.Equal(t, map[string]float64{"sec/op": results[0].values["sec/op"], "B/op": 0, "allocs/op": 0}, results[0].values)
		})
	}
}
