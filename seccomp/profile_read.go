package seccomp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// Parse reads a profile.
func Parse(file string, text []byte) (p *Profile, err error) {
	r := &reader{file: file, text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	r.dec.UseNumber()
	defer func() {
		if e, ok := recover().(*ParseError); ok {
			p, err = nil, e
		} else if e != nil {
			panic(e)
		}
	}()
	if len(text) > MaxProfile {
		r.fail("the profile has %d bytes, at most %d are read", len(text), MaxProfile)
	}
	p = &Profile{File: file}
	seen := false
	errno := -1
	r.object("profile", map[string]func(){
		"defaultAction":    func() { p.At = r.pos(); p.Default = r.action(); seen = true },
		"defaultErrnoRet":  func() { errno = r.errno() },
		"defaultErrno":     func() { r.errnoName(&errno) },
		"archMap":          func() { r.array(func() { p.Arches = append(p.Arches, r.archMap()) }) },
		"architectures":    func() { p.Arches = append(p.Arches, r.architectures()...) },
		"syscalls":         func() { r.array(func() { p.Rules = append(p.Rules, r.rule(p)) }) },
		"flags":            func() { r.array(func() { p.Log = r.flag() || p.Log }) },
		"listenerPath":     func() { p.Listener = r.str() != "" },
		"listenerMetadata": r.skip,
		"comment":          r.skip,
	})
	if _, e := r.dec.Token(); e != io.EOF {
		r.fail("something follows the profile")
	}
	if !seen {
		r.at = 0
		r.fail("the profile has no defaultAction")
	}
	p.Default = withErrno(p.Default, errno)
	return p, nil
}

// withErrno puts the errno into an action that carries one; EPERM where the profile names none.
func withErrno(a Action, errno int) Action {
	if k := a.Kind(); k != Errno && k != Trace {
		return a
	}
	if errno < 0 {
		errno = 1
	}
	return a.Kind() | Action(errno&0xffff)
}

// reader walks the tokens of a JSON text and knows where it stands.
type reader struct {
	file string
	text []byte
	dec  *json.Decoder
	at   int64 // where the last token began
	line int   // lines before lineAt, counted as the reader goes on
	lpos int64
	lbeg int64
}

func (r *reader) fail(format string, args ...any) {
	panic(&ParseError{r.file, r.pos(), fmt.Sprintf(format, args...)})
}

// pos returns the place of the last token.
func (r *reader) pos() Pos {
	if r.at < r.lpos {
		r.line, r.lpos, r.lbeg = 0, 0, 0
	}
	for ; r.lpos < r.at; r.lpos++ {
		if r.text[r.lpos] == '\n' {
			r.line++
			r.lbeg = r.lpos + 1
		}
	}
	return Pos{r.line + 1, int(r.at-r.lbeg) + 1}
}

// token reads the next token and remembers where it began.
func (r *reader) token() json.Token {
	r.at = r.dec.InputOffset()
	for r.at < int64(len(r.text)) && strings.IndexByte(" \t\r\n:,", r.text[r.at]) >= 0 {
		r.at++
	}
	t, err := r.dec.Token()
	if err != nil {
		msg := strings.TrimPrefix(err.Error(), "json: ")
		if s, ok := err.(*json.SyntaxError); ok {
			r.at = max(s.Offset-1, 0)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			r.at, msg = int64(len(r.text)), "the profile ends too early"
		}
		r.fail("%s", msg)
	}
	return t
}

func (r *reader) object(what string, fields map[string]func()) {
	switch t := r.token(); t {
	case json.Delim('{'):
	case nil:
		return
	default:
		r.fail("%s: an object is expected", what)
	}
	for r.dec.More() {
		name, _ := r.token().(string)
		f := fields[name]
		if f == nil {
			var known []string
			for k := range fields {
				known = append(known, k)
			}
			r.fail("unknown field %q in %s%s", name, what, suggest(name, known))
		}
		f()
	}
	r.token()
}

func suggest(word string, known []string) string {
	slices.Sort(known)
	if near := syscalls.Near(word, known); len(near) > 0 {
		return "; did you mean " + strings.Join(near[:1], "") + "?"
	}
	return ""
}

func (r *reader) array(item func()) {
	switch t := r.token(); t {
	case json.Delim('['):
	case nil:
		return
	default:
		r.fail("an array is expected")
	}
	for r.dec.More() {
		item()
	}
	r.token()
}

func (r *reader) skip() {
	depth := 0
	for {
		switch t := r.token(); t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > 64 {
				r.fail("nested too deeply")
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return
		}
	}
}

func (r *reader) str() string {
	s, ok := r.token().(string)
	if !ok {
		r.fail("a string is expected")
	}
	return s
}

func (r *reader) uint(bits int) uint64 {
	n, ok := r.token().(json.Number)
	if !ok {
		r.fail("a number is expected")
	}
	v, err := strconv.ParseUint(string(n), 10, bits)
	if err != nil {
		r.fail("%s is not a number of 0 to %d", n, uint64(1)<<bits-1)
	}
	return v
}

// flags are those of seccomp(2) that a profile can ask for; the value says whether it is FLAG_LOG.
var flags = map[string]bool{"SECCOMP_FILTER_FLAG_TSYNC": false, "SECCOMP_FILTER_FLAG_LOG": true, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": false, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": false}

// flag reads one and reports whether it asks for records.
func (r *reader) flag() bool {
	name := r.str()
	log, ok := flags[name]
	if !ok {
		r.fail("unknown flag %q%s", name, suggest(name, slices.Collect(maps.Keys(flags))))
	}
	return log
}

func (r *reader) errno() int { return int(r.uint(16)) }

// errnoName reads an errno's name, as containers/common writes it beside the number.
func (r *reader) errnoName(into *int) {
	name := r.str()
	e, ok := story.ParseErrno(name)
	switch {
	case name == "":
	case !ok:
		r.fail("unknown errno %q", name)
	case *into < 0:
		*into = int(e)
	}
}

func (r *reader) action() Action {
	name := r.str()
	a, ok := profileActions[name]
	if !ok {
		var known []string
		for k := range profileActions {
			known = append(known, k)
		}
		r.fail("unknown action %q%s", name, suggest(name, known))
	}
	return a
}

func (r *reader) archMap() ArchMap {
	var m ArchMap
	r.object("archMap", map[string]func(){
		"architecture":     func() { m.Arch = r.arch() },
		"subArchitectures": func() { r.array(func() { m.Sub = append(m.Sub, r.arch()) }) },
	})
	return m
}

// architectures reads the OCI list: every one of them is judged.
func (r *reader) architectures() []ArchMap {
	var all []string
	r.array(func() { all = append(all, r.arch()) })
	var maps []ArchMap
	for _, a := range all {
		maps = append(maps, ArchMap{Arch: a, Sub: all})
	}
	return maps
}

func (r *reader) arch() string {
	s := r.str()
	if !strings.HasPrefix(s, "SCMP_ARCH_") {
		r.fail("unknown architecture %q: names begin with SCMP_ARCH_", s)
	}
	return s
}

// maxSuggestions bounds the unknown names for which a known one is looked for.
const maxSuggestions = 100

func (r *reader) rule(p *Profile) Rule {
	var rule Rule
	errno := -1
	name := func() {
		n := r.str()
		rule.Names, rule.NamesAt = append(rule.Names, n), append(rule.NamesAt, r.pos())
		if !syscalls.Exists(n) && !otherCalls[n] {
			near := ""
			if len(p.Warnings) < maxSuggestions {
				near = suggest(n, syscalls.Nearest(n))
			}
			p.Warnings = append(p.Warnings, Warning{r.pos(), fmt.Sprintf("unknown syscall %q%s", n, near)})
		}
	}
	first := true
	r.object("a rule of syscalls", map[string]func(){
		"names": func() { r.array(name) }, "name": name,
		"action":   func() { rule.Action = r.action(); rule.At = r.pos(); first = false },
		"errnoRet": func() { errno = r.errno() },
		"errno":    func() { r.errnoName(&errno) },
		"args":     func() { r.array(func() { rule.Args = append(rule.Args, r.arg()) }) },
		"includes": func() { rule.Includes = r.filter("includes") },
		"excludes": func() { rule.Excludes = r.filter("excludes") },
		"comment":  r.skip,
	})
	if first {
		r.fail("a rule has no action")
	}
	if len(rule.Names) == 0 {
		r.fail("a rule names no syscall")
	}
	rule.Action = withErrno(rule.Action, errno)
	return rule
}

func (r *reader) arg() Arg {
	var a Arg
	r.object("args", map[string]func(){
		"index":    func() { a.Index = uint8(r.uint(8)) },
		"value":    func() { a.Value = r.uint(64) },
		"valueTwo": func() { a.ValueTwo = r.uint(64) },
		"op": func() {
			name := r.str()
			op, ok := ops[name]
			if !ok {
				var known []string
				for k := range ops {
					known = append(known, k)
				}
				r.fail("unknown operator %q%s", name, suggest(name, known))
			}
			a.Op = op
		},
	})
	if a.Index > 5 {
		r.fail("a call has arguments 0 to 5")
	}
	return a
}

func (r *reader) filter(what string) Filter {
	var f Filter
	r.object(what, map[string]func(){
		"arches": func() { r.array(func() { f.Arches = append(f.Arches, r.str()) }) },
		"caps": func() {
			r.array(func() {
				s := r.str()
				c, ok := kernel.ParseCap(s)
				if !ok {
					r.fail("unknown capability %q", s)
				}
				f.Caps = append(f.Caps, c)
			})
		},
		"minKernel": func() {
			s := r.str()
			k, err := kernel.ParseRelease(s)
			if err != nil {
				r.fail("%v", err)
			}
			f.MinKernel = [2]int{k.Major, k.Minor}
		},
	})
	return f
}

// otherCalls are names that profiles carry for architectures that are not modelled here.
var otherCalls = map[string]bool{"sync_file_range2": true,
	"s390_pci_mmio_read": true, "s390_pci_mmio_write": true, "s390_runtime_instr": true, "riscv_flush_icache": true, "riscv_hwprobe": true, "swapcontext": true,
	"recv": true, "send": true, "subpage_prot": true, "switch_endian": true, "rtas": true, "spu_create": true, "spu_run": true, "multiplexer": true, "sys_debug_setcontext": true, "pciconfig_read": true, "pciconfig_write": true, "pciconfig_iobase": true, "atomic_barrier": true, "atomic_cmpxchg_32": true, "getpagesize": true, "timerfd": true}
