package plugins

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"io"
)

// errCutShort is a program whose file ends before it should.
var errCutShort = errors.New("the file is shorter than its own table of contents says")

// minProgram is below what any table of contents needs, in bytes. What is wrong
// with a shorter file, the system says.
const minProgram = 64

// checkWhole refuses a program of which the end is missing, as when copying it
// was cut short. It knows the formats ELF, Mach-O and PE; anything else, such as
// a script, passes.
func checkWhole(r io.ReaderAt, size int64) error {
	magic := make([]byte, 4)
	if n, _ := r.ReadAt(magic, 0); n < len(magic) || size < minProgram {
		return nil
	}
	end, err := programEnd(string(magic), r)
	cut := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if cut || err == nil && end > uint64(size) {
		return errCutShort
	}
	return nil
}

// programEnd is where the last piece of the program ends; 0 for an unknown
// format.
func programEnd(magic string, r io.ReaderAt) (uint64, error) {
	switch {
	case magic == elf.ELFMAG:
		return elfEnd(r)
	case magic == "\xcf\xfa\xed\xfe", magic == "\xce\xfa\xed\xfe":
		return machoEnd(r)
	case magic[:2] == "MZ":
		return peEnd(r)
	}
	return 0, nil
}

func elfEnd(r io.ReaderAt) (end uint64, err error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return 0, err
	}
	for _, p := range f.Progs {
		end = max(end, p.Off+p.Filesz)
	}
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS {
			end = max(end, s.Offset+s.FileSize)
		}
	}
	return end, nil
}

func machoEnd(r io.ReaderAt) (end uint64, err error) {
	f, err := macho.NewFile(r)
	if err != nil {
		return 0, err
	}
	for _, l := range f.Loads {
		if s, ok := l.(*macho.Segment); ok {
			end = max(end, s.Offset+s.Filesz)
		}
	}
	return end, nil
}

func peEnd(r io.ReaderAt) (end uint64, err error) {
	f, err := pe.NewFile(r)
	if err != nil {
		return 0, err
	}
	for _, s := range f.Sections {
		end = max(end, uint64(s.Offset)+uint64(s.Size))
	}
	return end, nil
}
