package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/assaykit/assay/cmd/gpt/internal/training"
	"github.com/assaykit/assay/corpus"
)

// statusLine shows how a run goes on: on a terminal in one line that is written over, elsewhere in lines at growing intervals. Validations
// stay in either.
type statusLine struct {
	w        io.Writer
	terminal bool
	last     time.Time
	pause    time.Duration // until the next line
}

func newStatusLine(w io.Writer) *statusLine {
	s := &statusLine{w: w, terminal: isTerminal(w)}
	if s.terminal {
		s.pause = 100 * time.Millisecond
	}
	return s
}

func (s *statusLine) progress(p training.Progress) {
	if p.Validation == nil && p.Steps > 1 && p.Steps < p.Of && time.Since(s.last) < s.pause {
		return
	}
	s.last = time.Now()
	text := fmt.Sprintf("step %d of %d  loss %.4f", p.Steps, p.Of, p.Loss)
	if p.Validation != nil {
		text += fmt.Sprintf("  validation %.4f", *p.Validation)
	}
	text += fmt.Sprintf("  %.0f tokens/s  %v left", p.TokensPerS, p.Left.Round(time.Second))
	switch {
	case !s.terminal:
		fmt.Fprintln(s.w, text)
		s.pause = min(2*s.pause+time.Second, 30*time.Second)
	case p.Validation != nil:
		fmt.Fprintf(s.w, "\r\033[K%s\n", text)
	default:
		fmt.Fprintf(s.w, "\r\033[K%s", text)
	}
}

// warn says what went wrong with a checkpoint, in a line that stays.
func (s *statusLine) warn(err error) {
	s.end()
	fmt.Fprintf(s.w, "gpt: %v: training goes on, the next checkpoint is tried in its turn\n", err)
}

// end leaves the line.
func (s *statusLine) end() {
	if s.terminal {
		fmt.Fprint(s.w, "\r\033[K")
	}
}

// ruleNames are the rules of cleaning in their order.
var ruleNames = []string{"line_endings", "controls", "nfc", "whitespace", "duplicates"}

// rules returns the rules that a flag names.
func rules(list string) (corpus.Rules, error) {
	var r corpus.Rules
	on := map[string]*bool{"line_endings": &r.LineEndings, "controls": &r.Controls, "nfc": &r.NFC, "whitespace": &r.Whitespace, "duplicates": &r.Duplicates}
	switch list {
	case "all":
		return corpus.AllRules, nil
	case "none":
		return r, nil
	}
	for _, name := range strings.Split(list, ",") {
		rule, ok := on[strings.TrimSpace(name)]
		if !ok {
			return r, fmt.Errorf("--clean: no rule %q: want none, all, or some of %s", name, strings.Join(ruleNames, ", "))
		}
		*rule = true
	}
	return r, nil
}
