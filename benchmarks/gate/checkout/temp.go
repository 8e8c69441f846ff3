package checkout

import (
	"os"
	"path/filepath"
)

// TempDir makes a temporary directory for what is not a pair but shall not outlive its process for long either: if this process dies before it calls
// remove, the next TempDir or Open removes it.
func TempDir() (dir string, remove func() error, err error) {
	if err := sweep(os.TempDir()); err != nil {
		return "", nil, err
	}
	t, err := newTemporary(os.TempDir())
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(t.dir, "temp")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, err
	}
	return dir, t.remove, nil
}
