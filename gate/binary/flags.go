package binary

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readFlags takes from GOFLAGS what the package's own command lines would hide, and joins its -ldflags and the user's.
func (t *tree) readFlags(user string) error {
	fields, err := split(t.goenv["GOFLAGS"])
	if err != nil {
		return fmt.Errorf("GOFLAGS: %w: put quotes around a whole flag: GOFLAGS=\"'-ldflags=-s -w'\"", err)
	}
	var goflags string
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		switch strings.TrimLeft(name, "-") {
		case "ldflags":
			if goflags, err = allPackages(value); err != nil {
				return fmt.Errorf("GOFLAGS: %w", err)
			}
		case "mod":
			t.mod = value
		case "overlay":
			return fmt.Errorf("GOFLAGS: %s would put the same files into both trees: unset it", field)
		}
	}
	if user, err = allPackages(user); err != nil {
		return fmt.Errorf("--ldflags: %w", err)
	}
	t.ldflags = strings.TrimSpace(goflags + " " + user)
	return nil
}

// allPackages returns the flags of a value of -ldflags, which must be for all packages, as those of a test binary's main package are.
func allPackages(value string) (string, error) {
	value = strings.TrimSpace(value)
	if flags, ok := strings.CutPrefix(value, "all="); ok {
		value = flags
	} else if value != "" && !strings.HasPrefix(value, "-") {
		return "", fmt.Errorf("-ldflags=%s: flags for a package pattern: want flags for all packages, such as -ldflags='-X main.version=1'", value)
	}
	if _, err := split(value); err != nil {
		return "", fmt.Errorf("-ldflags=%s: %w", value, err)
	}
	return value, nil
}

// split splits s at spaces, as the go command does: quotes count only around a whole field, and nothing escapes them.
func split(s string) ([]string, error) {
	const space = " \t\r\n"
	var fields []string
	for {
		s = strings.TrimLeft(s, space)
		if s == "" {
			return fields, nil
		}
		end := strings.IndexAny(s, space)
		if quote := s[0]; quote == '"' || quote == '\'' {
			s = s[1:]
			if end = strings.IndexByte(s, quote); end < 0 {
				return nil, fmt.Errorf("%c is not closed", quote)
			}
			fields, s = append(fields, s[:end]), s[end+1:]
			continue
		}
		if end < 0 {
			end = len(s)
		}
		fields, s = append(fields, s[:end]), s[end:]
	}
}

// module is what go list -m says about one.
type module struct {
	Path, Dir, GoMod string
}

// replaces is the part of a go.mod or go.work file that names other directories.
type replaces struct {
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

// requireInside refuses a tree that is built from files outside of it: those would be the same for both, or not be there.
func (t *tree) requireInside(ctx context.Context) error {
	gomod, gowork := t.goenv["GOMOD"], t.goenv["GOWORK"]
	if gowork == "off" {
		gowork = ""
	}
	switch {
	case gowork != "" && !within(t.Root, gowork):
		return fmt.Errorf("%s: the workspace %s lies outside of the repository: set GOWORK=off, or to a file in the repository", t.name, gowork)
	case gowork == "" && (gomod == "" || gomod == os.DevNull):
		return fmt.Errorf("%s: %s is in no module: go mod init, or start in the directory of one", t.name, t.Dir)
	}
	out, err := t.run(ctx, true, t.flags("list", "-m", "-json")...)
	if err != nil {
		return err
	}
	modules, err := decode[module](out)
	if err != nil {
		return fmt.Errorf("%s: go list -m -json: %w", t.name, err)
	}
	for _, m := range modules {
		if !within(t.Root, m.Dir) {
			return fmt.Errorf("%s: the module %s lies outside of the repository, in %s: move it in, or set GOWORK=off", t.name, m.Path, m.Dir)
		}
	}
	if t.vendors(gomod, gowork) {
		return nil
	}
	if gowork != "" {
		if err := t.requireReplaces(ctx, "work", gowork, filepath.Dir(gowork)); err != nil {
			return err
		}
	}
	for _, m := range modules {
		if err := t.requireReplaces(ctx, "mod", m.GoMod, m.Dir); err != nil {
			return err
		}
	}
	return nil
}

// vendors reports whether packages of other modules come from a vendor directory.
func (t *tree) vendors(gomod, gowork string) bool {
	main := gomod
	if gowork != "" {
		main = gowork
	}
	_, err := os.Stat(filepath.Join(filepath.Dir(main), "vendor", "modules.txt"))
	return err == nil && (t.mod == "" || t.mod == "vendor")
}

// requireReplaces refuses a replace in a go.mod or go.work file, whose paths are relative to dir, that leaves the tree.
func (t *tree) requireReplaces(ctx context.Context, kind, file, dir string) error {
	out, err := t.run(ctx, true, kind, "edit", "-json", file)
	if err != nil {
		return err
	}
	var r replaces
	if err := json.Unmarshal(out, &r); err != nil {
		return fmt.Errorf("%s: go %s edit -json %s: %w", t.name, kind, file, err)
	}
	for _, re := range r.Replace {
		path := re.New.Path
		if re.New.Version != "" {
			continue
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if !within(t.Root, path) {
			return fmt.Errorf("%s: %s replaces %s by %s, outside of the repository: replace it by a version or by a copy in the repository",
				t.name, filepath.Base(file), re.Old.Path, re.New.Path)
		}
	}
	return nil
}
