//go:build unix

package input

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("twelve bytes"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600))
	require.NoError(t, os.Symlink("file", filepath.Join(dir, "link")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	require.NoError(t, os.Symlink("/dev/zero", filepath.Join(dir, "zero")))
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	require.NoError(t, err)
	require.NoError(t, sparse.Truncate(1<<40))
	require.NoError(t, sparse.Close())
	for _, c := range []struct {
		name string
		want string
		is   error
		says string
	}{
		{name: "file", want: "twelve bytes"},
		{name: "link", want: "twelve bytes"},
		{name: "empty"},
		{name: "absent", is: fs.ErrNotExist, says: "absent"},
		{name: ".", is: ErrNotRegular, says: "is a directory"},
		{name: "pipe", is: ErrNotRegular, says: "is a named pipe"},
		{name: "zero", is: ErrNotRegular, says: "is a device"},
		{name: "sparse", is: ErrTooLarge, says: "it has 1099511627776 bytes, at most 12 are read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			full := filepath.Join(dir, c.name)
			for where, read := range map[string]func() ([]byte, error){
				"path": func() ([]byte, error) { return ReadFile(full, 12) },
				"fs":   func() ([]byte, error) { return ReadFS(os.DirFS(dir), c.name, 12) },
			} {
				got, err := read()
				if c.is == nil {
					require.NoError(t, err, where)
					require.Equal(t, c.want, string(got), where)
					continue
				}
				require.ErrorIs(t, err, c.is, where)
				require.ErrorContains(t, err, c.says, where)
			}
		})
	}
}
