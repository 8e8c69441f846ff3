package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/golden"
)

func TestExportRefusesOtherDirectories(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(dir string) error
		says string
	}{
		{"a schema of the user's", func(dir string) error { return os.WriteFile(filepath.Join(dir, "schema.json"), []byte("{}"), 0o600) }, "holds schema.json"},
		{"other things", func(dir string) error { return os.WriteFile(filepath.Join(dir, "main.go"), nil, 0o600) }, "holds main.go"},
		{"a hidden file", func(dir string) error { return os.WriteFile(filepath.Join(dir, ".env"), nil, 0o600) }, "holds .env"},
		{"a directory", func(dir string) error { return os.Mkdir(filepath.Join(dir, "relu.json"), 0o700) }, "holds relu.json"},
		{"a link", func(dir string) error { return os.Symlink("/dev/null", filepath.Join(dir, "relu.json")) }, "holds relu.json"},
		{"other vectors", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "relu.json"), []byte(`{"format": 1, "op": "relu" }`), 0o600)
		}, "holds relu.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, c.make(dir))
			before, err := os.ReadDir(dir)
			require.NoError(t, err)
			_, stderr, code := assay(t, "vectors", "export", dir)
			require.Equal(t, exitNotJudged, code)
			require.Contains(t, stderr, c.says)
			after, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, _, code := assay(t, "vectors", "export", file)
	require.Equal(t, exitNotJudged, code)
}

// An export that was killed has left whole files and perhaps the beginning of one, and nothing else: the next completes it.
func TestExportCompletesAnother(t *testing.T) {
	dir := exported(t)
	want, err := fs.ReadDir(golden.FS, ".")
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "MANIFEST.json")))
	require.NoError(t, os.Truncate(filepath.Join(dir, "relu.json"), 100))
	_, stderr, code := assay(t, "vectors", "verify", "--vectors", dir)
	require.Equal(t, exitNotJudged, code)
	require.Contains(t, stderr, "holds no MANIFEST.json")
	for range 2 { // and once more over a whole one
		_, stderr, code = assay(t, "vectors", "export", dir)
		require.Equal(t, exitHolds, code, stderr)
	}
	_, stderr, code = assay(t, "vectors", "verify", "--vectors", dir)
	require.Equal(t, exitHolds, code, stderr)
	got, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, got, len(want))
}
