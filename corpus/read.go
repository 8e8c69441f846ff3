package corpus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// ReadFile returns the text of a file, as Read does.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory: name the files in it", path)
	case info.Size() > limit:
		return nil, tooLong(path, limit)
	}
	return Read(f, path, limit)
}

// Read returns the text of r, of at most limit bytes. It is an error, which names the text, if there is none, if there is more, or if it
// is not UTF-8.
func Read(r io.Reader, name string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(text) == 0:
		return nil, fmt.Errorf("%s is empty", name)
	case int64(len(text)) > limit:
		return nil, tooLong(name, limit)
	}
	if err := Valid(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

func tooLong(name string, limit int64) error {
	return fmt.Errorf("%s has more than %d bytes, which is the most that is read", name, limit)
}

// ErrNotUTF8 is wrapped by the error about a text that is not UTF-8.
var ErrNotUTF8 = errors.New("not UTF-8")

// Valid returns an error that wraps ErrNotUTF8 and says where text first is not UTF-8.
func Valid(text []byte) error {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			line := 1
			for _, b := range text[:i] {
				if b == '\n' {
					line++
				}
			}
			return fmt.Errorf("%w: byte %#02x at offset %d, line %d: convert it first, with iconv for example", ErrNotUTF8, text[i], i, line)
		}
		i += size
	}
	return nil
}
