package filecontext

import (
	"fmt"
	"regexp"
	"strings"
)

// matcher says whether an expression matches somewhere in a text.
type matcher interface {
	match(text string) (bool, error)
}

// maxStates bounds what RE2 is given: repetitions in one another make a short expression a large automaton.
const maxStates = 5000

// compile takes RE2 wherever it means the same as PCRE2, and steps through the rest. size is about what the matcher takes in
// memory.
func compile(expr string) (m matcher, size int64, err error) {
	n, err := parse(expr)
	if err != nil {
		return nil, 256, err
	}
	nodes, states, ranges := extent(n)
	if states <= maxStates {
		if text, ok := re2(n, true); ok {
			if re, err := regexp.Compile(text); err == nil {
				return automaton{re}, 2048 + int64(states)*250 + int64(ranges)*24, nil
			}
		}
	}
	return &stepper{root: n}, int64(nodes) * 200, nil
}

// extent counts an expression's nodes, the states of an automaton for it, and the ranges of bytes in these; of states and
// ranges no more than make it too large.
func extent(n *node) (nodes, states, ranges int) {
	nodes = 1
	for _, x := range n.of {
		a, b, c := extent(x)
		nodes, states, ranges = nodes+a, states+b, ranges+c
	}
	switch n.kind {
	case nodeSet:
		states++
		for i := range 256 {
			if n.set.has(byte(i)) && (i == 0 || !n.set.has(byte(i-1))) {
				ranges++
			}
		}
	case nodeRepeat:
		times := max(n.min, n.max, 1)
		states, ranges = (states+1)*times, ranges*times
	default:
		states++
	}
	return nodes, min(states, 1<<24), min(ranges, 1<<24)
}

// automaton matches by RE2, whose time is linear.
type automaton struct{ re *regexp.Regexp }

func (a automaton) match(text string) (bool, error) { return a.re.MatchString(latin1(text)), nil }

// latin1 makes a character of every byte, as PCRE2 without UTF sees them.
func latin1(text string) string {
	for i := range len(text) {
		if text[i] >= 0x80 {
			runes := make([]rune, len(text))
			for i := range len(text) {
				runes[i] = rune(text[i])
			}
			return string(runes)
		}
	}
	return text
}

// re2 writes an expression for RE2; last says that nothing follows it. It is false for what RE2 does not have.
func re2(n *node, last bool) (string, bool) {
	switch n.kind {
	case nodeSet:
		return n.set.re2(), true
	case nodeConcat, nodeAlternate:
		var parts []string
		for i, x := range n.of {
			s, ok := re2(x, last && (n.kind == nodeAlternate || i == len(n.of)-1))
			if !ok {
				return "", false
			}
			parts = append(parts, s)
		}
		if n.kind == nodeConcat {
			return strings.Join(parts, ""), true
		}
		return "(?:" + strings.Join(parts, "|") + ")", true
	case nodeGroup:
		s, ok := re2(n.of[0], last)
		return "(?:" + s + ")", ok
	case nodeRepeat:
		s, ok := re2(n.of[0], false)
		return "(?:" + s + ")" + bounds(n), ok && n.min <= 1000 && n.max <= 1000
	case nodeStart:
		return `\A`, true
	case nodeVeryEnd:
		return `\z`, true
	case nodeEnd:
		return `\n?\z`, last // it asks for what follows, and RE2 cannot look ahead
	}
	return "", false
}

func bounds(n *node) string {
	switch {
	case n.max < 0:
		return fmt.Sprintf("{%d,}", n.min)
	case n.min == n.max:
		return fmt.Sprintf("{%d}", n.min)
	}
	return fmt.Sprintf("{%d,%d}", n.min, n.max)
}

func (s *set) re2() string {
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; i < 256; i++ {
		if !s.has(byte(i)) {
			continue
		}
		j := i
		for j < 255 && s.has(byte(j+1)) {
			j++
		}
		fmt.Fprintf(&b, `\x{%x}-\x{%x}`, i, j)
		i = j
	}
	if b.Len() == 1 {
		return `[^\x{0}-\x{10ffff}]`
	}
	return b.String() + "]"
}

// Limits of the stepper. An expression that needs more is not followed.
const (
	maxSteps = 500_000
	maxCalls = 20_000 // calls within one another

	maxReferences = 100 // groups that may be referred to
)

// stepper matches by trying, as PCRE2 does, with bounded steps.
type stepper struct{ root *node }

func (m *stepper) match(text string) (bool, error) {
	t := &try{text: text}
	for start := 0; start <= len(text); start++ {
		for i := range t.groups {
			t.groups[i] = [2]int{-1, -1}
		}
		if t.node(m.root, start, func(int) bool { return true }) && !t.over {
			return true, nil
		}
		if t.over {
			return false, fmt.Errorf("it takes more than %d steps on this path", maxSteps)
		}
	}
	return false, nil
}

// try is one attempt.
type try struct {
	text   string
	steps  int
	calls  int
	over   bool
	groups [maxReferences][2]int
}

// node matches at a place and then asks what follows.
func (t *try) node(n *node, at int, then func(int) bool) bool {
	t.steps++
	t.calls++
	defer func() { t.calls-- }()
	if t.over = t.over || t.steps > maxSteps || t.calls > maxCalls; t.over {
		return false
	}
	switch n.kind {
	case nodeSet:
		return at < len(t.text) && n.set.has(t.text[at]) && then(at+1)
	case nodeConcat:
		return t.sequence(n.of, at, then)
	case nodeAlternate:
		for _, x := range n.of {
			if t.node(x, at, then) {
				return true
			}
		}
		return false
	case nodeRepeat:
		return t.repeat(n, 0, at, then)
	case nodeGroup:
		return t.group(n, at, then)
	case nodeAtomic:
		end := t.alone(n.of[0], at)
		return end >= 0 && then(end)
	case nodeAhead:
		return (t.alone(n.of[0], at) >= 0) != n.negative && !t.over && then(at)
	case nodeBehind:
		return t.behind(n.of[0], at) != n.negative && !t.over && then(at)
	case nodeBack:
		return t.back(n.group, at, then)
	}
	return t.holds(n, at) && then(at)
}

// holds evaluates an assertion about a place.
func (t *try) holds(n *node, at int) bool {
	switch n.kind {
	case nodeStart:
		return at == 0
	case nodeEnd:
		return at == len(t.text) || at == len(t.text)-1 && t.text[at] == '\n'
	case nodeVeryEnd:
		return at == len(t.text)
	}
	before := at > 0 && isWord(t.text[at-1])
	after := at < len(t.text) && isWord(t.text[at])
	return (before != after) != n.negative
}

func (t *try) sequence(all []*node, at int, then func(int) bool) bool {
	if len(all) == 0 {
		return then(at)
	}
	return t.node(all[0], at, func(next int) bool { return t.sequence(all[1:], next, then) })
}

func (t *try) repeat(n *node, done, at int, then func(int) bool) bool {
	if n.of[0].kind == nodeSet && !n.lazy {
		return t.run(n, at, then)
	}
	again := func() bool {
		if n.max >= 0 && done >= n.max {
			return false
		}
		return t.node(n.of[0], at, func(next int) bool {
			if next == at && done >= n.min {
				return false // an empty round leads nowhere
			}
			return t.repeat(n, done+1, next, then)
		})
	}
	switch {
	case done < n.min:
		return again()
	case n.lazy:
		return then(at) || again()
	}
	return again() || then(at)
}

// run repeats a set of bytes, without a call for each.
func (t *try) run(n *node, at int, then func(int) bool) bool {
	end := at
	for end < len(t.text) && (n.max < 0 || end-at < n.max) && n.of[0].set.has(t.text[end]) {
		end++
	}
	for ; end-at >= n.min; end-- {
		if t.steps++; then(end) {
			return true
		}
		if t.over {
			return false
		}
	}
	return false
}

func (t *try) group(n *node, at int, then func(int) bool) bool {
	if n.group < 0 || n.group >= len(t.groups) {
		return t.node(n.of[0], at, then)
	}
	return t.node(n.of[0], at, func(next int) bool {
		old := t.groups[n.group]
		t.groups[n.group] = [2]int{at, next}
		if then(next) {
			return true
		}
		t.groups[n.group] = old
		return false
	})
}

// alone matches without what follows, and returns where it ends, -1 for nowhere.
func (t *try) alone(n *node, at int) int {
	end := -1
	t.node(n, at, func(next int) bool {
		end = next
		return true
	})
	if t.over {
		return -1
	}
	return end
}

func (t *try) behind(n *node, at int) bool {
	for start := at; start >= 0; start-- {
		if t.node(n, start, func(next int) bool { return next == at }) {
			return true
		}
	}
	return false
}

func (t *try) back(group, at int, then func(int) bool) bool {
	g := t.groups[group]
	if g[0] < 0 {
		return false
	}
	text := t.text[g[0]:g[1]]
	return strings.HasPrefix(t.text[at:], text) && then(at+len(text))
}
