package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/golden"
)

// The verdicts of a record are printed, and its status is theirs: that docs/trust.md gives.
func TestRecord(t *testing.T) {
	set, err := golden.Load()
	require.NoError(t, err)
	digest, err := set.Digest()
	require.NoError(t, err)
	doc, err := os.ReadFile("../../docs/trust.md")
	require.NoError(t, err)

	good := conformance.Report{Implementation: "TestAttention", Formats: op.Formats{Storage: op.Float32Format, Accumulate: op.Float32Format}, Vectors: digest,
		Cases: 114, Of: 114, Ops: conformance.Coverage{Total: 58, Covered: 1}, Clauses: conformance.Coverage{Total: 249, Covered: 27}, Seconds: 0.3}
	failed, nothing, others, incomplete := good, good, good, good
	failed.Failed, nothing.Cases, others.Vectors, incomplete.Profile = 2, 0, "0123", "forward"
	incomplete.Skipped = []conformance.Skip{{Op: "relu", Cases: 8, Of: 8, NotListed: true}}
	const begin = `{"run":"TestAttention"}{"run":"TestAttention","case":"attention/plain"}`
	end := func(r conformance.Report) string {
		data, err := json.Marshal(r)
		require.NoError(t, err)
		return fmt.Sprintf(`{"run":"TestAttention","report":%s}`, data)
	}
	for _, tt := range []struct {
		name, record string
		code         int
		says         string
	}{
		{"holds", begin + end(good), exitHolds, "PASS TestAttention (float32, accumulating float32): 114 of 114 cases judged, 0 failed; 1 of 58 ops, 27 of 249 clauses; 0.3 s\n"},
		{"holds twice", strings.Repeat(begin+end(good), 2), exitHolds, "PASS TestAttention"},
		{"failed", begin + end(failed), exitVerdict, "FAIL TestAttention (float32, accumulating float32): 114 of 114 cases judged, 2 failed"},
		{"no end", begin, exitNotJudged, "TestAttention did not come to its end: the process ended in case attention/plain"},
		{"failed, and then no end", begin + end(failed) + begin, exitNotJudged, "the process ended in case attention/plain"},
		{"no run", "", exitNotJudged, "no conformance.Run began"},
		{"no case", begin + end(nothing), exitNotJudged, "TestAttention: nothing was judged"},
		{"an incomplete profile", begin + end(incomplete), exitNotJudged, "TestAttention: profile forward is not complete: 8 cases are unsupported"},
		{"other vectors", begin + end(others), exitNotJudged, "TestAttention was judged by other vectors (0123) than those of this program"},
		{"no record", "no record", exitNotJudged, "record: invalid character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "record.jsonl")
			require.NoError(t, os.WriteFile(name, []byte(tt.record), 0o666))
			stdout, stderr, code := assay(t, "record", name)
			require.Equal(t, tt.code, code, stderr)
			require.Contains(t, stdout+stderr, tt.says)
			if tt.name == "holds" {
				require.Contains(t, string(doc), "\n"+stdout)
			}
			if tt.name == "no end" {
				require.Contains(t, string(doc), "`"+strings.TrimPrefix(tt.says, "TestAttention ")+"`")
			}
		})
	}
	_, stderr, code := assay(t, "record", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exitNotJudged, code)
	require.Contains(t, stderr, "no conformance.Run began")
	name := filepath.Join(t.TempDir(), "record.jsonl")
	require.NoError(t, os.WriteFile(name, []byte(begin+end(good)), 0o666))
	stdout, _, code := assay(t, "record", "--json", name)
	require.Equal(t, exitHolds, code)
	require.Contains(t, stdout, `"vectors": "`+digest)
}
