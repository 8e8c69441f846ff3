package binary

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// image is what a binary loads.
type image struct {
	io.Closer
	header string
	parts  []part
}

// part is a section, or another piece of the file that decides what is in memory.
type part struct {
	name       string // without the format's prefix
	kind       string
	addr, size uint64
	data       func() ([]byte, error) // nil for zeros
}

// ignored are sections of which only the presence counts: tables of lines and unwinding, which follow from the code and where it is in the source;
// the descriptor of all tables; the build's description and identifier. They are read to print a stack, and by the garbage collector.
var ignored = map[string]bool{
	"gopclntab": true, "go_module": true, "go_buildinfo": true,
	"eh_frame": true, "eh_frame_hdr": true, "unwind_info": true,
	"note_gnu_build-id": true,
}

// movable are sections that may follow those tables, and to which only the descriptor or the dynamic section points: their addresses do not count.
var movable = map[string]bool{
	"typelink": true, "itablink": true,
	"rela": true, "rela_plt": true, "rel": true, "rel_plt": true, "dynsym": true, "dynstr": true,
	"hash": true, "gnu_hash": true, "gnu_version": true, "gnu_version_r": true,
}

// equal reports whether two images have the same code and data.
func (m *image) equal(n *image) bool {
	if m.header != n.header || len(m.parts) != len(n.parts) {
		return false
	}
	for i, p := range m.parts {
		q := n.parts[i]
		if p.name != q.name || p.kind != q.kind {
			return false
		}
		if ignored[p.name] {
			continue
		}
		if p.size != q.size || p.addr != q.addr && !movable[p.name] || (p.data == nil) != (q.data == nil) {
			return false
		}
		if p.data == nil {
			continue
		}
		x, err := p.data()
		if err != nil {
			return false
		}
		y, err := q.data()
		if err != nil || !bytes.Equal(x, y) {
			return false
		}
	}
	return true
}

func readELF(path string) (*image, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	m := &image{Closer: f, header: fmt.Sprintf("%+v", f.FileHeader)}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		name := strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(s.Name, ".data.rel.ro"), "."), ".", "_")
		p := part{name: name, kind: fmt.Sprint(s.Type, s.Flags, s.Link, s.Info), addr: s.Addr, size: s.Size}
		switch s.Type {
		case elf.SHT_NOBITS:
		case elf.SHT_DYNAMIC:
			p.data = func() ([]byte, error) { return dynamic(f, s) }
		default:
			p.data = s.Data
		}
		m.parts = append(m.parts, p)
	}
	return m, nil
}

// dynamic returns the dynamic section without the addresses of movable sections.
func dynamic(f *elf.File, s *elf.Section) ([]byte, error) {
	data, err := s.Data()
	if err != nil || f.Class != elf.ELFCLASS64 {
		return data, err
	}
	const entry = 16 // a tag and a value
	for i := 0; i+entry <= len(data); i += entry {
		switch elf.DynTag(f.ByteOrder.Uint64(data[i:])) {
		case elf.DT_RELA, elf.DT_REL, elf.DT_JMPREL, elf.DT_SYMTAB, elf.DT_STRTAB, elf.DT_HASH, elf.DT_GNU_HASH, elf.DT_VERSYM, elf.DT_VERNEED:
			clear(data[i+entry/2 : i+entry])
		}
	}
	return data, nil
}

func readMachO(path string) (*image, error) {
	raw, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := macho.NewFile(raw)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	m := &image{Closer: raw, header: fmt.Sprintf("%+v", f.FileHeader)}
	for _, s := range f.Sections {
		if s.Seg == "__DWARF" {
			continue
		}
		p := part{name: strings.TrimPrefix(s.Name, "__"), kind: fmt.Sprint(s.Seg, s.Flags), addr: s.Addr, size: s.Size}
		const sectionType, zeroFill, bigZeroFill, threadZeroFill = 0xff, 0x1, 0xc, 0x12
		switch s.Flags & sectionType {
		case zeroFill, bigZeroFill, threadZeroFill:
		default:
			p.data = s.Data
		}
		m.parts = append(m.parts, p)
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	m.header += fmt.Sprint(libraries)
	fixups := machoFixups(f, raw)
	if len(fixups) == 0 {
		return nil, errors.Join(errors.New("no fixups"), raw.Close())
	}
	m.parts = append(m.parts, fixups...)
	return m, nil
}

// machoFixups returns what tells the loader which addresses and imported functions to write where.
func machoFixups(f *macho.File, r io.ReaderAt) []part {
	const dyldInfo, dyldInfoOnly, chainedFixups = 0x22, 0x80000022, 0x80000034
	var parts []part
	for _, load := range f.Loads {
		raw := load.Raw()
		tables := 0
		switch cmd := f.ByteOrder.Uint32(raw); cmd {
		case dyldInfo, dyldInfoOnly:
			tables = 4 // rebase, bind, weak bind, lazy bind
		case chainedFixups:
			tables = 1
		}
		for i := range tables {
			at, size := f.ByteOrder.Uint32(raw[8+8*i:]), f.ByteOrder.Uint32(raw[12+8*i:])
			parts = append(parts, part{name: "fixups", size: uint64(size), data: func() ([]byte, error) {
				return io.ReadAll(io.NewSectionReader(r, int64(at), int64(size)))
			}})
		}
	}
	return parts
}
