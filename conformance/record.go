package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/assaykit/assay/conformance/vector"
)

// RecordVariable is the environment variable that names the file to which every Run appends its record, a line of JSON each time: when it
// begins, when it enters a case, and when it has come to its end, with its report. So a run that a kernel ended early is told from one that
// passed, whatever status the process has, and the case is known in which that happened: by os.Exit, a fault or a panic in a goroutine of
// its own, or for want of memory. ReadRecord reads it, and so does `assay record`.
const RecordVariable = "ASSAY_RECORD"

// entry is a line of a record.
type entry struct {
	Run    string  `json:"run"`              // the test and its process
	Case   string  `json:"case,omitempty"`   // entered
	Report *Report `json:"report,omitempty"` // the end
}

// journal writes the record of a Run; nil writes none.
type journal struct {
	file *os.File
	run  string
	err  error // the first
}

// openJournal begins the record of the test if one is asked for.
func openJournal(test string) (*journal, error) {
	name := os.Getenv(RecordVariable)
	if name == "" {
		return nil, nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", RecordVariable, err)
	}
	j := &journal{file: f, run: fmt.Sprintf("%s of %s, process %d", test, filepath.Base(os.Args[0]), os.Getpid())}
	j.write(entry{})
	return j, j.err
}

// write appends a line with one call of the system, so that those of processes that run side by side do not mix.
func (j *journal) write(e entry) {
	if j == nil || j.err != nil {
		return
	}
	e.Run = j.run
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		j.err = fmt.Errorf("%s: %w", RecordVariable, err)
	}
}

func (j *journal) enter(id string) { j.write(entry{Case: id}) }

// end closes the record with the report.
func (j *journal) end(set *vector.Set, r *Report) error {
	if j == nil {
		return nil
	}
	var err error
	if r.Vectors, err = set.Digest(); err == nil {
		j.write(entry{Report: r})
	}
	return errors.Join(err, j.err, j.file.Close())
}

// ReadRecord reads the record of one or more Runs and returns the reports of those that came to their end. The error is not nil where none
// began, or one did not come to its end: it names the case in which that happened.
func ReadRecord(r io.Reader) (reports []*Report, err error) {
	var order []string
	last := map[string]string{} // where each run is that has not ended
	for dec := json.NewDecoder(r); ; {
		var e entry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return reports, fmt.Errorf("record: %w", err)
		}
		switch {
		case e.Report != nil:
			reports = append(reports, e.Report)
			delete(last, e.Run)
		case e.Case != "":
			last[e.Run] = "in case " + e.Case
		default:
			order = append(order, e.Run)
			last[e.Run] = "before its first case"
		}
	}
	for _, run := range slices.Compact(order) {
		if where, ok := last[run]; ok {
			err = errors.Join(err, fmt.Errorf("%w: %s did not come to its end: the process ended %s", ErrNothingJudged, run, where))
		}
	}
	if len(order) == 0 {
		err = fmt.Errorf("%w: no conformance.Run began: was %s set, and did the tests run?", ErrNothingJudged, RecordVariable)
	}
	return reports, err
}
