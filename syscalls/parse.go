package syscalls

import (
	"fmt"
	"strconv"
	"strings"

	"syscallstory/story"
)

// MaxLen is the longest call that is read, in bytes.
const MaxLen = 64 << 10

// ParseError is a call that cannot be read: where, why, and what may have been meant.
type ParseError struct {
	Input   string
	Col     int // counted from 1, in bytes
	Msg     string
	Nearest []string
}

// Error prints the error as one line.
func (e *ParseError) Error() string {
	in := e.Input
	if len(in) > 120 {
		in = in[:120] + "…"
	}
	s := fmt.Sprintf("call %q, column %d: %s", in, e.Col, e.Msg)
	if len(e.Nearest) > 0 {
		s += "; did you mean " + strings.Join(e.Nearest, " or ") + "?"
	}
	return s
}

// Result is what a line of strace says of the call's end.
type Result struct {
	Known bool
	Ret   int64
	Errno story.Errno
}

// Parse reads one call in strace's notation.
func Parse(abi ABI, s string) (*Call, error) {
	c, _, err := ParseLine(abi, s)
	return c, err
}

// ParseLine reads one call with what strace prints around it: the pid, a time, the result.
func ParseLine(abi ABI, s string) (*Call, Result, error) {
	p := &parser{in: s, abi: abi}
	if len(s) > MaxLen {
		return nil, Result{}, &ParseError{Input: s[:40], Col: MaxLen, Msg: fmt.Sprintf("a call has at most %d bytes", MaxLen)}
	}
	var c *Call
	var r Result
	err := p.run(func() { p.prefix(); c = p.call(); r = p.result() })
	if err != nil {
		return nil, Result{}, err
	}
	return c, r, nil
}

type parser struct {
	in  string
	pos int
	abi ABI
}

// run turns a failure deep in the descent into an error.
func (p *parser) run(f func()) (err error) {
	defer func() {
		if e, ok := recover().(*ParseError); ok {
			err = e
		} else if e != nil {
			panic(e)
		}
	}()
	f()
	return nil
}

func (p *parser) fail(at int, nearest []string, format string, args ...any) {
	panic(&ParseError{Input: p.in, Col: at + 1, Msg: fmt.Sprintf(format, args...), Nearest: nearest})
}

func (p *parser) rest() string { return p.in[p.pos:] }

// space passes over blanks and the remarks that strace writes between /* and */.
func (p *parser) space() {
	for {
		for p.pos < len(p.in) && (p.in[p.pos] == ' ' || p.in[p.pos] == '\t') {
			p.pos++
		}
		end := strings.Index(p.rest(), "*/")
		if !strings.HasPrefix(p.rest(), "/*") || end < 0 {
			return
		}
		p.pos += end + 2
	}
}
func (p *parser) peek() byte {
	if p.pos < len(p.in) {
		return p.in[p.pos]
	}
	return 0
}
func (p *parser) accept(s string) bool {
	if strings.HasPrefix(p.rest(), s) {
		p.pos += len(s)
		return true
	}
	return false
}

// word reads while ok holds.
func (p *parser) word(ok func(byte) bool) string {
	start := p.pos
	for p.pos < len(p.in) && ok(p.in[p.pos]) {
		p.pos++
	}
	return p.in[start:p.pos]
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
func isName(b byte) bool {
	return b == '_' || isDigit(b) || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// prefix skips what strace -f and -t print before a call.
func (p *parser) prefix() {
	p.space()
	if p.accept("[pid") {
		p.space()
		p.word(isDigit)
		if !p.accept("]") {
			p.fail(p.pos, nil, "[pid …] is not closed")
		}
		p.space()
	}
	for isDigit(p.peek()) {
		p.word(func(b byte) bool { return isDigit(b) || b == ':' || b == '.' })
		if p.peek() != ' ' {
			p.fail(p.pos, nil, "a call begins with its name")
		}
		p.space()
	}
}

// aliases are names of the C library for which the kernel has another.
var aliases = map[string]string{"fstatat": "newfstatat", "fstatat64": "newfstatat", "stat64": "stat", "lstat64": "lstat", "fstat64": "fstat", "umount": "umount2"}

func (p *parser) call() *Call {
	start := p.pos
	name := p.word(isName)
	if name == "" {
		p.fail(start, nil, "a call begins with its name, as in openat(AT_FDCWD, \"/x\", O_RDONLY)")
	}
	c := &Call{ABI: p.abi, Name: name}
	nr, ok := Lookup(p.abi, name)
	if alias := aliases[name]; !ok && alias != "" {
		if n, has := Lookup(p.abi, alias); has {
			c.Name, nr, ok = alias, n, true
		}
	}
	if !ok {
		if Exists(name) {
			p.fail(start, nil, "%s does not exist on %v", name, p.abi)
		}
		p.fail(start, Nearest(name), "unknown syscall %s", name)
	}
	c.Nr = nr
	if !p.accept("(") {
		p.fail(p.pos, nil, "expected ( behind %s", name)
	}
	sig := signature(c.Name)
	c.Typed = sig != nil
	for i := 0; ; i++ {
		p.space()
		if p.peek() == ')' && (i == 0 || c.Typed) {
			break
		}
		kind := Int
		switch {
		case c.Typed && i >= len(sig):
			p.fail(p.pos, nil, "%s takes %d arguments", c.Name, len(sig))
		case c.Typed:
			kind = sig[i] &^ optional
		case i >= 6:
			p.fail(p.pos, nil, "a call has at most 6 arguments")
		}
		if p.accept("<unfinished") {
			p.fail(p.pos, nil, "the call is unfinished: its other half is on a later line")
		}
		a := p.arg(kind, c.Typed)
		c.Args = append(c.Args, a)
		p.space()
		if p.peek() == ')' {
			break
		}
		if !p.accept(",") {
			if p.pos >= len(p.in) {
				p.fail(p.pos, nil, "the call is not closed with )")
			}
			p.fail(p.pos, nil, "expected , or ) behind an argument")
		}
	}
	end := p.pos
	p.pos++
	for i := len(c.Args); i < len(sig); i++ {
		if sig[i]&optional == 0 {
			p.fail(end, nil, "%s takes %d arguments, %d are given", c.Name, len(sig), len(c.Args))
		}
		c.Args = append(c.Args, Arg{Kind: sig[i] &^ optional, Absent: true})
	}
	p.openMode(c, end)
	return c
}

// openMode settles the mode that may be left out: open needs one where it creates a file.
func (p *parser) openMode(c *Call, end int) {
	for i := range c.Args {
		a := &c.Args[i]
		if !a.Absent {
			continue
		}
		switch {
		case a.Kind == Mode && i > 0 && c.Args[i-1].Kind == Open:
			if c.Args[i-1].Val&(0o100|0o20000000) != 0 {
				p.fail(end, nil, "O_CREAT and O_TMPFILE need a mode behind the flags")
			}
		case a.Kind == Int && c.Name == "openat2":
			*a = Arg{Kind: Int, Val: 24}
		case a.Kind == At:
			*a = Arg{Kind: At}
		case a.Kind == Int && strings.HasPrefix(c.Name, "mknod"):
			if typ := c.Args[i-1].Val & 0o170000; typ == 0o020000 || typ == 0o060000 {
				p.fail(end, nil, "a device needs its number behind the mode, as makedev(1, 3)")
			}
		case a.Kind == Statx:
			*a = Arg{Kind: Statx, Val: 0x7ff}
		}
	}
}

// arg reads one argument.
func (p *parser) arg(kind Kind, typed bool) Arg {
	a := Arg{Kind: kind}
	start := p.pos
	switch {
	case p.peek() == '"':
		a.Str, a.Val = p.quoted(), 1
		if p.accept("...") && typed && kind != Out && kind != Pointer {
			p.fail(start, nil, "the string is cut off (strace -s prints longer ones)")
		}
		switch {
		case !typed:
			a.Kind = Text
		case kind == Out || kind == Pointer:
			a.Str = p.in[start:p.pos]
		case kind != Path && kind != Text:
			p.fail(start, nil, "a number is expected here, not a string")
		}
		return a
	case p.peek() == '{' && kind == How:
		return p.how()
	case p.peek() == '[' && kind == Times:
		return p.times()
	case p.peek() == '{' || p.peek() == '[' || strings.HasPrefix(p.rest(), "~["):
		if typed && kind != Out && kind != Pointer {
			p.fail(start, nil, "a structure is not expected here")
		}
		p.accept("~") // the complement of a signal set
		p.balanced()
		return Arg{Kind: Pointer, Val: 1, Str: p.in[start:p.pos]}
	case p.accept("NULL"):
		a.Fault = true
		if !typed {
			a.Kind = Pointer
		}
		return a
	}
	switch kind {
	case Path, Text, How, Out, Pointer, Times:
		a.Val, a.Fault = p.number(start), true
		if kind == Path || kind == Text {
			if !strings.HasPrefix(p.in[start:], "0x") {
				p.fail(start, nil, "a path is written in quotes, an address as 0x…")
			}
		}
		if a.Val == 1 && (kind == Path || kind == Text || kind == How) {
			a.Val = 2 // 1 stands for an address that is not known
		}
		return a
	case FD, Int:
		if kind == Int && !typed {
			if sym := p.symbols(); sym != "" {
				return Arg{Kind: Pointer, Val: 1, Str: sym}
			}
		}
		a.Val = p.scalar(start)
		if kind == FD {
			a.Val = uint64(int64(int32(a.Val)))
		}
		if (kind == FD || !typed) && p.accept("<") {
			a.Kind, a.FDPath = FD, p.until('>')
		}
		return a
	}
	a.Val = p.setOf(kindSets[kind])
	return a
}

// symbols reads constants of a call whose arguments have no types here, PROT_READ|PROT_WRITE: what they stand for is not
// known. It leaves numbers, and the constants that are known, to scalar.
func (p *parser) symbols() string {
	start := p.pos
	depth := 0
	for p.pos < len(p.in) {
		switch ch := p.in[p.pos]; {
		case ch == '(':
			depth++
		case ch == ')' && depth > 0:
			depth--
		case ch == ')', ch == ',' && depth == 0:
			ch = 0
			fallthrough
		case !isName(ch) && !strings.ContainsRune("|&<>*+-=. x(),", rune(ch)):
			sym := strings.TrimSpace(p.in[start:p.pos])
			known := sym == "" || isDigit(sym[0]) || sym[0] == '-'
			for _, f := range constants {
				known = known || f.name == sym
			}
			if p.pos = start + len(sym); known || depth != 0 || p.in[p.pos] != ',' && p.in[p.pos] != ')' && p.in[p.pos] != ' ' {
				p.pos = start
				return ""
			}
			p.space()
			return sym
		}
		p.pos++
	}
	p.pos = start
	return ""
}

// scalar reads a number, with its sign, or a constant.
func (p *parser) scalar(start int) uint64 {
	if p.accept("-") {
		return -p.number(start)
	}
	if isDigit(p.peek()) {
		v := p.number(start)
		for p.accept("|") {
			v |= p.number(p.pos)
		}
		return v
	}
	name := p.word(isName)
	for _, f := range constants {
		if f.name == name {
			return f.val
		}
	}
	if name == "makedev" && p.accept("(") {
		major := p.number(p.pos)
		p.space()
		p.accept(",")
		p.space()
		minor := p.number(p.pos)
		if !p.accept(")") {
			p.fail(start, nil, "makedev takes a major and a minor number")
		}
		return minor&0xff | major&0xfff<<8 | minor&^0xff<<12 | major&^0xfff<<32
	}
	if name == "" {
		p.fail(start, nil, "a number is expected here")
	}
	var names []string
	for _, f := range constants {
		names = append(names, f.name)
	}
	p.fail(start, Near(name, names), "unknown name %s: write its number", name)
	return 0
}

// number reads decimal, 0octal or 0xhex.
func (p *parser) number(start int) uint64 {
	w := p.word(isName)
	base := 10
	digits := w
	switch {
	case strings.HasPrefix(w, "0x") || strings.HasPrefix(w, "0X"):
		base, digits = 16, w[2:]
	case len(w) > 1 && w[0] == '0':
		base = 8
	}
	v, err := strconv.ParseUint(digits, base, 64)
	if err != nil || strings.Contains(digits, "_") {
		p.fail(start, nil, "%q is not a number", w)
	}
	return v
}

// quoted reads a string in C's notation.
func (p *parser) quoted() string {
	p.pos++
	return p.until('"')
}

// until reads to an end that is not escaped, resolving escapes.
func (p *parser) until(end byte) string {
	start := p.pos
	var b strings.Builder
	for p.pos < len(p.in) {
		ch := p.in[p.pos]
		p.pos++
		if ch == end {
			return b.String()
		}
		if ch != '\\' {
			b.WriteByte(ch)
			continue
		}
		switch e := p.peek(); {
		case e >= '0' && e <= '7':
			n := 0
			for i := 0; i < 3 && p.peek() >= '0' && p.peek() <= '7'; i++ {
				n = n<<3 | int(p.peek()-'0')
				p.pos++
			}
			if n > 255 {
				p.fail(p.pos-4, nil, "an octal escape is at most \\377")
			}
			b.WriteByte(byte(n))
		case e == 'x':
			p.pos++
			h := p.rest()[:min(2, len(p.rest()))]
			n, err := strconv.ParseUint(h, 16, 8)
			if err != nil || len(h) != 2 {
				p.fail(p.pos, nil, "\\x is followed by two hexadecimal digits")
			}
			p.pos += 2
			b.WriteByte(byte(n))
		default:
			i := strings.IndexByte(`nrtvfab\"'>`, e)
			if i < 0 || e == 0 {
				p.fail(p.pos-1, nil, "unknown escape")
			}
			b.WriteByte("\n\r\t\v\f\a\b\\\"'>"[i])
			p.pos++
		}
	}
	p.fail(start-1, nil, "the string is not closed with %c", end)
	return ""
}

// balanced skips a structure or array.
func (p *parser) balanced() {
	start, depth := p.pos, 0
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		case '"':
			p.quoted()
			continue
		}
		p.pos++
		if depth == 0 {
			return
		}
	}
	p.fail(start, nil, "the structure is not closed")
}

// times reads utimensat's array: structures, of which the nanoseconds count, or UTIME_NOW and UTIME_OMIT.
func (p *parser) times() Arg {
	start := p.pos
	a := Arg{Kind: Times, Val: 1}
	p.pos++
	for i := range 2 {
		p.space()
		if i > 0 && !p.accept(",") {
			p.fail(p.pos, nil, "utimensat takes two times")
		}
		p.space()
		if p.accept("{") {
			p.field("tv_sec")
			p.space()
			if !p.accept(",") {
				p.fail(p.pos, nil, "a time has seconds and nanoseconds")
			}
			a.How[i] = p.field("tv_nsec")
			p.space()
			if !p.accept("}") {
				p.fail(p.pos, nil, "the time is not closed with }")
			}
			continue
		}
		a.How[i] = p.scalar(p.pos)
	}
	p.space()
	if !p.accept("]") {
		p.fail(p.pos, nil, "the times are not closed with ]")
	}
	a.Str = p.in[start:p.pos]
	return a
}

// field reads a number with or without its name.
func (p *parser) field(name string) uint64 {
	p.space()
	p.accept(name + "=")
	return p.scalar(p.pos)
}

// how reads openat2's structure.
func (p *parser) how() Arg {
	a := Arg{Kind: How, Val: 1}
	p.pos++
	for i := 0; ; i++ {
		p.space()
		if p.accept("}") {
			return a
		}
		if i > 0 {
			if !p.accept(",") {
				p.fail(p.pos, nil, "expected , or } in the structure")
			}
			p.space()
		}
		start := p.pos
		field := p.word(isName)
		if !p.accept("=") {
			p.fail(p.pos, nil, "expected field=value")
		}
		switch field {
		case "flags":
			a.How[0] = p.arg(Open, true).Val
		case "mode":
			a.How[1] = p.arg(Mode, true).Val
		case "resolve":
			a.How[2] = p.setOf(resolveFlags)
		default:
			p.fail(start, Near(field, []string{"flags", "mode", "resolve"}), "openat2's structure has no field %s", field)
		}
	}
}

// setOf reads names of one set and numbers, joined by |.
func (p *parser) setOf(set *flagSet) uint64 {
	v := uint64(0)
	for {
		p.space()
		at := p.pos
		if isDigit(p.peek()) {
			n := p.number(at)
			if set == openFlags && p.abi == ARM64 {
				n = permute(n, false)
			}
			v |= n
		} else {
			name := p.word(isName)
			f, ok := set.value(name)
			switch {
			case name == "":
				p.fail(at, nil, "a flag or a number is expected here")
			case !ok:
				p.fail(at, set.nearest(name), "unknown flag %s", name)
			}
			v |= f
		}
		p.space()
		if !p.accept("|") {
			return v
		}
	}
}

// result reads what strace prints behind a call.
func (p *parser) result() Result {
	p.space()
	if p.pos >= len(p.in) {
		return Result{}
	}
	if !p.accept("=") {
		p.fail(p.pos, nil, "nothing is expected behind the call but = and its result")
	}
	p.space()
	start := p.pos
	if p.accept("?") {
		return Result{}
	}
	r := Result{Known: true}
	neg := p.accept("-")
	v := p.number(start)
	r.Ret = int64(v)
	if neg {
		r.Ret = -r.Ret
		p.space()
		name := p.word(isName)
		e, ok := story.ParseErrno(name)
		if !ok && name != "" && !strings.HasPrefix(name, "ERESTART") {
			p.fail(start, nil, "unknown errno %s", name)
		}
		r.Errno = e
	}
	return r
}
