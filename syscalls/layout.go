package syscalls

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// member is a field of a structure as the kernel lays it out.
type member struct {
	name string
	off  int
	size int  // in bytes: 1, 2, 4 or 8; 0: a string that the field points to, or bytes that encode places
	kind Kind // Int, or a set of flags; Text for a string
}

// layout is a structure that a call takes by its address. What strace prints differs from the memory in some, such as a
// socket's address: they have an encode of their own.
type layout struct {
	size    int
	members []member
	encode  func(a *Arg) Memory
	list    func(p *parser, kind Kind) Arg // reads what strace prints in brackets
	brace   func(p *parser, kind Kind) Arg // reads what strace prints in braces, where it is no list of fields
	print   func(a *Arg) string            // prints what list and brace read
	text    func(f Field) (string, bool)   // prints a field that strace prints in a way of its own
}

var layouts = map[Kind]*layout{}

// defineStruct names a structure. Members that are not written are zero.
func defineStruct(name string, size int, members ...member) Kind {
	return defineLayout(name, &layout{size: size, members: members})
}

func defineLayout(name string, l *layout) Kind {
	k := define(name)
	layouts[k] = l
	return k
}

// Field is a member of a structure that was written.
type Field struct {
	Name string
	Val  uint64
	Str  string // a string, or a value in braces or brackets as it was written
	Text bool   // Str is a string
}

// Field returns a member of a structure by name. What was not written is zero, and ok is false; of a structure that was cut
// off with ... or is only an address nothing else is known.
func (a *Arg) Field(name string) (f Field, ok bool) {
	for i := range a.Fields {
		if a.Fields[i].Name == name {
			return a.Fields[i], true
		}
	}
	return Field{Name: name}, false
}

// Struct reports whether the argument is a structure of which all is known.
func (a *Arg) Struct() bool { return layouts[a.Kind] != nil && !a.Fault && !a.Absent && !a.Cut }

// structure reads {name=value, …}.
func (p *parser) structure(kind Kind) Arg {
	l := layouts[kind]
	a := Arg{Kind: kind, Val: 1}
	p.pos++
	for i := 0; ; i++ {
		p.space()
		if p.accept("}") {
			p.answer()
			return a
		}
		if i > 0 {
			if !p.accept(",") {
				p.fail(p.pos, nil, "expected , or } in the structure")
			}
			p.space()
		}
		if p.accept("...") {
			a.Cut = true
			continue
		}
		start := p.pos
		name := p.word(isName)
		pton := name == "inet_pton" && p.peek() == '(' // strace prints it without the field's name
		if pton {
			name, p.pos = "sin6_addr", start
		}
		var names []string
		var m *member
		for k := range l.members {
			names = append(names, l.members[k].name)
			if l.members[k].name == name {
				m = &l.members[k]
			}
		}
		if m == nil {
			p.fail(start, Near(name, names), "the structure has no field %s", name)
		}
		if !pton && !p.accept("=") {
			p.fail(p.pos, nil, "expected field=value")
		}
		f := Field{Name: name}
		p.value(&f, m.kind)
		p.space()
		if p.accept("=>") { // what the kernel has made of it
			p.word(func(b byte) bool { return b != ',' && b != '}' })
		}
		a.Fields = append(a.Fields, f)
	}
}

// answer skips what the kernel has written into the structure: strace prints it behind =>.
func (p *parser) answer() {
	p.space()
	if p.accept("=>") {
		p.space()
		p.balanced()
	}
}

// value reads a member's value: a string, flags, a number, a function that the C library would call, or something in braces,
// which is kept as it is.
func (p *parser) value(f *Field, kind Kind) {
	start := p.pos
	switch {
	case p.peek() == '"':
		f.Str, f.Text = p.quoted(), true
	case kind == opaque:
		f.Str = p.anything()
	case p.accept("@"): // an abstract name
		f.Str, f.Text = "\x00"+p.quoted(), true
	case p.peek() == '{' || p.peek() == '[':
		p.balanced()
		f.Str = p.in[start:p.pos]
	case kindSets[kind] != nil:
		f.Val = p.setOf(kindSets[kind])
	case p.accept("NULL"):
	case kind == Data: // bytes in hexadecimal
		f.Str = p.word(isName)
	case p.call1(f):
	default:
		f.Val = p.scalar(start)
		if p.accept("*") { // strace prints limits as 8192*1024
			f.Val *= p.number(p.pos)
		}
	}
}

// call1 reads htons(80), inet_addr("10.0.0.1") or inet_pton(AF_INET6, "::1", …): the value is what they are given.
func (p *parser) call1(f *Field) bool {
	start := p.pos
	name := p.word(isName)
	if p.peek() != '(' || name != "htons" && name != "htonl" && name != "inet_addr" && name != "inet_pton" {
		p.pos = start
		return false
	}
	open := p.pos
	p.balanced()
	inside := strings.TrimSpace(p.in[open+1 : p.pos-1])
	if i := strings.IndexByte(inside, '"'); i >= 0 {
		q := &parser{in: inside, pos: i, abi: p.abi}
		f.Str, f.Text = q.quoted(), true
		return true
	}
	v, err := strconv.ParseUint(inside, 0, 64)
	if err != nil {
		p.fail(open, nil, "%s takes a number or a string", name)
	}
	f.Val = v
	return true
}

// text prints the structure.
func (l *layout) string(a *Arg) string {
	if l.print != nil {
		return l.print(a)
	}
	if l.list != nil && l.text != nil && len(a.Fields) == 1 {
		s, _ := l.text(a.Fields[0])
		return s
	}
	if l.list != nil {
		return l.listText(a)
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range a.Fields {
		if i > 0 {
			b.WriteString(", ")
		}
		if l.text != nil {
			if s, own := l.text(f); own {
				b.WriteString(s)
				continue
			}
		}
		b.WriteString(f.Name + "=")
		kind := Int
		for _, m := range l.members {
			if m.name == f.Name {
				kind = m.kind
			}
		}
		switch set := kindSets[kind]; {
		case f.Text:
			b.WriteString(`"` + quote(f.Str, '"') + `"`)
		case f.Str != "":
			b.WriteString(f.Str)
		case set != nil:
			b.WriteString(set.text(f.Val))
		default:
			b.WriteString(strconv.FormatInt(int64(f.Val), 10))
		}
	}
	if a.Cut {
		if len(a.Fields) > 0 {
			b.WriteString(", ")
		}
		b.WriteString("...")
	}
	b.WriteByte('}')
	return b.String()
}

// memory lays the structure out.
func (l *layout) memory(a *Arg) Memory {
	if l.encode != nil {
		return l.encode(a)
	}
	mem := Memory{Bytes: make([]byte, l.size)}
	for _, m := range l.members {
		f, ok := a.Field(m.name)
		if !ok || m.kind == Data {
			continue
		}
		switch m.size {
		case 0:
			mem.Point(m.off, append([]byte(f.Str), 0))
		case 1:
			mem.Bytes[m.off] = byte(f.Val)
		case 2:
			binary.LittleEndian.PutUint16(mem.Bytes[m.off:], uint16(f.Val))
		case 4:
			binary.LittleEndian.PutUint32(mem.Bytes[m.off:], uint32(f.Val))
		case 8:
			binary.LittleEndian.PutUint64(mem.Bytes[m.off:], f.Val)
		}
	}
	return mem
}
