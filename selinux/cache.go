package selinux

import "math/rand/v2"

// Cache keeps decisions, as the kernel's access vector cache does: for callers that ask about the same few labels again and
// again. It belongs to one policy and one goroutine, and has a fixed size.
type Cache struct {
	p     *Policy
	sids  map[Label]SID
	label []Label
	slots [cacheSlots]cached
	seed  uint64
}

// SID stands for a label in a Cache, the zero value for none.
type SID uint32

type cached struct {
	key uint64
	d   Decision
}

const (
	cacheSlots = 1 << 12
	maxSIDs    = 1 << 16
)

// NewCache returns an empty cache.
func NewCache(p *Policy) *Cache {
	return &Cache{p: p, sids: map[Label]SID{}, seed: rand.Uint64() | 1}
}

// SID returns what stands for a label. Behind 65,536 labels all are forgotten, and earlier SIDs mean nothing any more.
func (c *Cache) SID(l Label) SID {
	if s, ok := c.sids[l]; ok {
		return s
	}
	if len(c.label) == maxSIDs {
		*c = *NewCache(c.p)
	}
	c.label = append(c.label, l)
	s := SID(len(c.label))
	c.sids[l] = s
	return s
}

// Decide is Policy.Decide for labels that have SIDs.
func (c *Cache) Decide(source, target SID, class Class) Decision {
	if source == 0 || target == 0 || int(source) > len(c.label) || int(target) > len(c.label) {
		return c.p.Decide(Label{}, Label{}, class)
	}
	key := uint64(source)<<40 | uint64(target)<<16 | uint64(class) // a source is never 0, and so no key is
	x := &c.slots[key*c.seed>>32%cacheSlots]
	if x.key != key {
		*x = cached{key, c.p.Decide(c.label[source-1], c.label[target-1], class)}
	}
	return x.d
}
