package checkout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/assaykit/assay/gate/internal/child"
)

// oldest is the first version of git whose commands are all known here.
var oldest = [2]int{2, 25}

// settings keep git from running hooks and daemons, and from changing the configuration or anything else outside the worktrees.
var settings = []string{
	"core.hooksPath=/dev/null", // git's own name for no hooks, on Windows too
	"core.fsmonitor=false",
	"core.splitIndex=false",
	"gc.auto=0",
	"maintenance.auto=false",
	"submodule.recurse=false",
	"worktree.useRelativePaths=false", // relative paths would add an extension to the repository's configuration
	"advice.detachedHead=false",
}

// located are the variables by which git points its hooks to a repository and an index, and by which patterns mean something else: here the
// directory says which repository is meant.
var located = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
	"GIT_PREFIX", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INTERNAL_SUPER_PREFIX",
	"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
}

// Environment is the process's, less what would point a git that is started in another directory to this one's repository. A git hook has it.
func Environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(located, strings.ToUpper(name))
	})
}

// repository is where git runs: in a directory of a working tree, or, of a submodule that is not checked out, in its git directory.
type repository struct {
	dir  string
	bare bool // dir is a git directory
}

// gitError is a git command that failed.
type gitError struct {
	command string
	code    int
	stderr  string
}

func (e *gitError) Error() string {
	const last = 6
	lines := strings.Split(strings.TrimSpace(e.stderr), "\n")
	return fmt.Sprintf("git %s: exit status %d: %s", e.command, e.code, strings.Join(lines[max(0, len(lines)-last):], "\n"))
}

// exitCode is the exit status of the git command that err is about, or -1.
func exitCode(err error) int {
	if failed := (*gitError)(nil); errors.As(err, &failed) {
		return failed.code
	}
	return -1
}

// git returns the standard output of a git command in r.
func (r repository) git(ctx context.Context, arg ...string) (string, error) {
	return r.run(ctx, "", nil, arg...)
}

// line is git for a command that prints one line, which may hold line feeds itself if it is a path.
func (r repository) line(ctx context.Context, arg ...string) (string, error) {
	out, err := r.run(ctx, "", nil, arg...)
	return strings.TrimSuffix(strings.TrimSuffix(out, "\n"), "\r"), err
}

func (r repository) run(ctx context.Context, stdin string, env []string, arg ...string) (string, error) {
	var full []string
	for _, setting := range settings {
		full = append(full, "-c", setting)
	}
	if r.bare { // its core.worktree may name a directory that is gone
		full = append(full, "--git-dir="+r.dir, "--work-tree="+r.dir)
	}
	cmd := child.Command(ctx, "git", append(full, arg...)...)
	cmd.Dir = r.dir
	cmd.Env = append(append(Environment(), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0"), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return stdout.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("git %s: %w", arg[0], ctx.Err())
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("git is not on PATH: install git %d.%d or newer", oldest[0], oldest[1])
	case errors.As(err, &exit):
		return "", &gitError{arg[0], exit.ExitCode(), stderr.String()}
	}
	return "", fmt.Errorf("git %s: %w", arg[0], err)
}

// requireGit refuses a git that is missing or too old.
func requireGit(ctx context.Context, r repository) error {
	out, err := r.line(ctx, "version")
	if err != nil {
		return err
	}
	var v [2]int
	if _, err := fmt.Sscanf(out, "git version %d.%d", &v[0], &v[1]); err != nil {
		return fmt.Errorf("git version printed %q: put git %d.%d or newer on PATH", out, oldest[0], oldest[1])
	}
	if slices.Compare(v[:], oldest[:]) < 0 {
		return fmt.Errorf("git is version %d.%d: install %d.%d or newer", v[0], v[1], oldest[0], oldest[1])
	}
	return nil
}

// commit returns the full hash of the commit that ref names, with exit status 1 if it names none.
func (r repository) commit(ctx context.Context, ref string) (string, error) {
	return r.line(ctx, "rev-parse", "--verify", "--quiet", ref+"^{commit}")
}

// holds returns whether r has the commit hash.
func (r repository) holds(ctx context.Context, hash string) (bool, error) {
	_, err := r.git(ctx, "cat-file", "-e", hash+"^{commit}")
	if exitCode(err) > 0 {
		return false, nil
	}
	return err == nil, err
}

// gitDir returns the git directory of r, and its common directory, where worktrees are registered; they differ in a linked worktree.
func (r repository) gitDir(ctx context.Context) (own, common string, err error) {
	if own, err = r.line(ctx, "rev-parse", "--absolute-git-dir"); err != nil {
		return "", "", err
	}
	if common, err = r.line(ctx, "rev-parse", "--git-common-dir"); err != nil {
		return "", "", err
	}
	if common = filepath.FromSlash(common); !filepath.IsAbs(common) {
		common = filepath.Join(r.dir, common)
	}
	return filepath.FromSlash(own), common, nil
}

// fields splits what git prints with -z.
func fields(out string) []string {
	return strings.FieldsFunc(out, func(c rune) bool { return c == 0 })
}
