package selinux

import (
	"iter"
	"math/bits"
	"slices"
	"sort"
)

// bitmap is the kernel's ebitmap: nodes of 64 bits where any is set, in rising order.
type bitmap struct{ nodes []bitmapNode }

type bitmapNode struct {
	start uint32
	bits  uint64
}

// has is ebitmap_get_bit.
func (b *bitmap) has(n uint32) bool {
	if len(b.nodes) == 1 { // most bitmaps
		return n-b.nodes[0].start < 64 && b.nodes[0].bits>>(n-b.nodes[0].start)&1 != 0
	}
	i := sort.Search(len(b.nodes), func(i int) bool { return b.nodes[i].start+63 >= n })
	return i < len(b.nodes) && n >= b.nodes[i].start && b.nodes[i].bits>>(n-b.nodes[i].start)&1 != 0
}

// all yields the set bits in rising order.
func (b *bitmap) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, n := range b.nodes {
			for w := n.bits; w != 0; w &= w - 1 {
				if !yield(n.start + uint32(bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}

// len is the number of set bits.
func (b *bitmap) len() int {
	n := 0
	for _, node := range b.nodes {
		n += bits.OnesCount64(node.bits)
	}
	return n
}

// end is one more than the highest set bit, 0 where none is.
func (b *bitmap) end() uint32 {
	if len(b.nodes) == 0 {
		return 0
	}
	last := b.nodes[len(b.nodes)-1]
	return last.start + uint32(bits.Len64(last.bits))
}

// contains says whether every bit of c is set in b.
func (b *bitmap) contains(c *bitmap) bool {
	for _, n := range c.nodes {
		i := sort.Search(len(b.nodes), func(i int) bool { return b.nodes[i].start >= n.start })
		if i == len(b.nodes) || b.nodes[i].start != n.start || n.bits&^b.nodes[i].bits != 0 {
			return false
		}
	}
	return true
}

// bitmap reads an ebitmap (ebitmap_read): nodes of 64 bits only, ascending, none empty.
func (r *reader) bitmap() bitmap {
	at := r.off
	unit, high, count := r.u32(), r.u32(), r.u32()
	switch {
	case r.err != nil:
		return bitmap{}
	case unit != 64:
		r.failAt(at, "a bitmap has units of %d bits, and 64 are expected", unit)
		return bitmap{}
	case high == 0:
		return bitmap{}
	case high > 1<<20:
		r.failAt(at, "a bitmap of %d bits", high)
		return bitmap{}
	case count == 0:
		r.failAt(at, "a bitmap of %d bits has no unit", high)
		return bitmap{}
	}
	high = (high + 63) / 64 * 64
	if !r.need(count, 12, 16) {
		return bitmap{}
	}
	nodes := make([]bitmapNode, count)
	next := uint32(0)
	for i := range nodes {
		at = r.off
		start, word := r.u32(), r.u64()
		switch {
		case start%64 != 0 || start < next:
			r.failAt(at, "unit %d of a bitmap starts at %d, behind its place", i, start)
		case start > high-64:
			r.failAt(at, "unit %d of a bitmap starts at %d of %d bits", i, start, high)
		case word == 0:
			r.failAt(at, "unit %d of a bitmap is empty", i)
		}
		if r.err != nil {
			return bitmap{}
		}
		nodes[i] = bitmapNode{start, word}
		next = start + 64
	}
	return bitmap{nodes}
}

// add sets a bit in place.
func (b *bitmap) add(n uint32) {
	start := n &^ 63
	i := sort.Search(len(b.nodes), func(i int) bool { return b.nodes[i].start >= start })
	if i == len(b.nodes) || b.nodes[i].start != start {
		b.nodes = slices.Insert(b.nodes, i, bitmapNode{start: start})
	}
	b.nodes[i].bits |= 1 << (n % 64)
}
