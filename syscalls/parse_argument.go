package syscalls

import (
	"strconv"
	"strings"
)

// arg reads one argument.
func (p *parser) arg(kind Kind, typed bool) Arg {
	a := Arg{Kind: kind}
	start := p.pos
	switch {
	case kind == Word:
		return p.eitherWay()
	case p.peek() == '"':
		a.Str, a.Val = p.quoted(), 1
		if a.Cut = p.accept("..."); a.Cut && typed && kind != Out && kind != Pointer && kind != Data {
			p.fail(start, nil, "the string is cut off (strace -s prints longer ones)")
		}
		switch {
		case !typed:
			a.Kind = Text
		case kind == Out || kind == Pointer:
			a.Str = p.in[start:p.pos]
		case kind == kinds["optval"]:
			a.Fields, a.Str = []Field{{Str: a.Str, Text: true}}, ""
		case kind != Path && kind != Text && kind != Data:
			p.fail(start, nil, "a %s is expected here, not a string", map[bool]string{true: "structure", false: "number"}[kind.address()])
		}
		return a
	case p.peek() == '[' && arrays[kind] != 0:
		return p.numbers(kind)
	case p.peek() == '{' && kind == How:
		return p.how()
	case p.peek() == '[' && kind == Times:
		return p.times()
	case p.peek() == '{' && layouts[kind] != nil && layouts[kind].members == nil && layouts[kind].text != nil:
		p.balanced()
		return Arg{Kind: Pointer, Val: 1, Str: p.in[start:p.pos]}
	case p.peek() == '{' && layouts[kind] != nil && layouts[kind].brace != nil:
		return layouts[kind].brace(p, kind)
	case p.peek() == '{' && layouts[kind] != nil:
		return p.structure(kind)
	case p.peek() == '[' && layouts[kind] != nil && layouts[kind].list != nil:
		return layouts[kind].list(p, kind)
	case p.peek() == '[' && kind == Strings:
		return p.strings()
	case p.peek() == '{' || p.peek() == '[' || strings.HasPrefix(p.rest(), "~["):
		if typed && kind != Out && kind != Pointer && (kindSets[kind] == nil || !kindSets[kind].memory) {
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
	switch {
	case kind == kinds["semarg"]: // a number as often as an address
		a.Val, a.Fault = p.scalar(start), true
		return a
	case kind.address():
		a.Val, a.Fault = p.number(start), true
		if kind == Path || kind == Text {
			if !strings.HasPrefix(p.in[start:], "0x") && p.in[start:p.pos] != "0" {
				p.fail(start, nil, "a path is written in quotes, an address as 0x…")
			}
		}
		if a.Val == 1 && kind != Out && kind != Pointer && kind != Times && kind != Data {
			a.Val = 2 // 1 stands for an address that is not known
		}
		return a
	case kind == FD || kind == Int:
		if kind == Int && !typed {
			if sym := p.symbols(); sym != "" {
				return Arg{Kind: Pointer, Val: 1, Str: sym}
			}
		}
		a.Val = p.scalar(start)
		if kind == Int && typed && !isDigit(p.in[start]) && p.in[start] != '-' {
			a.Str = p.in[start:p.pos] // a constant is printed as it was written
		}
		if kind == FD {
			a.Val = uint64(int64(int32(a.Val)))
		}
		if (kind == FD || !typed) && p.accept("<") {
			a.Kind, a.FDPath = FD, p.until('>')
		}
		return a
	}
	if set := kindSets[kind]; set.loose && !p.knows(set) {
		return Arg{Kind: Pointer, Val: 1, Str: p.untilComma()}
	}
	a.Val = p.setOf(kindSets[kind])
	return a
}

// knows reports whether the set has the name that follows; numbers it has always.
func (p *parser) knows(set *flagSet) bool {
	start := p.pos
	name := p.word(isName)
	p.pos = start
	_, ok := set.value(name)
	return ok || name == "" || isDigit(name[0])
}

// untilComma reads what stands for an argument as it is.
func (p *parser) untilComma() string {
	start := p.pos
	for p.pos < len(p.in) && p.in[p.pos] != ',' && p.in[p.pos] != ')' {
		if p.in[p.pos] == '(' {
			p.balanced()
			continue
		}
		p.pos++
	}
	return strings.TrimSpace(p.in[start:p.pos])
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
	if name == "htons" && p.accept("(") {
		v := p.scalar(p.pos)
		if !p.accept(")") {
			p.fail(start, nil, "htons takes a number")
		}
		return v>>8&0xff | v&0xff<<8
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
	if w == "" {
		p.fail(start, nil, `a number, a name, or a "string" in quotes is expected`)
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
			p.space()
			if strings.HasPrefix(p.rest(), "tv_usec=") { // of utimes and futimesat
				a.How[i] = p.field("tv_usec")
			} else {
				a.How[i] = p.field("tv_nsec")
			}
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

// strings reads an array of strings, which strace may cut off.
func (p *parser) strings() Arg {
	a := Arg{Kind: Strings, Val: 1}
	p.pos++
	for i := 0; ; i++ {
		p.space()
		if p.accept("]") {
			return a
		}
		if i > 0 && !p.accept(",") {
			p.fail(p.pos, nil, "expected , or ] in the array")
		}
		p.space()
		switch {
		case p.accept("..."):
			a.Cut = true
		case p.peek() != '"':
			p.fail(p.pos, nil, "a string is expected here")
		default:
			a.Strs = append(a.Strs, p.quoted())
			a.Cut = p.accept("...") || a.Cut
		}
	}
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
			if p.accept("<<") {
				n <<= p.scalar(p.pos) & 63
			}
			v |= n
		} else if set.single && p.accept("-") {
			v |= -p.number(at)
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
