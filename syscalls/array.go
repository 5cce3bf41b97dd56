package syscalls

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// Word is an argument whose meaning depends on the ones before it, as prctl's: a number, with or without names, a string, a
// structure or an address.
var Word = define("word")

// arrays are kinds of arrays of numbers, with the bytes of an element.
var arrays = map[Kind]int{}

// defineArray names an array of numbers of size bytes each.
func defineArray(name string, size int) Kind {
	k := define(name)
	arrays[k] = size
	return k
}

// MaxNumbers is how many numbers an array holds at most; setgroups takes 65536.
const MaxNumbers = 65537

// Numbers returns the numbers of an array.
func (a *Arg) Numbers() []uint64 {
	var out []uint64
	for i := range a.Fields {
		out = append(out, a.Fields[i].Val)
	}
	return out
}

// numbers reads [1000, 1001].
func (p *parser) numbers(kind Kind) Arg {
	a := Arg{Kind: kind, Val: 1}
	start := p.pos
	p.pos++
	for i := 0; ; i++ {
		p.space()
		switch {
		case p.accept("]"):
			return a
		case i > 0 && !p.accept(","):
			p.fail(p.pos, nil, "expected , or ] in the array")
		case i > MaxNumbers:
			p.fail(start, nil, "an array has at most %d numbers", MaxNumbers)
		}
		p.space()
		if p.accept("...") {
			a.Cut = true
			continue
		}
		a.Fields = append(a.Fields, Field{Val: p.scalar(p.pos)})
	}
}

func (a *Arg) numbersText() string {
	parts := make([]string, 0, len(a.Fields))
	for i := range a.Fields {
		parts = append(parts, strconv.FormatInt(int64(a.Fields[i].Val), 10))
	}
	if a.Cut {
		parts = append(parts, "...")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// memoryOf lays an array out. An empty one is an address all the same.
func (a *Arg) memoryOf() Memory {
	size := arrays[a.Kind]
	m := Memory{Bytes: make([]byte, 0, size*len(a.Fields)+1)}
	for i := range a.Fields {
		m.Bytes = append(m.Bytes, binary.LittleEndian.AppendUint64(nil, a.Fields[i].Val)[:size]...)
	}
	if len(m.Bytes) == 0 {
		m.Bytes = append(m.Bytes, 0)
	}
	return m
}

// eitherWay reads a Word.
func (p *parser) eitherWay() Arg {
	start := p.pos
	if strings.HasPrefix(p.rest(), "{len=") {
		return p.program()
	}
	if v, ok := p.names(); ok {
		a := Arg{Kind: Int, Val: v}
		if text := strings.TrimSpace(p.in[start:p.pos]); !isDigit(text[0]) && text[0] != '-' || strings.Contains(text, "|") {
			a.Str = text
		}
		return a
	}
	p.pos = start
	return p.arg(Int, false)
}

// program reads {len=5, filter=0x7ffe…}; a program that is written out is kept, but its memory is not made.
func (p *parser) program() Arg {
	a := p.structure(filterProgram)
	if f, _ := a.Field("filter"); f.Str != "" {
		a.Cut = true
	}
	return a
}

// names reads numbers and constants that are known, joined by |.
func (p *parser) names() (v uint64, ok bool) {
	for {
		p.space()
		start := p.pos
		if p.accept("-") || isDigit(p.peek()) {
			p.pos = start
			neg := p.accept("-")
			if !isDigit(p.peek()) {
				return 0, false
			}
			n := p.number(p.pos)
			if neg {
				n = -n
			}
			if p.accept("<<") {
				shift, ok := p.constant()
				if !ok {
					return 0, false
				}
				n <<= shift & 63
			}
			v |= n
		} else if c, ok := p.constant(); ok {
			v |= c
		} else {
			return 0, false
		}
		end := p.pos
		p.space()
		if p.accept("|") {
			continue
		}
		p.pos = end
		ch := p.peek()
		return v, ch == ',' || ch == ')' || ch == ' '
	}
}

func (p *parser) constant() (uint64, bool) {
	if isDigit(p.peek()) {
		return p.number(p.pos), true
	}
	name := p.word(isName)
	for _, f := range constants {
		if f.name == name {
			return f.val, true
		}
	}
	return 0, false
}
