package selinux

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// maxCategory bounds the number of a category, and so the memory of a set.
const maxCategory = 1 << 16

// Categories is a set of categories as a bitmap; the zero value is empty. Sets are immutable and compare with ==.
type Categories struct {
	bits string // eight categories a byte, the lowest first, without zero bytes at its end
}

// CategoriesOf returns the set of the numbers.
func CategoriesOf(numbers ...int) (Categories, error) {
	var b []byte
	for _, n := range numbers {
		if n < 0 || n >= maxCategory {
			return Categories{}, fmt.Errorf("category %d: numbers lie between 0 and %d", n, maxCategory-1)
		}
		b = setBit(b, n)
	}
	return Categories{string(b)}, nil
}

func setBit(b []byte, n int) []byte {
	for len(b) <= n/8 {
		b = append(b, 0)
	}
	b[n/8] |= 1 << (n % 8)
	return b
}

// Has says whether the set holds category n.
func (c Categories) Has(n int) bool {
	return n >= 0 && n/8 < len(c.bits) && c.bits[n/8]>>(n%8)&1 != 0
}

// Len is the number of categories in the set.
func (c Categories) Len() int {
	n := 0
	for i := range len(c.bits) {
		n += bits.OnesCount8(c.bits[i])
	}
	return n
}

// Contains says whether every category of d is in c (ebitmap_contains).
func (c Categories) Contains(d Categories) bool {
	if len(d.bits) > len(c.bits) {
		return false
	}
	for i := range len(d.bits) {
		if d.bits[i]&^c.bits[i] != 0 {
			return false
		}
	}
	return true
}

// Without returns the categories of c that d lacks.
func (c Categories) Without(d Categories) Categories {
	b := []byte(c.bits)
	for i := 0; i < len(b) && i < len(d.bits); i++ {
		b[i] &^= d.bits[i]
	}
	return Categories{strings.TrimRight(string(b), "\x00")}
}

// And returns the categories that are in both sets.
func (c Categories) And(d Categories) Categories { return c.Without(c.Without(d)) }

// Numbers returns the categories in rising order.
func (c Categories) Numbers() []int {
	var all []int
	for i := range len(c.bits) {
		for b := c.bits[i]; b != 0; b &= b - 1 {
			all = append(all, i*8+bits.TrailingZeros8(b))
		}
	}
	return all
}

// String prints the set as the kernel does (mls_sid_to_context): c0.c3,c5, neighbours of two with a comma.
func (c Categories) String() string {
	return c.text(func(n int) string { return "c" + strconv.Itoa(n) })
}

func (c Categories) text(name func(int) string) string {
	var b strings.Builder
	n := c.Numbers()
	for i := 0; i < len(n); {
		j := i
		for j+1 < len(n) && n[j+1] == n[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name(n[i]))
		switch {
		case j-i == 1:
			b.WriteString("," + name(n[j]))
		case j > i:
			b.WriteString("." + name(n[j]))
		}
		i = j + 1
	}
	return b.String()
}

// Level is a sensitivity with categories; the zero value is no level, as where a policy has no MLS.
type Level struct {
	sens uint32 // its number and one
	cats Categories
}

// NewLevel returns the level of a sensitivity's number, 0 for s0.
func NewLevel(sensitivity int, cats Categories) (Level, error) {
	if sensitivity < 0 || sensitivity >= maxCategory {
		return Level{}, fmt.Errorf("sensitivity %d: numbers lie between 0 and %d", sensitivity, maxCategory-1)
	}
	return Level{uint32(sensitivity) + 1, cats}, nil
}

// IsValid tells a level from the zero value.
func (l Level) IsValid() bool { return l.sens != 0 }

// Sensitivity is the level's number, -1 for the zero value.
func (l Level) Sensitivity() int { return int(l.sens) - 1 }

// Categories is the level's set.
func (l Level) Categories() Categories { return l.cats }

// Dominates says whether l's sensitivity is at least m's and l holds all of m's categories (mls_level_dom).
func (l Level) Dominates(m Level) bool { return l.sens >= m.sens && l.cats.Contains(m.cats) }

// Incomparable says that neither level dominates the other (mls_level_incomp).
func (l Level) Incomparable(m Level) bool { return !l.Dominates(m) && !m.Dominates(l) }

func (l Level) String() string { return l.text(sensitivityName, categoryName) }

func sensitivityName(n int) string { return "s" + strconv.Itoa(n) }
func categoryName(n int) string    { return "c" + strconv.Itoa(n) }

func (l Level) text(sens, cat func(int) string) string {
	if !l.IsValid() {
		return ""
	}
	if l.cats == (Categories{}) {
		return sens(l.Sensitivity())
	}
	return sens(l.Sensitivity()) + ":" + l.cats.text(cat)
}

// Range is the levels from Low to High, equal where only one is written.
type Range struct{ Low, High Level }

// IsValid tells a range from the zero value.
func (r Range) IsValid() bool { return r.Low.IsValid() }

// Contains says whether s lies within r (mls_range_contains).
func (r Range) Contains(s Range) bool { return s.Low.Dominates(r.Low) && r.High.Dominates(s.High) }

func (r Range) String() string { return r.text(sensitivityName, categoryName) }

func (r Range) text(sens, cat func(int) string) string {
	if r.Low == r.High {
		return r.Low.text(sens, cat)
	}
	return r.Low.text(sens, cat) + "-" + r.High.text(sens, cat)
}

// ParseRange reads s0, s0:c1,c5.c9 or s0-s15:c0.c1023 in the numbers that policies give by custom.
func ParseRange(text string) (Range, error) {
	return parseRange(text, numbered("s"), numbered("c"))
}

// ParseLevel reads one level.
func ParseLevel(text string) (Level, error) {
	return parseLevel(text, numbered("s"), numbered("c"))
}

// numbered turns names such as c17 into 17.
func numbered(letter string) func(string) (int, error) {
	return func(name string) (int, error) {
		digits, ok := strings.CutPrefix(name, letter)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n >= maxCategory || strconv.FormatUint(n, 10) != digits {
			return 0, fmt.Errorf("%q is not %s and a number below %d", name, letter, maxCategory)
		}
		return int(n), nil
	}
}

// parseRange follows mls_context_to_sid: a hyphen divides the levels, and the high one must dominate the low one.
func parseRange(text string, sens, cat func(string) (int, error)) (Range, error) {
	low, high, two := strings.Cut(text, "-")
	l, err := parseLevel(low, sens, cat)
	if err != nil || !two {
		return Range{l, l}, err
	}
	h, err := parseLevel(high, sens, cat)
	if err != nil {
		return Range{}, err
	}
	if !h.Dominates(l) {
		return Range{}, fmt.Errorf("range %s: %s does not dominate %s", text, high, low)
	}
	return Range{l, h}, nil
}

func parseLevel(text string, sens, cat func(string) (int, error)) (Level, error) {
	name, list, has := strings.Cut(text, ":")
	n, err := sens(name)
	if err != nil {
		return Level{}, fmt.Errorf("level %q: sensitivity %w", text, err)
	}
	l := Level{sens: uint32(n) + 1}
	if !has {
		return l, nil
	}
	var set []byte
	for item := range strings.SplitSeq(list, ",") {
		from, to, isSpan := strings.Cut(item, ".")
		if !isSpan {
			to = from
		}
		a, err := cat(from)
		if err != nil {
			return Level{}, fmt.Errorf("level %q: category %w", text, err)
		}
		b, err := cat(to)
		if err != nil {
			return Level{}, fmt.Errorf("level %q: category %w", text, err)
		}
		if isSpan && a >= b {
			return Level{}, fmt.Errorf("level %q: %s does not come before %s", text, from, to)
		}
		for ; a <= b; a++ {
			set = setBit(set, a)
		}
	}
	l.cats = Categories{string(set)}
	return l, nil
}
