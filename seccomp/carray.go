package seccomp

import (
	"fmt"
	"strconv"
	"strings"

	"syscallstory/syscalls"
)

// ParseC reads a program from C source: an array of struct sock_filter, with or without its declaration. Its elements are written as numbers in
// braces, also with .code= and the like, or with BPF_STMT and BPF_JUMP; the constants of linux/filter.h, linux/seccomp.h and linux/audit.h,
// offsetof(struct seccomp_data, …) and __NR_ names of an ABI are known. The program is not checked.
func ParseC(file string, text []byte, abi syscalls.ABI) (p Program, err error) {
	r := &cReader{file: file, text: text, line: 1, abi: abi}
	defer func() {
		if e, ok := recover().(*ParseError); ok {
			p, err = nil, e
		} else if e != nil {
			panic(e)
		}
	}()
	if len(text) > MaxText {
		r.fail("it has %d bytes, at most %d are read", len(text), MaxText)
	}
	r.next()
	if r.token != "{" && r.token != "BPF_STMT" && r.token != "BPF_JUMP" {
		for r.token != "=" { // struct sock_filter filter[] =
			if r.token == "" {
				r.fail("an array of struct sock_filter is expected")
			}
			r.next()
		}
		r.next()
		r.need("{")
		p = r.list("}")
		r.accept(";")
	} else {
		p = r.list("")
	}
	if r.token != "" {
		r.fail("%q follows the program", r.token)
	}
	return p, nil
}

// cReader reads C's tokens.
type cReader struct {
	file       string
	text       []byte
	at         int
	line, lbeg int // the line that at is in, and where it begins
	token      string
	pos        Pos
	depth      int
	abi        syscalls.ABI
}

func (r *cReader) fail(format string, args ...any) {
	at := r.pos
	if at.Line == 0 {
		at = Pos{1, 1}
	}
	panic(&ParseError{r.file, at, fmt.Sprintf(format, args...)})
}

// skip passes over space and comments.
func (r *cReader) skip() {
	for r.at < len(r.text) {
		rest := r.text[r.at:]
		switch {
		case rest[0] == '\n':
			r.line++
			r.at++
			r.lbeg = r.at
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r' || rest[0] == '\\' && len(rest) > 1 && (rest[1] == '\n' || rest[1] == '\r'):
			r.at++
		case strings.HasPrefix(string(rest[:min(2, len(rest))]), "//"):
			for r.at < len(r.text) && r.text[r.at] != '\n' {
				r.at++
			}
		case strings.HasPrefix(string(rest[:min(2, len(rest))]), "/*"):
			r.pos = Pos{r.line, r.at - r.lbeg + 1}
			for r.at += 2; ; r.at++ {
				if r.at+1 >= len(r.text) {
					r.fail("the comment does not end")
				}
				if r.text[r.at] == '\n' {
					r.line++
					r.lbeg = r.at + 1
				}
				if r.text[r.at] == '*' && r.text[r.at+1] == '/' {
					r.at += 2
					break
				}
			}
		default:
			return
		}
	}
}

// next reads a token; none is left where it is empty.
func (r *cReader) next() {
	r.skip()
	r.pos = Pos{r.line, r.at - r.lbeg + 1}
	if r.at >= len(r.text) {
		r.token = ""
		return
	}
	from := r.at
	if r.at++; isWord(r.text[from]) {
		for r.at < len(r.text) && isWord(r.text[r.at]) {
			r.at++
		}
	} else if c := r.text[from]; (c == '<' || c == '>') && r.at < len(r.text) && r.text[r.at] == c {
		r.at++
	}
	r.token = string(r.text[from:r.at])
}

func (r *cReader) accept(token string) bool {
	if r.token != token {
		return false
	}
	r.next()
	return true
}

func (r *cReader) need(token string) {
	if !r.accept(token) {
		if r.token == "" {
			r.fail("the program ends where %q is expected", token)
		}
		r.fail("%q is expected, not %q", token, r.token)
	}
}

// list reads instructions up to a closing token or the end.
func (r *cReader) list(end string) Program {
	p := Program{}
	for r.token != end {
		if len(p) == MaxInsns {
			r.fail("the program has more than %d instructions", MaxInsns)
		}
		p = append(p, r.insn())
		if !r.accept(",") {
			break
		}
	}
	if end != "" {
		r.need(end)
	}
	return p
}

func (r *cReader) insn() Insn {
	switch {
	case r.accept("BPF_STMT"):
		r.need("(")
		in := Insn{Code: uint16(r.value(16))}
		r.need(",")
		in.K = r.value(32)
		r.need(")")
		return in
	case r.accept("BPF_JUMP"):
		r.need("(")
		in := Insn{Code: uint16(r.value(16))}
		r.need(",")
		in.K = r.value(32)
		r.need(",")
		in.JT = uint8(r.value(8))
		r.need(",")
		in.JF = uint8(r.value(8))
		r.need(")")
		return in
	}
	r.need("{")
	var in Insn
	set := []func(){func() { in.Code = uint16(r.value(16)) }, func() { in.JT = uint8(r.value(8)) }, func() { in.JF = uint8(r.value(8)) }, func() { in.K = r.value(32) }}
	for i := 0; r.token != "}"; i++ {
		if r.accept(".") {
			name := r.token
			var ok bool
			if i, ok = map[string]int{"code": 0, "jt": 1, "jf": 2, "k": 3}[name]; !ok {
				r.fail("struct sock_filter has no field %q", name)
			}
			r.next()
			r.need("=")
		}
		if i > 3 {
			r.fail("struct sock_filter has four fields")
		}
		set[i]()
		if !r.accept(",") {
			break
		}
	}
	r.need("}")
	return in
}

// value reads an expression of at most some bits.
func (r *cReader) value(bits int) uint32 {
	at := r.pos
	v := r.expression()
	if v>>bits != 0 {
		r.pos = at
		r.fail("%#x has more than %d bits", v, bits)
	}
	return uint32(v)
}

// expression reads | & << >> + - between terms, with C's precedence.
func (r *cReader) expression() uint64 {
	if r.depth++; r.depth > 32 {
		r.fail("nested too deeply")
	}
	defer func() { r.depth-- }()
	v := r.and()
	for r.accept("|") {
		v |= r.and()
	}
	return v
}

func (r *cReader) and() uint64 {
	v := r.shift()
	for r.accept("&") {
		v &= r.shift()
	}
	return v
}

func (r *cReader) shift() uint64 {
	v := r.sum()
	for {
		switch {
		case r.accept("<<"):
			v <<= r.sum() & 63
		case r.accept(">>"):
			v >>= r.sum() & 63
		default:
			return v & 0xffffffffffff
		}
	}
}

func (r *cReader) sum() uint64 {
	v := r.term()
	for {
		switch {
		case r.accept("+"):
			v += r.term()
		case r.accept("-"):
			v -= r.term()
		default:
			return v
		}
	}
}

func (r *cReader) term() uint64 {
	word := r.token
	switch {
	case word == "":
		r.fail("the program ends where a number is expected")
	case r.accept("("):
		v := r.expression()
		r.need(")")
		return v
	case r.accept("offsetof"):
		return r.offset()
	case word[0] >= '0' && word[0] <= '9':
		v, err := strconv.ParseUint(strings.TrimRight(strings.ToLower(word), "ul"), 0, 32)
		if err != nil {
			r.fail("%q is not a number of 32 bits", word)
		}
		r.next()
		return v
	}
	if v, ok := cConstants[word]; ok {
		r.next()
		return uint64(v)
	}
	name, ok := strings.CutPrefix(word, "__NR_")
	if !ok {
		name, ok = strings.CutPrefix(word, "SYS_")
	}
	if nr, known := syscalls.Lookup(r.abi, name); ok && known {
		r.next()
		return uint64(nr)
	} else if ok {
		r.fail("%v has no call %q%s", r.abi, name, suggest(name, syscalls.Nearest(name)))
	}
	known := make([]string, 0, len(cConstants))
	for k := range cConstants {
		known = append(known, k)
	}
	r.fail("unknown constant %q%s", word, suggest(word, known))
	return 0
}

// offset reads offsetof's parentheses.
func (r *cReader) offset() uint64 {
	r.need("(")
	r.need("struct")
	r.need("seccomp_data")
	r.need(",")
	at := r.pos
	field := r.token
	r.next()
	off := uint64(0)
	switch field {
	case "nr":
	case "arch":
		off = 4
	case "instruction_pointer":
		off = 8
	case "args":
		r.need("[")
		i := r.expression()
		if i > 5 {
			r.fail("a call has arguments 0 to 5")
		}
		r.need("]")
		off = 16 + 8*i
	default:
		r.pos = at
		r.fail("struct seccomp_data has no field %q", field)
	}
	r.need(")")
	return off
}

// cConstants are the names of linux/bpf_common.h, linux/filter.h, linux/seccomp.h and linux/audit.h that a filter may use.
var cConstants = map[string]uint32{
	"BPF_LD": 0, "BPF_LDX": 1, "BPF_ST": 2, "BPF_STX": 3, "BPF_ALU": 4, "BPF_JMP": 5, "BPF_RET": 6, "BPF_MISC": 7, "BPF_W": 0, "BPF_H": 8, "BPF_B": 0x10,
	"BPF_IMM": 0, "BPF_ABS": 0x20, "BPF_IND": 0x40, "BPF_MEM": 0x60, "BPF_LEN": 0x80, "BPF_MSH": 0xa0,
	"BPF_ADD": 0, "BPF_SUB": 0x10, "BPF_MUL": 0x20, "BPF_DIV": 0x30, "BPF_OR": 0x40, "BPF_AND": 0x50, "BPF_LSH": 0x60, "BPF_RSH": 0x70, "BPF_NEG": 0x80, "BPF_MOD": 0x90, "BPF_XOR": 0xa0,
	"BPF_JA": 0, "BPF_JEQ": 0x10, "BPF_JGT": 0x20, "BPF_JGE": 0x30, "BPF_JSET": 0x40, "BPF_K": 0, "BPF_X": 8, "BPF_A": 0x10, "BPF_TAX": 0, "BPF_TXA": 0x80,
	"SECCOMP_RET_KILL_PROCESS": uint32(KillProcess), "SECCOMP_RET_KILL_THREAD": uint32(KillThread), "SECCOMP_RET_KILL": uint32(KillThread), "SECCOMP_RET_TRAP": uint32(Trap),
	"SECCOMP_RET_ERRNO": uint32(Errno), "SECCOMP_RET_USER_NOTIF": uint32(UserNotif), "SECCOMP_RET_TRACE": uint32(Trace), "SECCOMP_RET_LOG": uint32(Log), "SECCOMP_RET_ALLOW": uint32(Allow),
	"SECCOMP_RET_DATA": 0xffff, "SECCOMP_RET_ACTION": 0x7fff0000, "SECCOMP_RET_ACTION_FULL": 0xffff0000,
	"AUDIT_ARCH_X86_64": syscalls.X8664.Audit(), "AUDIT_ARCH_I386": syscalls.I386.Audit(), "AUDIT_ARCH_AARCH64": syscalls.ARM64.Audit(), "AUDIT_ARCH_ARM": syscalls.ARM.Audit(), "__X32_SYSCALL_BIT": syscalls.X32Bit, "X32_SYSCALL_BIT": syscalls.X32Bit,
	"EPERM": 1, "ENOENT": 2, "EINTR": 4, "EACCES": 13, "EINVAL": 22, "ENOSYS": 38,
}
