package checkout

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// choose resolves the refs of opt and finds the merge base.
func (p *Pair) choose(ctx context.Context, r repository, opt Options) error {
	for _, ref := range []struct{ role, name string }{{"base", opt.Base}, {"head", opt.Head}} {
		if strings.HasPrefix(ref.name, "-") || ref.name == "" && ref.role == "base" {
			return fmt.Errorf("the %s is %q: name a commit, such as main or origin/main", ref.role, ref.name)
		}
	}
	shallow, err := r.line(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return err
	}
	head, err := r.commit(ctx, "HEAD")
	if opt.Head != "" {
		head, err = r.resolve(ctx, "head", opt.Head, shallow == "true")
	} else if exitCode(err) >= 0 {
		return fmt.Errorf("the checkout %s is of a branch without a commit: commit something, there is nothing to compare with", r.dir)
	}
	if err != nil {
		return err
	}
	base, err := r.resolve(ctx, "base", opt.Base, shallow == "true")
	if err != nil {
		return err
	}
	merged, err := r.mergeBases(ctx, base, head, shallow == "true")
	if err != nil {
		return err
	}
	headName := opt.Head
	if headName == "" {
		headName = "the checkout"
	}
	const deepen = "git fetch --unshallow, or git fetch --deepen=100 until it is"
	switch {
	case len(merged) == 0 && shallow == "true":
		return fmt.Errorf("the merge base of %s and %s is not in this shallow clone: %s", opt.Base, headName, deepen)
	case len(merged) == 0:
		return fmt.Errorf("%s and %s have no common history: name a base from which %s was made", opt.Base, headName, headName)
	case len(merged) > 1:
		p.Notes = append(p.Notes, fmt.Sprintf("%s and %s have %d merge bases, of which the base is one: merge %s to have one", opt.Base, headName, len(merged), opt.Base))
	}
	p.Base.Commit, p.Head.Commit = merged[0], head
	if p.Head.Name, err = r.name(ctx, opt.Head, head); err != nil {
		return err
	}
	if opt.Head == "" {
		p.Head.Name = "checkout " + p.Head.Name
	}
	if merged[0] == base {
		p.Base.Name, err = r.name(ctx, opt.Base, base)
		return err
	}
	p.Base.Name, err = r.name(ctx, "", merged[0])
	p.Base.Name = "merge base " + p.Base.Name + " of " + opt.Base
	return err
}

// name returns ref, if it is not itself a hash, and the short hash of commit.
func (r repository) name(ctx context.Context, ref, commit string) (string, error) {
	short, err := r.line(ctx, "rev-parse", "--short", commit)
	if err != nil || strings.HasPrefix(commit, ref) {
		return short, err
	}
	return ref + " " + short, nil
}

// mergeBases returns the best common ancestors of base and head: none also where a shallow clone cannot tell.
func (r repository) mergeBases(ctx context.Context, base, head string, shallow bool) ([]string, error) {
	out, err := r.git(ctx, "merge-base", "--all", base, head)
	if exitCode(err) == 1 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := strings.Fields(out)
	if !shallow || slices.Contains(all, base) || slices.Contains(all, head) {
		return all, nil
	}
	// A commit that has lost its parents may have been joined to the other side later than at the ancestor found.
	_, common, err := r.gitDir(ctx)
	if err != nil {
		return nil, err
	}
	cut, err := os.ReadFile(filepath.Join(common, "shallow"))
	if err != nil {
		return nil, err
	}
	roots, err := r.git(ctx, append([]string{"rev-list", "--max-parents=0", base, head, "--not"}, all...)...)
	if err != nil {
		return nil, err
	}
	for root := range strings.FieldsSeq(roots) {
		if strings.Contains(string(cut), root) {
			return nil, nil
		}
	}
	return all, nil
}

// resolve returns the commit that ref names.
func (r repository) resolve(ctx context.Context, role, ref string, shallow bool) (string, error) {
	commit, err := r.commit(ctx, ref)
	if err == nil || exitCode(err) < 0 {
		return commit, err
	}
	out, err := r.git(ctx, "remote")
	if err != nil {
		return "", err
	}
	remotes := strings.Fields(out)
	remote, branch, ok := strings.Cut(ref, "/")
	if !ok || !slices.Contains(remotes, remote) {
		if remote, branch = "origin", ref; !slices.Contains(remotes, remote) && len(remotes) > 0 {
			remote = remotes[0]
		}
	}
	tracking := remote + "/" + branch
	_, known := r.commit(ctx, tracking)
	switch {
	case known == nil:
		return "", fmt.Errorf("%s %s is no commit here, but %s is: name that", role, ref, tracking)
	case strings.ContainsAny(ref, "~^@:") && shallow:
		return "", fmt.Errorf("%s %s is no commit in this shallow clone: git fetch --unshallow", role, ref)
	case len(remotes) == 0 || strings.ContainsAny(ref, "~^@:"):
		return "", fmt.Errorf("%s %s is no commit here: git branch --all and git tag list what is", role, ref)
	case isHash(ref):
		return "", fmt.Errorf("%s %s is no commit here: git fetch %s %s", role, ref, remote, ref)
	}
	return "", fmt.Errorf("%s %s is no commit here: git fetch %s %s:refs/remotes/%s, and name %s", role, ref, remote, branch, tracking, tracking)
}

// isHash returns whether ref is a full hash, SHA-1 or SHA-256: only those can be fetched.
func isHash(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdef") == ""
}
