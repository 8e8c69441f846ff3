// Gengolden writes the golden vectors from the reference.
//
//	go run ./tools/gengolden                               regenerate golden/
//	go run ./tools/gengolden -check                        report how golden/ differs from what would be generated
//	go run ./tools/gengolden -op softmax                   regenerate the files of one op, and what the manifest says of them
//	go run ./tools/gengolden -op 'attention*' -check       check the files of some ops: seconds, where all take minutes
//	go run ./tools/gengolden -case softmax/n-7             compute one case and report it; write nothing
//	go run ./tools/gengolden -case softmax/n-7 -check      check one case
//
// -op takes patterns as `assay check --op` does, and like -case may be repeated. What is not chosen is not computed. It exits with 0 when
// the vectors are written or current, 1 when they differ, and 2 when neither could be found out.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// errDiffers is wrapped by the error of a check that found the vectors not to be current.
var errDiffers = errors.New("the vectors are not current")

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gengolden:", err)
	}
	os.Exit(exitStatus(err))
}

func exitStatus(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errDiffers):
		return 1
	}
	return 2
}

const usage = `Gengolden writes the golden vectors from the reference, or checks them.

Examples:
  gengolden                            regenerate golden/
  gengolden -check                     report how golden/ differs from what would be generated
  gengolden -op softmax                regenerate the files of one op
  gengolden -op 'attention*' -check    check the files of some ops
  gengolden -case softmax/n-7          compute one case and report it; write nothing
  gengolden -case softmax/n-7 -check   check one case

Flags:
`

// options are the flags.
type options struct {
	dir, spec string
	checking  bool
	choice
}

func run(arguments []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("gengolden", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.dir, "o", "golden", "write to, or check, this `directory`")
	flags.StringVar(&o.spec, "spec", "SPEC.md", "take the clauses from this `file`")
	flags.BoolVar(&o.checking, "check", false, "compare with the directory instead of writing to it")
	flags.Var(&o.ops, "op", "only ops that match this `pattern`, such as 'attention*' (repeatable); the other files stay as they are")
	flags.Var(&o.cases, "case", "only the case with this `id` (repeatable); without -check it is computed and reported, and nothing is written")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: gengolden takes flags only", flags.Arg(0))
	}
	text, err := os.ReadFile(o.spec)
	if err != nil {
		return fmt.Errorf("%w: run from the module's root, or name the specification with -spec", err)
	}
	s, err := parseSpec(text)
	if err != nil {
		return fmt.Errorf("%s: %w", o.spec, err)
	}
	all, err := families()
	if err != nil {
		return err
	}
	return o.do(s, all, stdout, stderr, reporter(stderr, 2*time.Second))
}

// do generates what is chosen, and writes, checks or reports it.
func (o *options) do(s spec, all []family, stdout, stderr io.Writer, progress func(done, total int)) error {
	fams, err := o.of(all)
	if err != nil {
		return err
	}
	files, err := generate(s, fams, o.cases, progress)
	switch {
	case err != nil:
		return err
	case o.checking && o.everything():
		return check(o.dir, files, pinned())
	case o.checking && len(o.cases) == 0:
		return checkOps(o.dir, files, pinned())
	case o.checking:
		return checkCases(o.dir, files, pinned())
	case len(o.cases) > 0:
		return describeAll(stdout, files)
	case o.everything():
		err = write(o.dir, files)
	default:
		err = writeOps(o.dir, s, files)
	}
	if err != nil {
		return err
	}
	total := 0
	for _, data := range files {
		total += len(data)
	}
	fmt.Fprintf(stderr, "gengolden: %s: %d files, %.1f MB\n", o.dir, len(files), float64(total)/1e6)
	return nil
}

// describeAll reports the cases of files, which are not written.
func describeAll(w io.Writer, files map[string][]byte) error {
	set, err := load(files)
	if err != nil {
		return err
	}
	for _, f := range set.Files {
		for _, c := range f.Cases {
			fmt.Fprint(w, report(c))
		}
	}
	_, err = fmt.Fprintln(w, "Nothing is written: -op writes the files of an op.")
	return err
}

// reporter returns a function that reports progress at most once in each period, so not at all where the work is shorter.
func reporter(w io.Writer, period time.Duration) func(done, total int) {
	var mu sync.Mutex
	last := time.Now()
	return func(done, total int) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(last) >= period {
			last = time.Now()
			fmt.Fprintf(w, "gengolden: %d of %d cases\n", done, total)
		}
	}
}
