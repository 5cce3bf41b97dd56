package filecontext

import (
	"fmt"
	"strconv"
	"strings"
)

// escape reads what follows a backslash.
func (p *parser) escape() (*node, error) {
	if !p.more() {
		return nil, fmt.Errorf("it ends in a backslash")
	}
	c := p.s[p.i]
	switch {
	case c == 'b', c == 'B':
		p.i++
		return &node{kind: nodeWord, negative: c == 'B'}, nil
	case c == 'A':
		p.i++
		return &node{kind: nodeStart}, nil
	case c == 'Z':
		p.i++
		return &node{kind: nodeEnd}, nil
	case c == 'z':
		p.i++
		return &node{kind: nodeVeryEnd}, nil
	case c >= '1' && c <= '9':
		if n, ok := p.reference(); ok {
			p.backs = max(p.backs, n)
			return &node{kind: nodeBack, group: n}, nil
		}
	}
	s, err := p.escaped()
	if err != nil {
		return nil, err
	}
	return &node{kind: nodeSet, set: s}, nil
}

// reference reads a number that refers to a group: one below 10, or that of a group before it. Else it is octal.
func (p *parser) reference() (int, bool) {
	n, end := 0, p.i
	for end < len(p.s) && p.s[end] >= '0' && p.s[end] <= '9' && n < 1000 {
		n = n*10 + int(p.s[end]-'0')
		end++
	}
	if n >= 10 && n > p.groups && p.s[p.i] < '8' {
		return 0, false
	}
	p.i = end
	return n, true
}

// escaped reads an escape that means a set of bytes, in or out of a class.
func (p *parser) escaped() (*set, error) {
	if !p.more() {
		return nil, fmt.Errorf("it ends in a backslash")
	}
	s := &set{}
	c := p.s[p.i]
	p.i++
	switch c {
	case 'd', 'D', 'w', 'W', 's', 'S', 'h', 'H', 'v', 'V':
		s.addSet(named(map[byte]string{'d': "digit", 'w': "word", 's': "space", 'h': "blank nbsp", 'v': "vertical"}[c|0x20]))
		if c < 'a' {
			s.invert()
		}
	case 'n':
		s.add('\n')
	case 't':
		s.add('\t')
	case 'r':
		s.add('\r')
	case 'f':
		s.add('\f')
	case 'a':
		s.add(7)
	case 'e':
		s.add(0x1b)
	case 'x':
		b, err := p.hex()
		if err != nil {
			return nil, err
		}
		s.add(b)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := int(c - '0')
		for k := 0; k < 2 && p.more() && p.s[p.i] >= '0' && p.s[p.i] <= '7'; k++ {
			n = n*8 + int(p.s[p.i]-'0')
			p.i++
		}
		if n > 255 {
			return nil, fmt.Errorf("%#o at %d is no byte", n, p.i)
		}
		s.add(byte(n))
	default:
		if isWord(c) && c != '_' {
			return nil, fmt.Errorf(`\%c at %d is not known here`, c, p.i-2)
		}
		s.add(c)
	}
	return s, nil
}

func (p *parser) hex() (byte, error) {
	digits := ""
	if p.eat("{") {
		text, _, closed := strings.Cut(p.s[p.i:], "}")
		if !closed {
			return 0, fmt.Errorf(`\x at %d is not closed`, p.i)
		}
		p.i += len(text) + 1
		digits = text
	} else {
		for len(digits) < 2 && p.more() && strings.IndexByte("0123456789abcdefABCDEF", p.s[p.i]) >= 0 {
			digits += p.s[p.i : p.i+1]
			p.i++
		}
		if digits == "" {
			return 0, nil // \x alone is NUL
		}
	}
	n, err := strconv.ParseUint(digits, 16, 8)
	if err != nil {
		return 0, fmt.Errorf(`\x{%s} is no byte`, digits)
	}
	return byte(n), nil
}

// named returns a POSIX class in the C locale.
func named(names string) *set {
	s := &set{}
	for name := range strings.FieldsSeq(names) {
		switch name {
		case "digit":
			s.addRange('0', '9')
		case "lower":
			s.addRange('a', 'z')
		case "upper":
			s.addRange('A', 'Z')
		case "alpha":
			s.addSet(named("lower upper"))
		case "alnum":
			s.addSet(named("alpha digit"))
		case "word":
			s.addSet(named("alnum"))
			s.add('_')
		case "xdigit":
			s.addSet(named("digit"))
			s.addRange('a', 'f')
			s.addRange('A', 'F')
		case "space":
			s.addRange('\t', '\r')
			s.add(' ')
		case "blank":
			s.add(' ')
			s.add('\t')
		case "nbsp":
			s.add(0xa0)
		case "vertical":
			s.addRange('\n', '\r')
			s.add(0x85)
		case "cntrl":
			s.addRange(0, 31)
			s.add(127)
		case "graph":
			s.addRange('!', '~')
		case "print":
			s.addRange(' ', '~')
		case "ascii":
			s.addRange(0, 127)
		case "punct":
			s.addRange('!', '/')
			s.addRange(':', '@')
			s.addRange('[', '`')
			s.addRange('{', '~')
		default:
			return nil
		}
	}
	return s
}

// class reads a bracket expression.
func (p *parser) class() (*node, error) {
	at := p.i - 1
	n := &node{kind: nodeSet, set: &set{}}
	inverted := p.eat("^")
	for first := true; ; first = false {
		if !p.more() {
			return nil, fmt.Errorf("the class at %d is not closed", at)
		}
		if p.s[p.i] == ']' && !first {
			p.i++
			break
		}
		s, single, err := p.member()
		if err != nil {
			return nil, err
		}
		// A hyphen makes a range, unless it is the last one.
		if !single || !strings.HasPrefix(p.s[p.i:], "-") || strings.HasPrefix(p.s[p.i:], "-]") {
			n.set.addSet(s)
			continue
		}
		p.i++
		if !p.more() {
			return nil, fmt.Errorf("the class at %d is not closed", at)
		}
		end, single, err := p.member()
		if err != nil {
			return nil, err
		}
		a, b := lowest(s), lowest(end)
		if !single || a > b {
			return nil, fmt.Errorf("the class at %d has a range that cannot be", at)
		}
		n.set.addRange(a, b)
	}
	if inverted {
		n.set.invert()
	}
	return n, nil
}

// member reads a part of a class; single says that it is one byte, from which a range may go.
func (p *parser) member() (s *set, single bool, err error) {
	c := p.s[p.i]
	if c == '[' && p.i+1 < len(p.s) && strings.IndexByte(":.=", p.s[p.i+1]) >= 0 {
		if end := strings.Index(p.s[p.i+2:], p.s[p.i+1:p.i+2]+"]"); end >= 0 {
			name := p.s[p.i+2 : p.i+2+end]
			inverted := strings.HasPrefix(name, "^")
			s := named(strings.TrimPrefix(name, "^"))
			if p.s[p.i+1] != ':' || s == nil || name == "" || strings.ContainsAny(name, " ") {
				return nil, false, fmt.Errorf("[%c%s] is not known here", p.s[p.i+1], name)
			}
			if inverted {
				s.invert()
			}
			p.i += end + 4
			return s, false, nil
		}
	}
	p.i++
	s = &set{}
	switch {
	case c != '\\':
		s.add(c)
		return s, true, nil
	case p.more() && p.s[p.i] == 'b':
		p.i++
		s.add(8)
		return s, true, nil
	case p.more() && (strings.IndexByte("89QE", p.s[p.i]) >= 0):
		return nil, false, fmt.Errorf(`\%c in a class is not known here`, p.s[p.i])
	}
	wide := p.more() && strings.IndexByte("dDwWsShHvV", p.s[p.i]) >= 0
	s, err = p.escaped()
	return s, !wide, err
}

func lowest(s *set) byte {
	for i := range 256 {
		if s.has(byte(i)) {
			return byte(i)
		}
	}
	return 0
}
