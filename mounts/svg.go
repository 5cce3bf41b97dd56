package mounts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDrawn mounts fit on a picture.
const maxDrawn = 3000

// Measures of the picture, in pixels.
const (
	rowHeight = 34
	boxHeight = 28
	indent    = 18
	charWidth = 7
	gap       = 90 // between the columns, for the lines
	margin    = 16
	headRow   = 30
	maxChars  = 56
)

// hues give peer groups their colours, which repeat.
const hues = 12

// box is a mount on the picture.
type box struct {
	m          *Mount
	x, y, w    int
	col, index int
}

func (b *box) middle() int { return b.y + boxHeight/2 }

// SVG draws the trees side by side, a column a namespace: a mount's border has the colour of its peer group, lines join peers, and
// dashed arrows lead from a peer to slaves.
func SVG(w io.Writer, all []Namespace) error {
	n := 0
	for i := range all {
		n += all[i].Mounts
	}
	if n > maxDrawn {
		return fmt.Errorf("a picture holds %d mounts, these are %d: choose namespaces with --pid", maxDrawn, n)
	}
	boxes, heads, width, height := layout(all)
	if len(boxes) == 0 {
		return errors.New("there is no mount to draw")
	}
	b := bufio.NewWriterSize(w, 1<<16)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	b.WriteString(`<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>` + "\n")
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	for _, h := range heads {
		fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", h.x, margin+14, markup(h.text))
	}
	lines(b, boxes)
	for i := range boxes {
		draw(b, &boxes[i])
	}
	b.WriteString("</svg>\n")
	return b.Flush()
}

type head struct {
	x    int
	text string
}

// layout puts every mount on its place, children below and to the right of their parents.
func layout(all []Namespace) (boxes []box, heads []head, width, height int) {
	x := margin
	for col := range all {
		ns := &all[col]
		if ns.Root == nil {
			continue
		}
		heads = append(heads, head{x, ns.name()})
		right := x + charWidth*utf8.RuneCountInString(ns.name())
		for i, r := range rows(ns.Root) {
			first, second := caption(r.Mount)
			c := box{m: r.Mount, x: x + indent*min(r.depth, deepest), y: margin + headRow + i*rowHeight, col: col, index: len(boxes)}
			c.w = charWidth*max(utf8.RuneCountInString(first), utf8.RuneCountInString(second)*5/6) + 16
			boxes = append(boxes, c)
			right, height = max(right, c.x+c.w), max(height, c.y+rowHeight)
		}
		x = right + gap
	}
	return boxes, heads, x - gap + margin + 40, height + margin
}

// caption is what a box says.
func caption(m *Mount) (first, second string) {
	source := m.Source
	if m.Root != "/" {
		source += "[" + m.Root + "]"
	}
	return cut(m.Point), cut(m.Type + " " + source + ", " + m.propagation())
}

func cut(s string) string {
	if utf8.RuneCountInString(s) <= maxChars {
		return s
	}
	return string([]rune(s)[:maxChars-1]) + "…"
}

func colour(group uint32) string {
	return fmt.Sprintf("hsl(%d,70%%,38%%)", int(group%hues)*360/hues)
}

func draw(b *bufio.Writer, c *box) {
	stroke, dash := "#888", ""
	if c.m.Group != 0 {
		stroke = colour(c.m.Group)
	}
	if c.m.Unbindable {
		dash = ` stroke-dasharray="2 2"`
	}
	first, second := caption(c.m)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="white" stroke="%s" stroke-width="1.5"%s/>`, c.x, c.y, c.w, boxHeight, stroke, dash)
	fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`, c.x+8, c.y+12, markup(first))
	fmt.Fprintf(b, `<text x="%d" y="%d" font-size="10" fill="#555">%s</text>`+"\n", c.x+8, c.y+24, markup(second))
}

// lines joins the peers of each group one after another, and leads from its first member to every slave.
func lines(b *bufio.Writer, boxes []box) {
	last, first := map[uint32]*box{}, map[uint32]*box{}
	for i := range boxes {
		g := boxes[i].m.Group
		if g == 0 {
			continue
		}
		if p := last[g]; p != nil {
			curve(b, p, &boxes[i], colour(g), "")
		} else {
			first[g] = &boxes[i]
		}
		last[g] = &boxes[i]
	}
	for i := range boxes {
		if p := first[boxes[i].m.Master]; boxes[i].m.Master != 0 && p != nil {
			curve(b, p, &boxes[i], colour(boxes[i].m.Master), ` stroke-dasharray="5 3" marker-end="url(#to)"`)
		}
	}
}

// curve draws a line from the right side of one box to the left one of another, or around both where they stand in one column.
func curve(b *bufio.Writer, from, to *box, stroke, more string) {
	x1, y1, x2, y2 := from.x+from.w, from.middle(), to.x, to.middle()
	c1, c2 := x1+gap/2, x2-gap/2
	if from.col == to.col {
		x2 = to.x + to.w
		c1 = max(x1, x2) + gap/2
		c2 = c1
	}
	fmt.Fprintf(b, `<path d="M%d %dC%d %d %d %d %d %d" fill="none" stroke="%s"%s/>`+"\n", x1, y1, c1, y1, c2, y2, x2, y2, stroke, more)
}

// markup writes a text for XML, which has no control characters.
func markup(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(strings.ToValidUTF8(printable(s), "?"))
}
