package filecontext

import (
	"fmt"
	"strconv"
	"strings"
)

// node is a part of an expression of PCRE2, as libselinux compiles it: bytes, not characters, and a dot is any byte.
type node struct {
	kind     nodeKind
	set      *set    // of nodeSet
	of       []*node // of nodeConcat, nodeAlternate; one of the others that hold one
	min, max int     // of nodeRepeat; max is -1 for no end
	group    int     // of nodeGroup and nodeBack
	negative bool    // of the look-arounds and nodeWord
	lazy     bool    // of nodeRepeat
}

type nodeKind uint8

const (
	nodeSet nodeKind = iota // one byte out of a set
	nodeConcat
	nodeAlternate
	nodeRepeat
	nodeGroup   // with a number
	nodeStart   // ^ and \A
	nodeEnd     // $ and \Z: the end, or before a newline there
	nodeVeryEnd // \z
	nodeWord    // \b
	nodeBack    // \1
	nodeAtomic  // (?>x), and x++
	nodeAhead   // (?=x)
	nodeBehind  // (?<=x)
)

// set is a set of bytes.
type set [4]uint64

func (s *set) add(b byte)      { s[b/64] |= 1 << (b % 64) }
func (s *set) has(b byte) bool { return s[b/64]>>(b%64)&1 != 0 }

func (s *set) addRange(a, b byte) {
	for c := int(a); c <= int(b); c++ {
		s.add(byte(c))
	}
}

func (s *set) addSet(t *set) {
	for i := range s {
		s[i] |= t[i]
	}
}

func (s *set) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// parser takes an expression apart.
type parser struct {
	s      string
	i      int
	groups int
	depth  int
	backs  int // the highest group that is referred to
}

// maxGroups bounds how deep groups lie in one another.
const maxGroups = 100

// parse reads an expression; what it does not know is an error, never another meaning.
func parse(s string) (*node, error) {
	p := &parser{s: s}
	n, err := p.alternate()
	if err != nil {
		return nil, err
	}
	if p.i < len(p.s) {
		return nil, fmt.Errorf("the bracket ) at %d closes nothing", p.i)
	}
	if p.backs >= maxReferences {
		return nil, fmt.Errorf("it refers to group %d", p.backs)
	}
	if p.backs > p.groups {
		return nil, fmt.Errorf("there is no group %d", p.backs)
	}
	return n, nil
}

func (p *parser) more() bool { return p.i < len(p.s) }

func (p *parser) eat(text string) bool {
	if strings.HasPrefix(p.s[p.i:], text) {
		p.i += len(text)
		return true
	}
	return false
}

func (p *parser) alternate() (*node, error) {
	if p.depth++; p.depth > maxGroups {
		return nil, fmt.Errorf("groups lie more than %d deep", maxGroups)
	}
	defer func() { p.depth-- }()
	alt := &node{kind: nodeAlternate}
	for {
		n, err := p.concat()
		if err != nil {
			return nil, err
		}
		alt.of = append(alt.of, n)
		if !p.eat("|") {
			break
		}
	}
	if len(alt.of) == 1 {
		return alt.of[0], nil
	}
	return alt, nil
}

func (p *parser) concat() (*node, error) {
	all := &node{kind: nodeConcat}
	for p.more() && p.s[p.i] != '|' && p.s[p.i] != ')' {
		if p.eat(`\Q`) {
			text, _, _ := strings.Cut(p.s[p.i:], `\E`)
			for i := range len(text) {
				all.of = append(all.of, one(text[i]))
			}
			p.i = min(len(p.s), p.i+len(text)+2)
			continue
		}
		if p.eat(`\E`) {
			continue
		}
		n, err := p.atom()
		if err != nil {
			return nil, err
		}
		if n, err = p.repeat(n); err != nil {
			return nil, err
		}
		all.of = append(all.of, n)
	}
	return all, nil
}

func one(b byte) *node {
	n := &node{kind: nodeSet, set: &set{}}
	n.set.add(b)
	return n
}

// repeat reads the quantifiers behind an atom.
func (p *parser) repeat(n *node) (*node, error) {
	for p.more() {
		from, to, ok := p.quantifier()
		if !ok {
			return n, nil
		}
		switch n.kind {
		case nodeStart, nodeEnd, nodeVeryEnd, nodeWord:
			return nil, fmt.Errorf("an assertion at %d is repeated", p.i)
		}
		if from > 65535 || to > 65535 || to >= 0 && to < from {
			return nil, fmt.Errorf("the repetition before %d cannot be", p.i)
		}
		n = &node{kind: nodeRepeat, of: []*node{n}, min: from, max: to}
		switch {
		case p.eat("?"):
			n.lazy = true
		case p.eat("+"):
			n = &node{kind: nodeAtomic, of: []*node{n}}
		}
		if p.more() && strings.IndexByte("*+?", p.s[p.i]) >= 0 {
			return nil, fmt.Errorf("the quantifier at %d repeats nothing", p.i)
		}
	}
	return n, nil
}

// quantifier reads one; a brace that is none is a character.
func (p *parser) quantifier() (from, to int, ok bool) {
	switch p.s[p.i] {
	case '*':
		p.i++
		return 0, -1, true
	case '+':
		p.i++
		return 1, -1, true
	case '?':
		p.i++
		return 0, 1, true
	case '{':
		return p.braces()
	}
	return 0, 0, false
}

func (p *parser) braces() (from, to int, ok bool) {
	text, _, closed := strings.Cut(p.s[p.i+1:], "}")
	low, high, two := strings.Cut(text, ",")
	digits := func(s string) (int, bool) {
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				return 0, false
			}
		}
		n, err := strconv.Atoi(s)
		return n, err == nil
	}
	from, ok = digits(low)
	if !closed || !ok {
		return 0, 0, false
	}
	to = from
	switch {
	case two && high == "":
		to = -1
	case two:
		if to, ok = digits(high); !ok {
			return 0, 0, false
		}
	}
	p.i += len(text) + 2
	return from, to, true
}

func (p *parser) atom() (*node, error) {
	c := p.s[p.i]
	p.i++
	switch c {
	case '.':
		n := &node{kind: nodeSet, set: &set{}}
		n.set.invert()
		return n, nil
	case '^':
		return &node{kind: nodeStart}, nil
	case '$':
		return &node{kind: nodeEnd}, nil
	case '[':
		return p.class()
	case '(':
		return p.group()
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return nil, fmt.Errorf("the quantifier at %d repeats nothing", p.i-1)
	case '{':
		p.i--
		if _, _, ok := p.braces(); ok {
			return nil, fmt.Errorf("the quantifier before %d repeats nothing", p.i)
		}
		p.i++
	}
	return one(c), nil
}

// group reads what follows an opening bracket.
func (p *parser) group() (*node, error) {
	at := p.i - 1
	n := &node{kind: nodeGroup}
	switch {
	case p.eat("?:"):
		n.group = -1
	case p.eat("?>"):
		n.kind = nodeAtomic
	case p.eat("?="):
		n.kind = nodeAhead
	case p.eat("?!"):
		n.kind, n.negative = nodeAhead, true
	case p.eat("?<="):
		n.kind = nodeBehind
	case p.eat("?<!"):
		n.kind, n.negative = nodeBehind, true
	case p.eat("?"), p.eat("*"):
		return nil, fmt.Errorf("the group at %d is of a kind that is not known here", at)
	default:
		p.groups++
		n.group = p.groups
	}
	inner, err := p.alternate()
	if err != nil {
		return nil, err
	}
	if !p.eat(")") {
		return nil, fmt.Errorf("the group at %d is not closed", at)
	}
	if n.kind == nodeBehind {
		if err := fixed(inner); err != nil {
			return nil, fmt.Errorf("the look-behind at %d: %w", at, err)
		}
	}
	n.of = []*node{inner}
	return n, nil
}

// fixed refuses what has no fixed length in a look-behind; its alternatives may differ.
func fixed(n *node) error {
	all := []*node{n}
	if n.kind == nodeAlternate {
		all = n.of
	}
	for _, x := range all {
		if _, ok := width(x); !ok {
			return fmt.Errorf("it has no fixed length")
		}
	}
	return nil
}

func width(n *node) (int, bool) {
	sum := 0
	switch n.kind {
	case nodeSet:
		return 1, true
	case nodeBack:
		return 0, false
	case nodeStart, nodeEnd, nodeVeryEnd, nodeWord, nodeAhead, nodeBehind:
		return 0, true
	case nodeRepeat:
		w, ok := width(n.of[0])
		return w * n.min, ok && n.min == n.max
	case nodeAlternate:
		for i, x := range n.of {
			w, ok := width(x)
			if !ok || i > 0 && w != sum {
				return 0, false
			}
			sum = w
		}
		return sum, true
	}
	for _, x := range n.of {
		w, ok := width(x)
		if !ok {
			return 0, false
		}
		sum += w
	}
	return sum, true
}
