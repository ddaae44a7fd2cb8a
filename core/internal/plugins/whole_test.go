package plugins

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"testing"
)

func TestWholeProgram(t *testing.T) {
	self, err := os.ReadFile(must1(os.Executable()))
	must(t, err)
	for _, cut := range []int{0, 1, 4, 63} {
		if err := checkWhole(bytes.NewReader(self[:cut]), int64(cut)); err != nil {
			t.Errorf("%d bytes: %v, want the system to judge", cut, err)
		}
	}
	for _, cut := range []int{64, 100, 4096, len(self) / 2, len(self) - 1} {
		if err := checkWhole(bytes.NewReader(self[:cut]), int64(cut)); !errors.Is(err, errCutShort) {
			t.Errorf("%d of %d bytes: %v", cut, len(self), err)
		}
	}
	if err := checkWhole(bytes.NewReader(self), int64(len(self))); err != nil {
		t.Errorf("the whole: %v", err)
	}
	script := []byte("#!/bin/sh\n" + string(make([]byte, 200)))
	if err := checkWhole(bytes.NewReader(script), int64(len(script))); err != nil {
		t.Errorf("a script: %v", err)
	}
}

// TestWholeKnowsOtherFormats cuts the least that the formats of macOS and
// Windows need.
func TestWholeKnowsOtherFormats(t *testing.T) {
	macho := make([]byte, 32+72)
	put := func(at int, v uint32) { binary.LittleEndian.PutUint32(macho[at:], v) }
	put(0, 0xfeedfacf)
	put(4, 0x01000007) // amd64
	put(12, 2)         // executable
	put(16, 1)         // one load command
	put(20, 72)
	put(32, 0x19) // 64-bit segment
	put(36, 72)
	binary.LittleEndian.PutUint64(macho[32+40:], 0)    // offset
	binary.LittleEndian.PutUint64(macho[32+48:], 5000) // size in the file
	pe := make([]byte, 64+4+20+40)
	copy(pe, "MZ")
	binary.LittleEndian.PutUint32(pe[0x3c:], 64)
	copy(pe[64:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(pe[68:], 0x8664)
	binary.LittleEndian.PutUint16(pe[70:], 1)       // one section
	binary.LittleEndian.PutUint32(pe[88+16:], 4000) // size
	binary.LittleEndian.PutUint32(pe[88+20:], 1000) // offset
	for name, head := range map[string][]byte{"Mach-O": macho, "PE": pe} {
		whole := append(bytes.Clone(head), make([]byte, 5000-len(head))...)
		if err := checkWhole(bytes.NewReader(whole), 5000); err != nil {
			t.Errorf("%s whole: %v", name, err)
		}
		if err := checkWhole(bytes.NewReader(whole[:4999]), 4999); !errors.Is(err, errCutShort) {
			t.Errorf("%s cut: %v", name, err)
		}
	}
}

func FuzzWhole(f *testing.F) {
	f.Add([]byte(elf.ELFMAG + "\x02\x01\x01 and no more"))
	f.Add(append([]byte("MZ"), make([]byte, 100)...))
	f.Add(append([]byte("\xcf\xfa\xed\xfe"), make([]byte, 100)...))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = checkWhole(bytes.NewReader(data), int64(len(data)))
	})
}
