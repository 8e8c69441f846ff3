// Gengolden writes the golden vectors from the reference.
//
//	go run ./tools/gengolden            regenerate golden/
//	go run ./tools/gengolden -check     report how golden/ differs from what would be generated
//
// It exits with 0 when the vectors are written or current, 1 when they differ, and 2 when neither could be found out.
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
var errDiffers = errors.New("the vectors are not current: run `go run ./tools/gengolden` and commit the result")

func main() {
	err := run(os.Args[1:], os.Stderr)
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

func run(arguments []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("gengolden", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("o", "golden", "write to, or check, this `directory`")
	specFile := flags.String("spec", "SPEC.md", "take the clauses from this `file`")
	checking := flags.Bool("check", false, "compare with the directory instead of writing to it")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: gengolden takes flags only", flags.Arg(0))
	}
	text, err := os.ReadFile(*specFile)
	if err != nil {
		return fmt.Errorf("%w: run from the module's root, or name the specification with -spec", err)
	}
	s, err := parseSpec(text)
	if err != nil {
		return fmt.Errorf("%s: %w", *specFile, err)
	}
	files, err := generate(s, families(), reporter(stderr, 2*time.Second))
	if err != nil {
		return err
	}
	if *checking {
		return check(*dir, files, pinned())
	}
	if err := write(*dir, files); err != nil {
		return err
	}
	total := 0
	for _, data := range files {
		total += len(data)
	}
	fmt.Fprintf(stderr, "gengolden: %s: %d files, %.1f MB\n", *dir, len(files), float64(total)/1e6)
	return nil
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
