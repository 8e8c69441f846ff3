package conformance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance"
)

// A run has a closing record where it came to its end, and only there; without one, its record says which case it was in.
func TestRecord(t *testing.T) {
	for _, tt := range []struct {
		scenario string
		fails    bool   // the process
		ended    string // the verdict
		says     string // the error about a run that did not end
	}{
		{"correct", false, "PASS TestRunScenario (float32, accumulating float32): 2 of 2 cases judged, 0 failed; 1 of 1 ops, 2 of 3 clauses", ""},
		{"broken", true, "FAIL TestRunScenario (float32, accumulating float32): 2 of 2 cases judged, 2 failed", ""},
		{"writes late", true, "FAIL TestRunScenario (float32, accumulating float32): 2 of 2 cases judged, 1 failed", ""},
		{"an incomplete implementation", false, "PASS TestRunScenario", ""},
		{"an op and a case unsupported", false, "INCOMPLETE TestRunScenario (float32, accumulating float32): 1 of 2 cases judged, 0 failed; 1 of 2 ops", ""},
		{"everything unsupported", true, "INCOMPLETE TestRunScenario (float32, accumulating float32): 0 of 0 cases judged, 0 failed; 0 of 1 ops, 0 of 3 clauses", ""},
		{"exits in the second case", false, "", "did not come to its end: the process ended in case relu/special"},
		{"panics in a goroutine of its own", true, "", "did not come to its end: the process ended in case relu/plain"},
		{"no such profile", true, "", "no conformance.Run began"},
		{"no such scenario", false, "", "no conformance.Run began"},
	} {
		t.Run(tt.scenario, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "record")
			cmd := self("-test.run=^TestRunScenario$")
			cmd.Env = append(os.Environ(), "ASSAY_TEST_SCENARIO="+tt.scenario, conformance.RecordVariable+"="+name)
			out, err := cmd.CombinedOutput()
			require.Equal(t, tt.fails, err != nil, "%s", out)
			data, err := os.ReadFile(name)
			if err != nil {
				require.ErrorIs(t, err, os.ErrNotExist)
			}
			reports, err := conformance.ReadRecord(strings.NewReader(string(data)))
			if tt.says != "" {
				require.ErrorIs(t, err, conformance.ErrNothingJudged)
				require.ErrorContains(t, err, tt.says)
				require.Empty(t, reports)
				return
			}
			require.NoError(t, err)
			require.Len(t, reports, 1)
			require.True(t, strings.HasPrefix(reports[0].Verdict(), tt.ended), reports[0].Verdict())
			require.Len(t, reports[0].Vectors, 64)
			require.NotZero(t, reports[0].Seed)
		})
	}
}

// Runs of several processes and of repeated tests stand in one record, and each is to have its end.
func TestReadRecordOfSeveralRuns(t *testing.T) {
	const begin, end = `{"run":"a"}{"run":"b"}{"run":"a","case":"relu/1"}{"run":"b","case":"gelu/1"}`, `{"run":"a","report":{"cases":1}}`
	for record, says := range map[string]string{
		begin + end: "b did not come to its end: the process ended in case gelu/1",
		begin + end + `{"run":"b","report":{"cases":2}}`: "",
		end + `{"run":"a"}`:             "a did not come to its end: the process ended before its first case",
		begin + end + `{"run":"b","rep`: "record: unexpected EOF",
		`{"run":"a"}{"run":"a","report":{"failures":[{"got":"+Inf"}]}}`: "",
		`{"run":"a"}{"run":"a","report":{"failures":[{"got":"much"}]}}`: "record: ",
	} {
		_, err := conformance.ReadRecord(strings.NewReader(record))
		if says == "" {
			require.NoError(t, err, record)
		} else {
			require.ErrorContains(t, err, says, record)
		}
	}
}
