package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/assaykit/assay/internal/input"
)

// ReadFile returns the text of a regular file, as Read does.
func ReadFile(path string, limit int64, rules Rules) ([]byte, Report, error) {
	f, err := input.Open(path, limit)
	if err != nil {
		return nil, Report{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, Report{}, err
	}
	return read(f, path, limit, rules, int(info.Size()))
}

// Read returns the text of r, of at most limit bytes, cleaned as it is read; no rules leave it as it is. It is an error, which names the text, if
// there is none, if there is more, or if it is not UTF-8.
func Read(r io.Reader, name string, limit int64, rules Rules) ([]byte, Report, error) {
	return read(r, name, limit, rules, 0)
}

// read is Read of a text that may be expected to have size bytes.
func read(r io.Reader, name string, limit int64, rules Rules, size int) ([]byte, Report, error) {
	var valid validator
	text := bytes.NewBuffer(make([]byte, 0, size))
	clean := newCleaner(text, rules)
	n, err := io.Copy(io.MultiWriter(&valid, clean), io.LimitReader(r, limit+1))
	if err == nil && n <= limit {
		err = errors.Join(valid.end(), clean.Close())
	}
	switch {
	case err != nil:
		return nil, Report{}, fmt.Errorf("%s: %w", name, err)
	case n == 0:
		return nil, Report{}, fmt.Errorf("%s is empty", name)
	case n > limit:
		return nil, Report{}, fmt.Errorf("%s: %w: it has more than %d bytes, which is the most that is read", name, input.ErrTooLarge, limit)
	}
	return text.Bytes(), clean.Report, nil
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
