package output

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests run a process that is killed: themselves, told to write a file.
func TestMain(m *testing.M) {
	if path := os.Getenv("ASSAY_OUTPUT"); path != "" {
		writeForever(path)
	}
	os.Exit(m.Run())
}

// writeForever writes half a file, says so, and waits until it is killed.
func writeForever(path string) {
	f, err := Claim(path)
	if err == nil {
		err = f.Write(func(w io.Writer) error {
			_, err := io.WriteString(w, "half")
			fmt.Println("writing", err)
			_, _ = io.Copy(io.Discard, os.Stdin)
			return err
		})
	}
	fmt.Println(err)
	os.Exit(1)
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, WriteFile(path, []byte("old")))
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, WriteFile(path, []byte("new")))
	require.Equal(t, "new", content(t, path))
	require.Equal(t, []string{"file"}, entries(t, dir))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm(), "the permissions are those of the file that was there")
}

func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, WriteFile(path, []byte("old")))
	f, err := Claim(path)
	require.NoError(t, err)
	full := errors.New("disk full")
	require.ErrorIs(t, f.Write(func(w io.Writer) error {
		_, err := io.WriteString(w, "half of the n")
		require.NoError(t, err)
		return full
	}), full)
	require.NoError(t, f.Close())
	require.Equal(t, "old", content(t, path))
	require.Equal(t, []string{"file"}, entries(t, dir))
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(t.TempDir(), "link")
	require.NoError(t, WriteFile(path, nil))
	require.NoError(t, os.Symlink(path, link))
	f, err := Claim(path)
	require.NoError(t, err)
	for _, name := range []string{path, link} {
		_, err = Claim(name)
		require.ErrorIs(t, err, ErrInUse)
		require.ErrorContains(t, err, name)
	}
	require.NoError(t, f.Close())
	require.NoError(t, WriteFile(link, []byte("through the link")))
	require.Equal(t, "through the link", content(t, path))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink, "the link is still one")
}

func TestClaimRefuses(t *testing.T) {
	dir := t.TempDir()
	dangling, readOnly := filepath.Join(dir, "dangling"), filepath.Join(dir, "readonly")
	require.NoError(t, os.Symlink("nothing", dangling))
	require.NoError(t, os.Mkdir(readOnly, 0o500))
	for path, says := range map[string]string{
		"":                                  "got an empty one",
		dir:                                 "is no regular file",
		os.DevNull:                          "is no regular file",
		dangling:                            "a symbolic link to nothing",
		filepath.Join(dir, "none", "file"):  "there is no directory",
		filepath.Join(readOnly, "new file"): "permission denied",
	} {
		t.Run(says, func(t *testing.T) {
			if filepath.Dir(path) == readOnly && os.Getuid() <= 0 {
				t.Skip("needs a user and a system that permissions bind")
			}
			_, err := Claim(path)
			require.ErrorContains(t, err, says)
			require.ErrorContains(t, err, path)
		})
	}
	require.Equal(t, []string{"dangling", "readonly"}, entries(t, dir))
	require.Empty(t, entries(t, readOnly))
}

// What a killed process has left is removed by the next that writes the file, and by none while it lives.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, WriteFile(path, []byte("old")))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ASSAY_OUTPUT="+path)
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "writing <nil>\n", line)
	left := []string{".file.lock", ".file.tmp", "file"}

	require.ErrorIs(t, WriteFile(path, []byte("new")), ErrInUse)
	require.Equal(t, left, entries(t, dir))

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Equal(t, left, entries(t, dir))
	require.Equal(t, "old", content(t, path))

	require.NoError(t, WriteFile(path, []byte("new")))
	require.Equal(t, "new", content(t, path))
	require.Equal(t, []string{"file"}, entries(t, dir))
}
