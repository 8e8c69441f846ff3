package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/assaykit/assay/internal/input"
)

// CopyFile writes the text of a regular file to w, as Copy does.
func CopyFile(w io.Writer, path string, limit int64) error {
	f, err := input.Open(path, limit)
	if err != nil {
		return err
	}
	defer f.Close()
	return Copy(w, f, path, limit)
}

// Copy writes the text of r, of at most limit bytes, to w, as it is read. It is an error, which names the text, if there is none, if there is more,
// or if it is not UTF-8.
func Copy(w io.Writer, r io.Reader, name string, limit int64) error {
	var v validator
	n, err := io.Copy(io.MultiWriter(&v, w), io.LimitReader(r, limit+1))
	if err == nil && n <= limit {
		err = v.end()
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case n == 0:
		return fmt.Errorf("%s is empty", name)
	case n > limit:
		return fmt.Errorf("%s: %w: it has more than %d bytes, which is the most that is read", name, input.ErrTooLarge, limit)
	}
	return nil
}

// ErrNotUTF8 is wrapped by the error about a text that is not UTF-8.
var ErrNotUTF8 = errors.New("not UTF-8")

// Valid returns an error that wraps ErrNotUTF8 and says where text first is not UTF-8.
func Valid(text []byte) error {
	var v validator
	_, err := v.Write(text)
	return errors.Join(err, v.end())
}

// validator refuses what is not UTF-8.
type validator struct {
	offset int64
	lines  int
	begun  []byte // a character that has not ended
}

func (v *validator) Write(text []byte) (int, error) {
	n := len(text)
	for len(v.begun) > 0 && len(text) > 0 && !utf8.FullRune(v.begun) {
		v.begun, text = append(v.begun, text[0]), text[1:]
	}
	if utf8.FullRune(v.begun) {
		if err := v.check(v.begun); err != nil {
			return 0, err
		}
		v.begun = v.begun[:0]
	}
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if tail := text[len(text)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				v.begun, text = append(v.begun, tail...), text[:len(text)-back]
			}
			break
		}
	}
	return n, v.check(text)
}

// check counts text, in which no character has not ended.
func (v *validator) check(text []byte) error {
	if !utf8.Valid(text) {
		at := 0
		for {
			r, size := utf8.DecodeRune(text[at:])
			if r == utf8.RuneError && size == 1 {
				return v.invalid(text, at)
			}
			at += size
		}
	}
	v.offset += int64(len(text))
	v.lines += bytes.Count(text, []byte("\n"))
	return nil
}

func (v *validator) invalid(text []byte, at int) error {
	return fmt.Errorf("%w: byte %#02x at offset %d, line %d: convert it first, with iconv for example", ErrNotUTF8, text[at],
		v.offset+int64(at), v.lines+bytes.Count(text[:at], []byte("\n"))+1)
}

// end returns the error of a text that ends here.
func (v *validator) end() error {
	if len(v.begun) > 0 {
		return v.invalid(v.begun, 0)
	}
	return nil
}
