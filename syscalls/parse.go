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
	PID   int // of the task that has made the call, where strace has told it
	Known bool
	Ret   int64
	Errno story.Errno
}

// Made is a call with what is known of who has made it and how it has ended.
type Made struct {
	*Call
	Result
}

// Returned is what the call is known to have returned, -1 where that is not known.
func (m *Made) Returned() int64 {
	if m.Known {
		return m.Ret
	}
	return -1
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
	err := p.run(func() {
		pid := p.prefix()
		c = p.call()
		if r = p.result(); c.Name == "rt_sigreturn" { // it leaves the result of what the signal has interrupted
			r = Result{}
		}
		r.PID = pid
	})
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
func (p *parser) prefix() (pid int) {
	p.space()
	if p.accept("[pid") {
		p.space()
		pid, _ = strconv.Atoi(p.word(isDigit))
		if !p.accept("]") {
			p.fail(p.pos, nil, "[pid …] is not closed")
		}
		p.space()
	}
	for isDigit(p.peek()) {
		word := p.word(func(b byte) bool { return isDigit(b) || b == ':' || b == '.' })
		if p.peek() != ' ' {
			p.fail(p.pos, nil, "a call begins with its name")
		}
		if n, err := strconv.Atoi(word); err == nil && pid == 0 { // times have a point or a colon
			pid = n
		}
		p.space()
	}
	return pid
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
		if k, named := p.named(c, i); named {
			c.Args[k] = p.arg(sig[k]&^optional, true)
		} else {
			typed := c.Typed
			if c.Name == "ioctl" && i == 2 && !attributeIoctl(&c.Args[1]) {
				kind, typed = Int, false
			}
			c.Args = append(c.Args, p.arg(kind, typed))
		}
		p.space()
		if p.accept("=> ") { // what the kernel has written to the structure
			p.balanced()
			p.space()
		}
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
		case a.Kind == Int && c.Name == "clone3":
			*a = Arg{Kind: Int, Val: 88}
		case a.Kind == Int && i > 0 && (c.Args[i-1].Kind == sockaddr || c.Args[i-1].Kind == kinds["optval"]):
			*a = Arg{Kind: Int, Val: c.Args[i-1].length()}
		case a.Kind == Pointer && argNames[c.Name] != nil && written(c.Args[i:]):
			*a = Arg{Kind: Pointer, Fault: true}
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
