package seccomp

import (
	"encoding/binary"
	"fmt"

	"syscallstory/kernel"
	"syscallstory/syscalls"
)

// Insn is one instruction of classic BPF (struct sock_filter).
type Insn struct {
	Code   uint16
	JT, JF uint8
	K      uint32
}

// Program is a seccomp filter.
type Program []Insn

// The instructions that the kernel accepts in a seccomp filter (seccomp_check_filter).
const (
	ldAbs  = 0x20 // A = word of seccomp_data at K
	ldLen  = 0x80 // A = 64
	ldxLen = 0x81
	ldImm  = 0x00
	ldxImm = 0x01
	ldMem  = 0x60
	ldxMem = 0x61
	st     = 0x02
	stx    = 0x03
	tax    = 0x07
	txa    = 0x87
	retK   = 0x06
	retA   = 0x16
	ja     = 0x05
	jeqK   = 0x15
	jgtK   = 0x25
	jgeK   = 0x35
	jsetK  = 0x45
	jeqX   = 0x1d
	jgtX   = 0x2d
	jgeX   = 0x3d
	jsetX  = 0x4d
	neg    = 0x84
	addK   = 0x04
	subK   = 0x14
	mulK   = 0x24
	divK   = 0x34
	orK    = 0x44
	andK   = 0x54
	lshK   = 0x64
	rshK   = 0x74
	xorK   = 0xa4
	srcX   = 0x08
)

// MaxInsns is the longest filter that the kernel takes (BPF_MAXINSNS).
const MaxInsns = 4096

// dataSize is the size of struct seccomp_data.
const dataSize = 64

// Data is what a filter sees of a call (struct seccomp_data).
type Data struct {
	NR   uint32
	Arch uint32
	IP   uint64
	Args [6]uint64
}

// word returns the 32-bit word at an offset, on a little-endian machine.
func (d *Data) word(off uint32) uint32 {
	switch {
	case off == 0:
		return d.NR
	case off == 4:
		return d.Arch
	case off == 8:
		return uint32(d.IP)
	case off == 12:
		return uint32(d.IP >> 32)
	}
	v := d.Args[(off-16)/8]
	if off&4 != 0 {
		return uint32(v >> 32)
	}
	return uint32(v)
}

// CheckError says why the kernel would refuse a program, with EINVAL.
type CheckError struct {
	At  int // instruction, -1 for the whole program
	Msg string
}

func (e *CheckError) Error() string {
	if e.At < 0 {
		return "seccomp filter: " + e.Msg
	}
	return fmt.Sprintf("seccomp filter: instruction %d: %s", e.At, e.Msg)
}

// Check is bpf_check_classic and seccomp_check_filter: what the kernel verifies before it installs a filter.
func (p Program) Check() error {
	if len(p) == 0 || len(p) > MaxInsns {
		return &CheckError{-1, fmt.Sprintf("%d instructions; 1 to %d are allowed", len(p), MaxInsns)}
	}
	for i, in := range p {
		bad := func(format string, args ...any) error { return &CheckError{i, fmt.Sprintf(format, args...)} }
		left := len(p) - i - 1
		switch in.Code {
		case ldAbs:
			if in.K >= dataSize || in.K&3 != 0 {
				return bad("load at %d: only aligned words below %d can be loaded", in.K, dataSize)
			}
		case divK:
			if in.K == 0 {
				return bad("division by zero")
			}
		case lshK, rshK:
			if in.K >= 32 {
				return bad("shift by %d", in.K)
			}
		case ldMem, ldxMem, st, stx:
			if in.K >= 16 {
				return bad("scratch memory has 16 words, word %d is used", in.K)
			}
		case ja:
			if uint64(in.K) >= uint64(left) {
				return bad("jump beyond the end")
			}
		case jeqK, jgtK, jgeK, jsetK, jeqX, jgtX, jgeX, jsetX:
			if int(in.JT) >= left || int(in.JF) >= left {
				return bad("jump beyond the end")
			}
		case retK, retA, ldLen, ldxLen, ldImm, ldxImm, tax, txa, neg, addK, subK, mulK, orK, andK, xorK,
			addK | srcX, subK | srcX, mulK | srcX, divK | srcX, orK | srcX, andK | srcX, lshK | srcX, rshK | srcX, xorK | srcX:
		default:
			return bad("code %#04x is not allowed in a seccomp filter", in.Code)
		}
	}
	if last := p[len(p)-1].Code; last != retK && last != retA {
		return &CheckError{len(p) - 1, "the last instruction must return"}
	}
	return p.checkScratch()
}

// checkScratch is check_load_and_stores: a word of scratch memory is stored on every path before it is loaded.
func (p Program) checkScratch() error {
	masks := make([]uint16, len(p))
	for i := range masks {
		masks[i] = 0xffff
	}
	valid := uint16(0)
	for i, in := range p {
		valid &= masks[i]
		switch in.Code {
		case st, stx:
			valid |= 1 << in.K
		case ldMem, ldxMem:
			if valid>>in.K&1 == 0 {
				return &CheckError{i, fmt.Sprintf("scratch word %d is loaded before it is stored", in.K)}
			}
		case ja:
			masks[i+1+int(in.K)] &= valid
			valid = 0xffff
		case jeqK, jgtK, jgeK, jsetK, jeqX, jgtX, jgeX, jsetX:
			masks[i+1+int(in.JT)] &= valid
			masks[i+1+int(in.JF)] &= valid
			valid = 0xffff
		}
	}
	return nil
}

// Run executes a checked program and returns its answer and the index of the instruction that gave it.
func (p Program) Run(d *Data) (Action, int) {
	// What compilers emit is run here, anything else from the start by the whole machine.
	a := uint32(0)
	for pc := 0; pc < len(p); pc++ {
		in := &p[pc]
		yes := false
		switch in.Code {
		case ldAbs:
			a = d.word(in.K)
			continue
		case jeqK:
			yes = a == in.K
		case jgeK:
			yes = a >= in.K
		case jgtK:
			yes = a > in.K
		case jsetK:
			yes = a&in.K != 0
		case andK:
			a &= in.K
			continue
		case ja:
			pc += int(in.K)
			continue
		case retK:
			return Action(in.K), pc
		default:
			return p.run(d, nil)
		}
		pc += branch(yes, in)
	}
	return KillThread, len(p)
}

// Path executes a checked program and returns the instructions that it went through; the last one has answered.
func (p Program) Path(d *Data) []int {
	var path []int
	p.run(d, &path)
	return path
}

func (p Program) run(d *Data, path *[]int) (Action, int) {
	var a, x uint32
	var mem [16]uint32
	for pc := 0; pc < len(p); pc++ {
		in := &p[pc]
		if path != nil {
			*path = append(*path, pc)
		}
		k := in.K
		if in.Code&srcX != 0 && (in.Code&7 == 4 || in.Code&7 == 5) {
			k = x
		}
		switch in.Code {
		case ldAbs:
			a = d.word(k)
		case ldLen:
			a = dataSize
		case ldxLen:
			x = dataSize
		case ldImm:
			a = k
		case ldxImm:
			x = k
		case ldMem:
			a = mem[k]
		case ldxMem:
			x = mem[k]
		case st:
			mem[k] = a
		case stx:
			mem[k] = x
		case tax:
			x = a
		case txa:
			a = x
		case retK:
			return Action(k), pc
		case retA:
			return Action(a), pc
		case ja:
			pc += int(k)
		case jeqK, jeqX:
			pc += branch(a == k, in)
		case jgtK, jgtX:
			pc += branch(a > k, in)
		case jgeK, jgeX:
			pc += branch(a >= k, in)
		case jsetK, jsetX:
			pc += branch(a&k != 0, in)
		case neg:
			a = -a
		case addK, addK | srcX:
			a += k
		case subK, subK | srcX:
			a -= k
		case mulK, mulK | srcX:
			a *= k
		case divK, divK | srcX:
			if k == 0 {
				return KillThread, pc
			}
			a /= k
		case orK, orK | srcX:
			a |= k
		case andK, andK | srcX:
			a &= k
		case xorK, xorK | srcX:
			a ^= k
		case lshK, lshK | srcX:
			a <<= k & 31
		case rshK, rshK | srcX:
			a >>= k & 31
		}
	}
	return KillThread, len(p)
}

func branch(cond bool, in *Insn) int {
	if cond {
		return int(in.JT)
	}
	return int(in.JF)
}

// Stack is the filters of a task, oldest first.
type Stack []Program

// Run runs every filter: the strictest answer wins, among equal ones the newest filter's. It returns the answer, the
// filter that gave it and the instruction.
func (s Stack) Run(d *Data) (a Action, filter, insn int) {
	a, filter = Allow, -1
	for i := len(s) - 1; i >= 0; i-- {
		r, pc := s[i].Run(d)
		if filter < 0 || r.Stricter(a) {
			a, filter, insn = r, i, pc
		}
	}
	return a, filter, insn
}

// EndsThread reports whether a thread of x86_64 may end alone under the filters: exit(2) passes, or kills only who makes it.
func (s Stack) EndsThread() bool {
	const exit = 60
	switch a, _, _ := s.Run(&Data{NR: exit, Arch: syscalls.X8664.Audit()}); a.Kind() {
	case Allow, Log, KillThread:
		return true
	}
	return false
}

// Strict reports whether strict mode lets a call of x86_64 pass: read, write, _exit and rt_sigreturn.
func Strict(name string) bool {
	return name == "read" || name == "write" || name == "exit" || name == "rt_sigreturn"
}

// Raw returns the program as struct sock_filter stands in memory, little-endian.
func (p Program) Raw() []byte {
	b := make([]byte, 0, 8*len(p))
	for _, in := range p {
		b = binary.LittleEndian.AppendUint16(b, in.Code)
		b = append(b, in.JT, in.JF)
		b = binary.LittleEndian.AppendUint32(b, in.K)
	}
	return b
}

// ParseRaw reads what Raw writes; the program is not checked.
func ParseRaw(b []byte) (Program, error) {
	if len(b)%8 != 0 || len(b) > 8*MaxInsns {
		return nil, &CheckError{-1, fmt.Sprintf("%d bytes: a program has 8 bytes an instruction and at most %d of them", len(b), MaxInsns)}
	}
	p := make(Program, len(b)/8)
	for i := range p {
		q := b[8*i:]
		p[i] = Insn{binary.LittleEndian.Uint16(q), q[2], q[3], binary.LittleEndian.Uint32(q[4:])}
	}
	return p, nil
}

// Unfiltered says with which change of the kernel a call passes by every filter and strict mode (seccomp_uprobe_exception): the calls that the
// kernel itself has put into a traced process's code.
func Unfiltered(abi syscalls.ABI, name string) (kernel.Change, bool) {
	switch {
	case abi != syscalls.X8664:
	case name == "uretprobe":
		return kernel.UretprobeUnfiltered, true
	case name == "uprobe":
		return kernel.UprobeUnfiltered, true
	}
	return 0, false
}
