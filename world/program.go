package world

import (
	"bytes"
	"encoding/binary"
	"io"

	"syscallstory/story"
)

// ProgramKind is what execve takes a file for.
type ProgramKind uint8

const (
	ProgramOther  ProgramKind = iota // no format of the kernel's own
	ProgramScript                    // it begins with #! and an interpreter
	ProgramELF
)

// Program is what execve sees of a file's contents: the first line of a script, the headers of an ELF program.
type Program struct {
	Kind    ProgramKind
	Interp  string // the script's interpreter, or the one that the ELF program names (PT_INTERP)
	Arg     string // of a script: what stands behind the interpreter, passed as one argument
	Dynamic bool   // an ELF program that names an interpreter
	Machine uint16 // e_machine of an ELF program
	Bits    uint8  // 32 or 64, its class
	Short   bool   // the file is shorter than an ELF header: as an interpreter it is EIO
	// Errno is what the loader answers to headers of an ELF program that it does not take, ENOEXEC or EIO; Why says what is
	// wrong with them, or with a script's first line.
	Errno story.Errno
	Why   string
}

// What execve reads of a file (BINPRM_BUF_SIZE), and the most that its ELF loader takes of program headers and of the
// interpreter's path (load_elf_phdrs, PATH_MAX).
const (
	firstBytes = 256
	maxHeaders = 64 << 10
	maxInterp  = 4096
)

// ReadProgram reads what execve would of a regular file. It reads 256 bytes, and of an ELF program its headers and the path of
// its interpreter; nothing else.
func ReadProgram(r io.ReaderAt) (*Program, error) {
	buf := make([]byte, firstBytes)
	n, err := r.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(buf[:n], []byte("#!")):
		p := script(buf)
		p.Short = n < 64
		return p, nil
	case bytes.HasPrefix(buf[:n], []byte("\x7fELF")):
		return elf(r, buf[:n])
	}
	p := &Program{Short: n < 64}
	if n == 0 {
		p.Why = "it is empty"
	}
	return p, nil
}

func blank(b byte) bool { return b == ' ' || b == '\t' }

// script is load_script in fs/binfmt_script.c. buf holds 256 bytes, with zeros behind the end of a shorter file.
func script(buf []byte) *Program {
	end := -1 // of the line
	for i, b := range buf {
		if b == '\n' {
			end = i
		}
		if b == '\n' || b == 0 {
			break
		}
	}
	if end < 0 { // cut off: the interpreter's path must be followed by a blank or a NUL
		end = len(buf) - 1
		start := 2
		for start <= end && blank(buf[start]) {
			start++
		}
		i := start
		for i <= end && !blank(buf[i]) && buf[i] != 0 {
			i++
		}
		if start > end || i > end {
			return &Program{Why: "its first line is cut off at 256 bytes before the interpreter ends"}
		}
	}
	for blank(buf[end-1]) {
		end--
	}
	start := 2
	for start < end && blank(buf[start]) {
		start++
	}
	if start >= end {
		return &Program{Why: "its first line names no interpreter"}
	}
	stop := start
	for stop < end && !blank(buf[stop]) && buf[stop] != 0 {
		stop++
	}
	p := &Program{Kind: ProgramScript, Interp: string(buf[start:stop])}
	if stop < end && buf[stop] != 0 {
		for stop < end && blank(buf[stop]) {
			stop++
		}
		p.Arg, _, _ = cutNUL(buf[stop:end])
	}
	return p
}

func cutNUL(b []byte) (string, string, bool) {
	before, after, found := bytes.Cut(b, []byte{0})
	return string(before), string(after), found
}

// elf is the part of load_elf_binary in fs/binfmt_elf.c that comes before the interpreter is opened.
func elf(r io.ReaderAt, head []byte) (*Program, error) {
	p := &Program{Kind: ProgramELF, Bits: 64, Short: len(head) < 64}
	bad := func(e story.Errno, why string) (*Program, error) {
		p.Errno, p.Why = e, why
		return p, nil
	}
	if len(head) < 64 {
		head = append(head, make([]byte, 64-len(head))...)
	}
	le := binary.LittleEndian
	p.Machine = le.Uint16(head[18:])
	phoff, entry, count := le.Uint64(head[32:]), le.Uint16(head[54:]), le.Uint16(head[56:])
	size := uint16(56)
	if head[4] == 1 {
		p.Bits, size = 32, 32
		phoff, entry, count = uint64(le.Uint32(head[28:])), le.Uint16(head[42:]), le.Uint16(head[44:])
	}
	switch typ := le.Uint16(head[16:]); {
	case typ != 2 && typ != 3:
		return bad(story.ENOEXEC, "it is an ELF file that is no program")
	case entry != size || count == 0 || int(entry)*int(count) > maxHeaders:
		return bad(story.ENOEXEC, "its program headers are not valid")
	}
	headers := make([]byte, int(entry)*int(count))
	if phoff > 1<<62 {
		return bad(story.ENOEXEC, "its program headers are not valid")
	}
	if _, err := r.ReadAt(headers, int64(phoff)); err == io.EOF || err == io.ErrUnexpectedEOF {
		return bad(story.ENOEXEC, "its program headers are cut off")
	} else if err != nil {
		return nil, err
	}
	for h := headers; len(h) > 0; h = h[size:] {
		if le.Uint32(h) != 3 { // PT_INTERP
			continue
		}
		off, length := le.Uint64(h[8:]), le.Uint64(h[32:])
		if p.Bits == 32 {
			off, length = uint64(le.Uint32(h[4:])), uint64(le.Uint32(h[16:]))
		}
		if length > maxInterp || length < 2 || off > 1<<62 {
			return bad(story.ENOEXEC, "the path of its interpreter is not valid")
		}
		path := make([]byte, length)
		if _, err := r.ReadAt(path, int64(off)); err == io.EOF || err == io.ErrUnexpectedEOF {
			return bad(story.EIO, "the path of its interpreter is cut off")
		} else if err != nil {
			return nil, err
		}
		if path[length-1] != 0 {
			return bad(story.ENOEXEC, "the path of its interpreter is not ended")
		}
		p.Dynamic = true
		p.Interp, _, _ = cutNUL(path)
		break
	}
	return p, nil
}
