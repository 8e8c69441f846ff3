package live

import (
	"fmt"
	"regexp"
)

// functions returns what tells whether a -test.bench pattern can select benchmarks of a function. Package testing splits a pattern at each | and
// then at each / that is not inside brackets; the first element of each alternative is for the function's name.
func functions(bench string) (func(name string) bool, error) {
	var first []*regexp.Regexp
	for _, alternative := range split(bench, '|') {
		for i, element := range split(alternative, '/') {
			re, err := regexp.Compile(element)
			if err != nil {
				return nil, fmt.Errorf("--bench %q: %w", bench, err)
			}
			if i == 0 {
				first = append(first, re)
			}
		}
	}
	return func(name string) bool {
		for _, re := range first {
			if re.MatchString(name) {
				return true
			}
		}
		return false
	}, nil
}

// split splits a regular expression at each separator that is not escaped or inside brackets or parentheses.
func split(s string, separator byte) []string {
	var parts []string
	start, brackets, parens := 0, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '[':
			brackets++
		case c == ']':
			brackets = max(0, brackets-1)
		case c == '(' && brackets == 0:
			parens++
		case c == ')' && brackets == 0:
			parens--
		case c == separator && brackets == 0 && parens == 0:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
