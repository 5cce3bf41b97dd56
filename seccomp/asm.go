package seccomp

import (
	"fmt"
	"strconv"
	"strings"
)

// # Assembly text
//
// An instruction stands on a line, behind its index, which may be left out; ; begins a comment. A jump names the instructions
// to go on with, by index or by a label (`name:`), not the distances that the machine code has. Numbers are written #5 or #0x5.
//
//	ld nr|arch|ip|ip+4|args[N].lo|args[N].hi|[OFFSET]    A = a word of seccomp_data
//	ld #K, ld #len, ld M[N], ldx …                        A (X with ldx) = a number, 64, a word of scratch memory
//	st M[N], stx M[N], tax, txa
//	add sub mul div and or xor lsh rsh #K|x, neg
//	ja TO; jeq jgt jge jset #K|x, TO, ELSE                ELSE left out is the next instruction
//	ret ERRNO(1)|ALLOW|…|#K, ret a
//	code CODE, JT, JF, #K                                 whatever has no other form

// MaxText is the largest program in text form that is read, in bytes.
const MaxText = 1 << 20

var aluNames = map[uint16]string{addK: "add", subK: "sub", mulK: "mul", divK: "div", orK: "or", andK: "and", lshK: "lsh", rshK: "rsh", xorK: "xor"}

var jumpNames = map[uint16]string{jeqK: "jeq", jgtK: "jgt", jgeK: "jge", jsetK: "jset"}

var aluCodes, jumpCodes = swap(aluNames), swap(jumpNames)

func swap(m map[uint16]string) map[string]uint16 {
	out := make(map[string]uint16, len(m))
	for k, v := range m {
		out[v] = k
	}
	return out
}

// words are the names of the words of seccomp_data, in the order in which they lie there.
var words = func() []string {
	list := []string{"nr", "arch", "ip", "ip+4"}
	for i := range 6 {
		list = append(list, fmt.Sprintf("args[%d].lo", i), fmt.Sprintf("args[%d].hi", i))
	}
	return list
}()

// String disassembles the program, an instruction a line, to what Assemble reads.
func (p Program) String() string {
	var b strings.Builder
	for i, in := range p {
		fmt.Fprintf(&b, "%4d: ", i)
		in.write(&b, i)
		b.WriteByte('\n')
	}
	return b.String()
}

// write prints the instruction at an index. Fields that the machine ignores are seen only in the form that keeps every bit.
func (in Insn) write(b *strings.Builder, at int) {
	jumps, hasK := false, true
	var s string
	switch in.Code {
	case ldAbs:
		if s = fmt.Sprintf("ld [%#x]", in.K); in.K < dataSize && in.K&3 == 0 {
			s = "ld " + words[in.K/4]
		}
	case ldImm:
		s = fmt.Sprintf("ld #%#x", in.K)
	case ldxImm:
		s = fmt.Sprintf("ldx #%#x", in.K)
	case ldMem:
		s = fmt.Sprintf("ld M[%d]", in.K)
	case ldxMem:
		s = fmt.Sprintf("ldx M[%d]", in.K)
	case st:
		s = fmt.Sprintf("st M[%d]", in.K)
	case stx:
		s = fmt.Sprintf("stx M[%d]", in.K)
	case retK:
		s = "ret " + Action(in.K).exact()
	case ja:
		s = fmt.Sprintf("ja %d", uint64(at)+1+uint64(in.K))
	case ldLen:
		s, hasK = "ld #len", false
	case ldxLen:
		s, hasK = "ldx #len", false
	case tax:
		s, hasK = "tax", false
	case txa:
		s, hasK = "txa", false
	case neg:
		s, hasK = "neg", false
	case retA:
		s, hasK = "ret a", false
	default:
		op, arg := aluNames[in.Code&^srcX], fmt.Sprintf("#%#x", in.K)
		if op == "" {
			op, jumps = jumpNames[in.Code&^srcX], true
		}
		if in.Code&srcX != 0 {
			arg, hasK = "x", false
		}
		switch {
		case op != "" && jumps:
			s = fmt.Sprintf("%s %s, %d, %d", op, arg, at+1+int(in.JT), at+1+int(in.JF))
		case op != "":
			s = op + " " + arg
		}
	}
	if s == "" || !hasK && in.K != 0 || !jumps && (in.JT != 0 || in.JF != 0) {
		s = fmt.Sprintf("code %#04x, %d, %d, #%#x", in.Code, in.JT, in.JF, in.K)
	}
	b.WriteString(s)
}

// exact prints the action so that no bit is lost.
func (a Action) exact() string {
	name, known := actionNames[a&0xffff0000]
	switch data := uint16(a); {
	case !known:
		return fmt.Sprintf("#%#x ; it acts as KILL_PROCESS", uint32(a))
	case a.Kind() == Errno && data > MaxErrno:
		return fmt.Sprintf("%s(%d) ; the kernel caps it at %d", name, data, MaxErrno)
	case a.Kind() == Errno || data != 0:
		return fmt.Sprintf("%s(%d)", name, data)
	}
	return name
}

// Assemble reads assembly text. The program is not checked; Check does that.
func Assemble(file string, text []byte) (Program, error) {
	p, _, err := assemble(file, text)
	return p, err
}

// assembler reads one line after another.
type assembler struct {
	file   string
	rest   string // of the line
	start  string // the line
	line   int
	prog   Program
	at     []Pos // of each instruction
	labels map[string]int
	jumps  []jump
}

// jump is a target that is known at the end only.
type jump struct {
	insn  int
	field byte // t, f, or k of ja
	to    uint64
	label string
	at    Pos
}

// assemble returns the place of each instruction beside the program.
func assemble(file string, text []byte) (p Program, at []Pos, err error) {
	a := &assembler{file: file, labels: map[string]int{}}
	defer func() {
		if e, ok := recover().(*ParseError); ok {
			p, at, err = nil, nil, e
		} else if e != nil {
			panic(e)
		}
	}()
	if len(text) > MaxText {
		return nil, nil, &ParseError{file, Pos{1, 1}, fmt.Sprintf("the program has %d bytes, at most %d are read", len(text), MaxText)}
	}
	for line := range strings.Lines(string(text)) {
		a.line++
		line, _, _ = strings.Cut(line, ";")
		a.start, a.rest = line, line
		a.statement()
	}
	for _, j := range a.jumps {
		a.resolve(j)
	}
	return a.prog, a.at, nil
}

func (a *assembler) pos() Pos { return Pos{a.line, len(a.start) - len(a.rest) + 1} }

func (a *assembler) fail(format string, args ...any) { a.failAt(a.pos(), format, args...) }

func (a *assembler) failAt(at Pos, format string, args ...any) {
	panic(&ParseError{a.file, at, fmt.Sprintf(format, args...)})
}

func (a *assembler) space() { a.rest = strings.TrimLeft(a.rest, " \t\r\n") }

// accept takes a mark, if it is next.
func (a *assembler) accept(mark string) bool {
	a.space()
	rest, ok := strings.CutPrefix(a.rest, mark)
	a.rest = rest
	return ok
}

func (a *assembler) need(mark string) {
	if !a.accept(mark) {
		a.fail("%q is expected%s", mark, a.instead())
	}
}

// instead names what stands here, for an error.
func (a *assembler) instead() string {
	if a.space(); a.rest == "" {
		return ", the line ends"
	}
	return fmt.Sprintf(", not %q", a.peek())
}

// peek returns the next word without taking it, at most its first 32 bytes; a single mark, if there is none.
func (a *assembler) peek() string {
	a.space()
	n := 0
	for n < len(a.rest) && isWord(a.rest[n]) {
		n++
	}
	if n == 0 && a.rest != "" {
		n = len(string([]rune(a.rest[:min(4, len(a.rest))])[:1]))
	}
	return a.rest[:min(n, 32, len(a.rest))]
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// word takes a name or a number.
func (a *assembler) word() string {
	a.space()
	n := 0
	for n < len(a.rest) && isWord(a.rest[n]) {
		n++
	}
	w := a.rest[:n]
	a.rest = a.rest[n:]
	return w
}

// statement reads a line: an index, labels, an instruction.
func (a *assembler) statement() {
	for {
		a.space()
		if a.rest == "" {
			return
		}
		at := a.pos()
		w := a.word()
		if w == "" {
			a.fail("an instruction is expected, not %q", a.peek())
		}
		if !a.accept(":") {
			a.instruction(w, at)
			if a.space(); a.rest != "" {
				a.fail("the instruction has ended%s", a.instead())
			}
			return
		}
		if w[0] >= '0' && w[0] <= '9' {
			if n := a.parse(w, at, 32); n != uint64(len(a.prog)) {
				a.failAt(at, "this is instruction %d, not %s", len(a.prog), w)
			}
			continue
		}
		if _, twice := a.labels[w]; twice {
			a.failAt(at, "the label %.32s stands here for the second time", w)
		}
		a.labels[w] = len(a.prog)
	}
}

// parse turns a word into a number.
func (a *assembler) parse(w string, at Pos, bits int) uint64 {
	base := 10
	if h, ok := strings.CutPrefix(strings.ToLower(w), "0x"); ok {
		w, base = h, 16
	}
	n, err := strconv.ParseUint(w, base, 64)
	if err != nil || n>>bits != 0 {
		a.failAt(at, "a number of 0 to %d is expected", uint64(1)<<bits-1)
	}
	return n
}

// number takes a number.
func (a *assembler) number(bits int) uint64 {
	a.space()
	at := a.pos()
	return a.parse(a.word(), at, bits)
}

// constant takes #K.
func (a *assembler) constant() uint32 {
	a.need("#")
	return uint32(a.number(32))
}

// index takes [N].
func (a *assembler) index() uint32 {
	a.need("[")
	n := uint32(a.number(32))
	a.need("]")
	return n
}

// target takes where a jump goes.
func (a *assembler) target(field byte) {
	a.space()
	j := jump{insn: len(a.prog), field: field, at: a.pos()}
	switch w := a.word(); {
	case w == "":
		a.fail("the index of an instruction or a label is expected%s", a.instead())
	case w[0] >= '0' && w[0] <= '9':
		j.to = a.parse(w, j.at, 33)
	default:
		j.label = w
	}
	a.jumps = append(a.jumps, j)
}

// resolve turns a target into a distance.
func (a *assembler) resolve(j jump) {
	if j.label != "" {
		n, ok := a.labels[j.label]
		if !ok {
			a.failAt(j.at, "there is no label %.32s", j.label)
		}
		j.to = uint64(n)
	}
	next := uint64(j.insn) + 1
	if j.to < next {
		a.failAt(j.at, "a jump goes forward only: from instruction %d it cannot go to %d", j.insn, j.to)
	}
	in := &a.prog[j.insn]
	d := j.to - next
	if most := uint64(1<<8 - 1); j.field != 'k' && d > most {
		a.failAt(j.at, "a conditional jump passes over %d instructions at most, not %d", most, d)
	} else if d>>32 != 0 {
		a.failAt(j.at, "a jump passes over %d instructions at most, not %d", uint64(1)<<32-1, d)
	}
	switch j.field {
	case 't':
		in.JT = uint8(d)
	case 'f':
		in.JF = uint8(d)
	default:
		in.K = uint32(d)
	}
}

// instruction reads the instruction behind its name.
func (a *assembler) instruction(name string, at Pos) {
	if len(a.prog) == MaxInsns {
		a.failAt(at, "the program has more than %d instructions", MaxInsns)
	}
	var in Insn
	low := strings.ToLower(name)
	switch low {
	case "ld", "ldx":
		in = a.load(low == "ldx")
	case "st", "stx":
		in.Code = map[string]uint16{"st": st, "stx": stx}[low]
		a.memory()
		in.K = a.index()
	case "tax", "txa", "neg":
		in.Code = map[string]uint16{"tax": tax, "txa": txa, "neg": neg}[low]
	case "ja":
		in.Code = ja
		a.target('k')
	case "ret":
		in = a.ret()
	case "code":
		in.Code = uint16(a.number(16))
		a.need(",")
		in.JT = uint8(a.number(8))
		a.need(",")
		in.JF = uint8(a.number(8))
		a.need(",")
		in.K = a.constant()
	default:
		code, jumps := jumpCodes[low]
		if !jumps {
			var ok bool
			if code, ok = aluCodes[low]; !ok {
				a.failAt(at, "unknown instruction %.32q%s", name, suggest(low, mnemonics))
			}
		}
		if w := a.peek(); w == "x" || w == "X" {
			a.word()
			in.Code = code | srcX
		} else {
			in.Code, in.K = code, a.constant()
		}
		if jumps {
			a.need(",")
			a.target('t')
			if a.accept(",") {
				a.target('f')
			}
		}
	}
	a.prog, a.at = append(a.prog, in), append(a.at, at)
}

var mnemonics = func() []string {
	list := []string{"ld", "ldx", "st", "stx", "tax", "txa", "neg", "ja", "ret", "code"}
	for _, m := range []map[string]uint16{aluCodes, jumpCodes} {
		for name := range m {
			list = append(list, name)
		}
	}
	return list
}()

// memory takes the M of M[N].
func (a *assembler) memory() {
	if w := a.peek(); w != "M" && w != "m" {
		a.fail("a word of scratch memory, M[N], is expected%s", a.instead())
	}
	a.word()
}

// load reads what ld or ldx loads.
func (a *assembler) load(x bool) Insn {
	pick := func(a, x uint16) uint16 { return a }
	if x {
		pick = func(a, x uint16) uint16 { return x }
	}
	if a.accept("#") {
		if a.peek() == "len" {
			a.word()
			return Insn{Code: pick(ldLen, ldxLen)}
		}
		return Insn{Code: pick(ldImm, ldxImm), K: uint32(a.number(32))}
	}
	if w := a.peek(); w == "M" || w == "m" {
		a.word()
		return Insn{Code: pick(ldMem, ldxMem), K: a.index()}
	}
	if x {
		a.fail("ldx takes #K, #len or M[N]%s", a.instead())
	}
	if a.peek() == "[" {
		return Insn{Code: ldAbs, K: a.index()}
	}
	at := a.pos()
	word := a.word()
	switch {
	case word == "ip" && a.accept("+"):
		if n := a.word(); n != "4" {
			a.failAt(at, "ip and ip+4 are its two words")
		}
		word = "ip+4"
	case word == "args":
		n := a.index()
		a.need(".")
		word = fmt.Sprintf("args[%d].%.2s", n, a.word())
	}
	for i, name := range words {
		if name == word {
			return Insn{Code: ldAbs, K: uint32(4 * i)}
		}
	}
	a.failAt(at, "ld takes nr, arch, ip, ip+4, args[0].lo to args[5].hi, [OFFSET], #K, #len or M[N]")
	return Insn{}
}

// ret reads what ret answers.
func (a *assembler) ret() Insn {
	if a.accept("#") {
		return Insn{Code: retK, K: uint32(a.number(32))}
	}
	at := a.pos()
	name := a.word()
	if name == "a" || name == "A" {
		return Insn{Code: retA}
	}
	for action, n := range actionNames {
		if n != strings.ToUpper(name) {
			continue
		}
		k := uint32(action)
		if a.accept("(") {
			k |= uint32(a.number(16))
			a.need(")")
		}
		return Insn{Code: retK, K: k}
	}
	var known []string
	for _, n := range actionNames {
		known = append(known, n)
	}
	a.failAt(at, "ret takes an action, #K or a%s", suggest(strings.ToUpper(name), known))
	return Insn{}
}
