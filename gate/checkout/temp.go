package checkout

import (
	"errors"
	"os"
	"path/filepath"
)

// TempDir makes a temporary directory for what is not a pair but shall not outlive its process for long either: if this process dies before it calls
// remove, the next TempDir or Open removes it.
func TempDir() (dir string, remove func() error, err error) {
	_ = sweep(os.TempDir()) // what cannot be removed is Open's to tell
	t, err := newTemporary(os.TempDir())
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(t.dir, "temp")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, errors.Join(err, t.remove())
	}
	return dir, t.remove, nil
}
