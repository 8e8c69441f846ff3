//go:build unix

package live

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/gate/paired"
)

// TestOutput holds that what a process prints without end is bounded, and that messages have its beginning and its end.
func TestOutput(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         []string
	}{
		{"standard error", "echo first >&2; head -c 3000000 /dev/zero >&2; echo last >&2; exit 1", []string{"exit status 1", "first", "bytes left out", "last"}},
		{"standard output", "echo first; head -c 20000000 /dev/zero; echo last", []string{"prints more than 8388608 bytes", "first", "last"}},
		{"without end", "echo first >&2; exec yes >&2", []string{"the budget ended", "first", "y\ny\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			binary := filepath.Join(t.TempDir(), "run")
			require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\n"+test.script+"\n"), 0o700))
			s := &comparison{runner: newRunner(t.TempDir(), nil), deadline: time.Now().Add(time.Second)}
			ended := test.name == "without end"
			if !ended {
				s.deadline = time.Now().Add(time.Hour)
			}
			err := s.within(t.Context(), func(ctx context.Context) error {
				_, err := s.runner.run(ctx, binary, filepath.Dir(binary), "A", "1x")
				return err
			})
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			require.Less(t, len(err.Error()), 20_000)
			require.Equal(t, ended, errors.Is(err, paired.ErrEnded))
		})
	}
}
