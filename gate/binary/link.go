package binary

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Link writes the test binary of a package of a side (0 base, 1 head) to the file out. The seed permutes its functions; each starts at a multiple of
// 64 bytes, so that less depends on the permutation. The seed 0 keeps the linker's own order; seeds that are equal modulo 1<<31-1, that of math/rand,
// permute alike. Links may run concurrently, each with another out.
func (b *Builder) Link(ctx context.Context, side int, pkg Package, seed uint32, out string) error {
	return b.link(ctx, side, pkg, out, "-w -funcalign=64", fmt.Sprintf("-randlayout=%d", seed))
}

func (b *Builder) link(ctx context.Context, side int, pkg Package, out string, ldflags ...string) error {
	t := b.trees[side]
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	ldflags = append([]string{t.ldflags}, ldflags...)
	args := append(t.flags("test", "-c", "-trimpath", "-buildvcs=false"),
		"-ldflags="+strings.TrimSpace(strings.Join(ldflags, " ")), "-o", out, pkg.ImportPath)
	if _, err := t.run(ctx, false, args...); err != nil {
		if side == 0 && ctx.Err() == nil {
			err = fmt.Errorf("%w\nthe base has to build too: name another, or other packages; generated files that are not committed are missing there", err)
		}
		return err
	}
	if info, err := os.Stat(out); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("%s: go %s wrote no binary: does GOFLAGS ask for that?", t.name, strings.Join(args, " "))
	}
	return nil
}

// elfSystems are those whose binaries are ELF files.
var elfSystems = []string{"android", "dragonfly", "freebsd", "illumos", "linux", "netbsd", "openbsd", "solaris"}

// Same reports whether the test binaries of both sides have the same code and data, and the directories named testdata, from the package's up to
// the root, the same files. Comments, lines that moved, and names of local variables make no difference.
//
// Both are linked without build identifiers and with so much room between segments that tables of another size move nothing. What is loaded must
// have equal bytes at equal addresses; see ignored and movable for the exceptions. Where the format is another than ELF or Mach-O, or anything is
// unexpected, the code is not the same: that costs time, and no wrong verdict. So it is before Go 1.26, where tables with line numbers lie among
// other data, and on ELF from Go 1.27 on, where types follow those tables, if the tables' sizes differ.
func (b *Builder) Same(ctx context.Context, basePkg, headPkg Package, temp string) (bool, error) {
	if before(b.version, "go1.26") {
		return false, nil
	}
	read := readELF
	switch {
	case b.goos == "darwin" || b.goos == "ios":
		read = readMachO
	case !slices.Contains(elfSystems, b.goos):
		return false, nil
	}
	if !b.sameTestdata(basePkg, headPkg) {
		return false, nil
	}
	dir, err := os.MkdirTemp(temp, "same-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	ldflags := []string{"-w -buildid= -R=0x100000"}
	if b.goos == "linux" && !strings.Contains(b.trees[1].ldflags, "-extldflags") {
		ldflags = append(ldflags, "-extldflags=-Wl,-z,max-page-size=0x100000") // -R for a C compiler's linker
	}
	var images [2]*image
	for side, pkg := range []Package{basePkg, headPkg} {
		out := filepath.Join(dir, fmt.Sprint(side))
		if err := b.link(ctx, side, pkg, out, ldflags...); err != nil {
			return false, err
		}
		if images[side], err = read(out); err != nil {
			return false, nil
		}
		defer images[side].Close()
	}
	return images[0].equal(images[1]), nil
}
