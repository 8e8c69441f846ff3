// Rehearse runs, on this machine, what .github/workflows/bench.yml and action.yml run on GitHub's, and sees that it can fail.
//
//	go run ./tools/rehearse               all of it: a minute and a half on two idle cores
//	go run ./tools/rehearse -only action  the action, on a module made for it
//	go run ./tools/rehearse -only gate    the gate, on this repository
//	go run ./tools/rehearse -workflow     print action.yml as a workflow, for actionlint, which does not check actions
//
// It works on clones of depth 1 of the last commit, in a temporary directory; what is not committed is not rehearsed, which it says.
//
// It exits with 0 when everything came out as it must, 1 when something did not, and 2 when that could not be found out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// errOutcome is wrapped by what came out otherwise than it must.
var errOutcome = errors.New("the rehearsal failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "rehearse:", err)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errOutcome):
		os.Exit(1)
	default:
		os.Exit(2)
	}
}

func run(ctx context.Context, arguments []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("rehearse", flag.ContinueOnError)
	only := flags.String("only", "", "rehearse only this `part`: action or gate")
	workflow := flags.Bool("workflow", false, "print action.yml as a workflow and do nothing")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 || *only != "" && *only != "action" && *only != "gate" {
		return fmt.Errorf("want no arguments, and -only action or gate, not %q %q", *only, flags.Args())
	}
	top, err := repository(".").git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	if *workflow {
		a, err := readAction(top)
		if err == nil {
			_, err = io.WriteString(stdout, a.workflow())
		}
		return err
	}
	temp, err := os.MkdirTemp("", "assay-rehearse-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	s := &stage{temp: temp, log: stdout}
	if s.clone, err = repository(top).checkout(ctx, "HEAD", filepath.Join(temp, "assay")); err != nil {
		return err
	}
	if status, err := repository(top).git(ctx, "status", "--porcelain"); err != nil {
		return err
	} else if status != "" {
		fmt.Fprintf(stdout, "not rehearsed, because it is not committed:\n%s\n", status)
	}
	if s.action, err = readAction(string(s.clone)); err != nil {
		return err
	}
	if *only != "gate" {
		err = errors.Join(err, s.rehearseAction(ctx))
	}
	if *only != "action" && (err == nil || errors.Is(err, errOutcome)) {
		err = errors.Join(err, s.rehearseGate(ctx))
	}
	return err
}

// stage is where the rehearsal takes place.
type stage struct {
	temp   string
	clone  repository // of this repository
	action *action
	runs   int
	assay  string // the program, as the action built it last
	log    io.Writer
}

// scene is a run of the action and what it must lead to.
type scene struct {
	name   string
	base   string // the pull request's base branch
	inputs map[string]string
	exit   int
	prints []string // each of these is in the output or the summary
	not    []string // none of these is
	keeps  []string // files uploaded
}

// play runs the action in a workspace.
func (s *stage) play(ctx context.Context, workspace repository, c scene) error {
	start := time.Now()
	fmt.Fprintf(s.log, "\n%s\n", c.name)
	s.runs++
	r := &runner{action: s.action, dir: string(s.clone), workspace: string(workspace), temp: filepath.Join(s.temp, fmt.Sprintf("runner-%d", s.runs)),
		env: []string{"GITHUB_EVENT_NAME=pull_request", "GITHUB_BASE_REF=" + c.base}, log: &quoting{w: s.log}}
	o, err := r.run(ctx, c.inputs)
	if err != nil {
		return err
	}
	s.assay = filepath.Join(r.temp, "assay", "bin", "assay")
	err = c.holds(o)
	fmt.Fprintf(s.log, "exit %d, %.0f s: %s\n", o.exit, time.Since(start).Seconds(), verdict(err))
	return err
}

func verdict(err error) string {
	if err != nil {
		return err.Error()
	}
	return "as it must be"
}

func (c scene) holds(o *outcome) error {
	var wrong []string
	if o.exit != c.exit {
		wrong = append(wrong, fmt.Sprintf("exit %d, want %d", o.exit, c.exit))
	}
	for _, want := range c.prints {
		if !strings.Contains(o.output+o.summary, want) {
			wrong = append(wrong, fmt.Sprintf("nothing says %q", want))
		}
	}
	for _, never := range c.not {
		if strings.Contains(o.output+o.summary, never) {
			wrong = append(wrong, fmt.Sprintf("something says %q", never))
		}
	}
	for _, name := range c.keeps {
		if info, err := os.Stat(filepath.Join(o.uploaded, name)); err != nil || info.Size() == 0 {
			wrong = append(wrong, "no "+name+" to upload")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %s: %s", errOutcome, c.name, strings.Join(wrong, "; "))
	}
	return nil
}

// quoting begins each line with a bar: a runner around this process must not take the action's annotations for its own.
type quoting struct {
	w      io.Writer
	within bool
}

func (q *quoting) Write(p []byte) (int, error) {
	var b strings.Builder
	for _, c := range p {
		if !q.within {
			b.WriteString("| ")
		}
		b.WriteByte(c)
		q.within = c != '\n'
	}
	_, err := io.WriteString(q.w, b.String())
	return len(p), err
}
