package binary

import (
	"debug/elf"
	"debug/macho"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// piece is a section of a file, and whether its bytes count.
type piece struct {
	name     string
	at, size int64
	counts   bool
}

func elfPieces(t *testing.T, path string) (pieces []piece) {
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	free := []string{".gopclntab", ".go.module", ".go.buildinfo", ".note.gnu.build-id"}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NULL && s.Type != elf.SHT_NOBITS && s.Name != ".shstrtab" { // which has the names
			pieces = append(pieces, piece{s.Name, int64(s.Offset), int64(s.FileSize), s.Flags&elf.SHF_ALLOC != 0 && !slices.Contains(free, s.Name)})
		}
	}
	return pieces
}

func machoPieces(t *testing.T, path string) (pieces []piece) {
	f, err := macho.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	free := []string{"__gopclntab", "__go_module", "__go_buildinfo"}
	for _, s := range f.Sections {
		if s.Offset != 0 {
			pieces = append(pieces, piece{s.Name, int64(s.Offset), int64(s.Size), !slices.Contains(free, s.Name)})
		}
	}
	at := func(raw []byte, i int) int64 { return int64(f.ByteOrder.Uint32(raw[i:])) }
	for _, l := range f.Loads {
		raw := l.Raw()
		switch at(raw, 0) {
		case 0x2: // LC_SYMTAB
			pieces = append(pieces, piece{"symbols", at(raw, 16), at(raw, 20), false})
		case 0x80000022: // LC_DYLD_INFO_ONLY
			for i := 8; i < 40; i += 8 {
				if size := at(raw, i+4); size > 0 {
					pieces = append(pieces, piece{"fixups", at(raw, i), size, true})
				}
			}
		}
	}
	return pieces
}

// TestImages flips the first and the last byte of each section: where it is code or data, the image is another.
func TestImages(t *testing.T) {
	quiet(t)
	for _, test := range []struct {
		goos   string
		goarch string
		pieces func(*testing.T, string) []piece
		read   func(string) (*image, error)
		want   []string
	}{
		{"linux", runtime.GOARCH, elfPieces, readELF, []string{".text", ".rodata", ".typelink", ".itablink", ".noptrdata", ".data", ".gopclntab", ".symtab"}},
		{"darwin", "arm64", machoPieces, readMachO, []string{"__text", "__rodata", "__got", "__itablink", "__data", "__gopclntab", "symbols", "fixups"}},
	} {
		t.Run(test.goos, func(t *testing.T) {
			if test.goos != "linux" {
				slow(t)
			}
			t.Setenv("GOOS", test.goos)
			t.Setenv("GOARCH", test.goarch)
			base, head := trees(t, plain, plain, ".")
			b := mustOpen(t, base, head, Settings{})
			_, pkg := both(t, b, ".")
			file := link(t, b, 1, pkg, 0)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			original, err := test.read(file)
			if err != nil {
				t.Fatal(err)
			}
			defer original.Close()
			other := filepath.Join(t.TempDir(), "other")
			if err := os.WriteFile(other, data, 0o666); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(other, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var at int64
			differs := func() bool {
				m, err := test.read(other)
				if err != nil {
					t.Fatalf("%v: %v", err, at)
				}
				defer m.Close()
				return !original.equal(m)
			}
			if differs() {
				t.Fatal("a copy differs")
			}
			missing := slices.Clone(test.want)
			for _, p := range test.pieces(t, file) {
				missing = slices.DeleteFunc(missing, func(name string) bool { return name == p.name })
				for _, at = range []int64{p.at, p.at + p.size - 1} {
					_, e1 := f.WriteAt([]byte{data[at] ^ 1}, at)
					got := differs()
					_, e2 := f.WriteAt(data[at:at+1], at)
					if err := errors.Join(e1, e2); err != nil {
						t.Fatal(err)
					}
					if got != p.counts {
						t.Errorf("%s: byte %#x differs: another image: %v, want %v", p.name, at-p.at, got, p.counts)
					}
				}
			}
			if len(missing) > 0 {
				t.Errorf("the file has no %v", missing)
			}
		})
	}
}

// TestEqual holds what of two images must be equal.
func TestEqual(t *testing.T) {
	data := func(s string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(s), nil } }
	make := func(change func(*image)) *image {
		m := &image{header: "h", parts: []part{
			{"text", "x", 0x1000, 4, data("code")},
			{"gopclntab", "r", 0x2000, 3, data("tab")},
			{"typelink", "r", 0x2010, 2, data("ty")},
			{"bss", "w", 0x3000, 8, nil},
		}}
		if change != nil {
			change(m)
		}
		return m
	}
	for _, test := range []struct {
		name   string
		change func(*image)
		want   bool
	}{
		{"nothing", nil, true},
		{"table grows", func(m *image) {
			m.parts[1] = part{"gopclntab", "r", 0x2000, 30, data("other")}
			m.parts[2].addr = 0x2040
		}, true},
		{"header", func(m *image) { m.header = "i" }, false},
		{"section less", func(m *image) { m.parts = m.parts[:3] }, false},
		{"table lacks", func(m *image) { m.parts[1].name = "x" }, false},
		{"kind", func(m *image) { m.parts[0].kind = "wx" }, false},
		{"code", func(m *image) { m.parts[0].data = data("cade") }, false},
		{"code moves", func(m *image) { m.parts[0].addr++ }, false},
		{"types", func(m *image) { m.parts[2].data = data("tz") }, false},
		{"more types", func(m *image) { m.parts[2].size++ }, false},
		{"more zeros", func(m *image) { m.parts[3].size++ }, false},
		{"zeros move", func(m *image) { m.parts[3].addr++ }, false},
		{"zeros become data", func(m *image) { m.parts[3].data = data("\x00\x00\x00\x00\x00\x00\x00\x00") }, false},
		{"cannot be read", func(m *image) { m.parts[0].data = func() ([]byte, error) { return nil, os.ErrClosed } }, false},
	} {
		if got := make(nil).equal(make(test.change)); got != test.want {
			t.Errorf("%s: equal: %v, want %v", test.name, got, test.want)
		}
		if got := make(test.change).equal(make(nil)); got != test.want {
			t.Errorf("%s, the other way: equal: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestForeign holds that what is no such file is an error, and no image.
func TestForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for _, data := range []string{"", "MZ\x90\x00", "\x7fELF\x02\x01\x01", "\xcf\xfa\xed\xfe"} {
		if err := os.WriteFile(path, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, read := range []func(string) (*image, error){readELF, readMachO} {
			if m, err := read(path); err == nil {
				t.Errorf("%q: %+v", data, m)
			}
		}
	}
}
