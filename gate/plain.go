package gate

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// line is a line of go test's output, without its end.
type line struct {
	number int // in the source
	text   []byte
	open   bool // the source ends with it, and no newline ends it
}

var (
	newline, carriageReturn, byteOrderMark = []byte("\n"), []byte("\r"), []byte("\ufeff")

	// stamp is what GitHub puts before each line of a log: the time, and, from gh run view --log, the job and the step before it.
	stamp = regexp.MustCompile(`^([^\t]*\t[^\t]*\t)?(\x{feff})?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z( |$)`)
	// escape is a control sequence of a terminal: colours, what moves the cursor, titles.
	escape = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\))`)
)

// plain calls yield with the lines of go test's output that data holds: as it was printed, in a log with timestamps and colours, behind the carriage
// returns of a progress bar, which end lines too, or as the events of go test -json.
func plain(name string, data []byte, yield func(line) error) error {
	events := events{byName: map[string]*printed{}}
	for number := 1; len(data) > 0; number++ {
		text, rest, ended := bytes.Cut(data, newline)
		data = rest
		text = bytes.TrimPrefix(text, byteOrderMark)
		text = text[len(stamp.Find(text)):]
		var err error
		if bytes.HasPrefix(text, []byte("{")) && (len(events.order) > 0 || bytes.Contains(text, []byte(`"Action":`))) {
			err = events.add(name, number, text)
		} else {
			err = clean(line{number, text, !ended}, yield)
		}
		if err != nil {
			return err
		}
	}
	return events.plain(yield)
}

// clean takes the control sequences out of a line and splits it at carriage returns.
func clean(l line, yield func(line) error) error {
	if bytes.IndexByte(l.text, '\x1b') >= 0 {
		l.text = escape.ReplaceAll(l.text, nil)
	}
	for text := bytes.TrimSuffix(l.text, carriageReturn); ; {
		part, rest, more := bytes.Cut(text, carriageReturn)
		if err := yield(line{l.number, part, l.open && !more}); err != nil || !more {
			return err
		}
		text = rest
	}
}

// events are what go test -json makes of the outputs of packages, which may alternate.
type events struct {
	order  []*printed
	byName map[string]*printed
}

// printed is what a package printed.
type printed struct {
	output []byte
	starts []int // of the events in output
	lines  []int // of the source, of the same events
}

// add adds the event in a line of the source.
func (e *events) add(name string, number int, text []byte) error {
	var event struct{ Action, Package, Output string }
	if err := json.Unmarshal(text, &event); err != nil {
		return refuse("%s:%d: an event of go test -json is cut off or mixed with other output: run it again", name, number)
	}
	if strings.HasSuffix(event.Action, "fail") {
		return refuse("%s:%d: the run of %s failed: fix it and run again", name, number, event.Package)
	}
	p := e.byName[event.Package]
	if p == nil {
		p = &printed{}
		e.byName[event.Package], e.order = p, append(e.order, p)
	}
	p.starts, p.lines, p.output = append(p.starts, len(p.output)), append(p.lines, number), append(p.output, event.Output...)
	return nil
}

// plain calls yield with the lines of the outputs.
func (e *events) plain(yield func(line) error) error {
	for _, p := range e.order {
		for at, k := 0, 0; at < len(p.output); {
			text, _, ended := bytes.Cut(p.output[at:], newline)
			for k+1 < len(p.starts) && p.starts[k+1] <= at {
				k++
			}
			if err := clean(line{p.lines[k], text, !ended}, yield); err != nil {
				return err
			}
			at += len(text) + 1
		}
	}
	return nil
}
