package inside

import (
	"encoding/binary"
	"errors"
	"time"

	"syscallstory/probe"
)

// The Spec goes to the first process in a form of its own: numbers of eight bytes, strings and lists behind their length. A
// decoder that works by reflection would cost that process more than all of its mounts.

// coder writes or, with read, reads; the same code walks the structures both ways, so that it cannot fall apart.
type coder struct {
	b    []byte
	read bool
	err  error
}

// maxCoded bounds lengths that are read.
const maxCoded = 64 << 20

func (c *coder) num(v uint64) uint64 {
	if !c.read {
		c.b = binary.LittleEndian.AppendUint64(c.b, v)
		return v
	}
	if len(c.b) < 8 {
		c.err, c.b = errors.New("the spec ends too early"), nil
		return 0
	}
	v = binary.LittleEndian.Uint64(c.b)
	c.b = c.b[8:]
	return v
}

func (c *coder) bytes(v []byte) []byte {
	n := c.num(uint64(len(v)))
	if !c.read {
		c.b = append(c.b, v...)
		return v
	}
	if n > maxCoded || int(n) > len(c.b) {
		c.err, c.b = errors.New("the spec ends too early"), nil
		return nil
	}
	v = c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *coder) str(s *string) { *s = string(c.bytes([]byte(*s))) }

func (c *coder) flag(b *bool) {
	v := uint64(0)
	if *b {
		v = 1
	}
	*b = c.num(v) != 0
}

// integer codes any kind of number.
func integer[T ~int | ~int64 | ~uint32 | ~uint64 | ~uintptr](c *coder, v *T) {
	*v = T(c.num(uint64(*v)))
}

// list codes the elements of a slice.
func list[T any](c *coder, s *[]T, each func(*coder, *T)) {
	n := c.num(uint64(len(*s)))
	if c.read {
		if n > uint64(len(c.b)) { // each element has a byte at least
			c.err, c.b = errors.New("the spec ends too early"), nil
			return
		}
		*s = nil
		if n > 0 {
			*s = make([]T, n)
		}
	}
	for i := range *s {
		each(c, &(*s)[i])
	}
}

func (c *coder) spec(s *Spec) {
	str := func(c *coder, s *string) { c.str(s) }
	c.str(&s.Dir)
	c.str(&s.Hostname)
	list(c, &s.Trees, func(c *coder, t *Tree) {
		c.str(&t.Name)
		list(c, &t.Nodes, (*coder).node)
	})
	list(c, &s.Lower, str)
	c.node(&s.Upper)
	c.flag(&s.ReadOnly)
	list(c, &s.Mounts, func(c *coder, m *Mount) {
		c.str(&m.Target)
		c.str(&m.Type)
		integer(c, &m.Tree)
		c.str(&m.Source)
		integer(c, &m.Flags)
		c.str(&m.Data)
		c.flag(&m.Optional)
		c.flag(&m.IDMapped)
		c.flag(&m.MayFail)
	})
	c.str(&s.Cwd)
	list(c, &s.FDs, func(c *coder, f *FD) {
		integer(c, &f.N)
		c.str(&f.Path)
		integer(c, &f.Flags)
	})
	c.task(&s.Task)
	list(c, &s.Calls, call)
	list(c, &s.Command, str)
	list(c, &s.Env, str)
	c.str(&s.Label)
	c.str(&s.Context)
	ids := func(c *coder, m *IDs) {
		integer(c, &m.Inside)
		integer(c, &m.Outside)
		integer(c, &m.Count)
	}
	list(c, &s.UIDs, ids)
	list(c, &s.GIDs, ids)
	c.flag(&s.LowerIDs)
}

func call(c *coder, call *probe.Call) {
	integer(c, &call.NR)
	for i := range call.Args {
		integer(c, &call.Args[i].Val)
		call.Args[i].Data = c.bytes(call.Args[i].Data)
		list(c, &call.Args[i].Pointers, integer[int])
		integer(c, &call.Args[i].PIDOf)
		integer(c, &call.Args[i].PIDAt)
	}
	integer(c, &call.By)
	integer(c, &call.Makes)
}

func (c *coder) node(n *Node) {
	c.str(&n.Path)
	integer(c, &n.Mode)
	integer(c, &n.UID)
	integer(c, &n.GID)
	integer(c, &n.Size)
	c.str(&n.Link)
	integer(c, &n.Major)
	integer(c, &n.Minor)
	n.ACL = c.bytes(n.ACL)
	n.Caps = c.bytes(n.Caps)
	c.str(&n.Context)
	integer(c, &n.Flags)
}

func (c *coder) task(t *probe.Task) {
	cr := &t.Cred
	integer(c, &cr.UID)
	integer(c, &cr.GID)
	differ := cr.Others != nil
	if c.flag(&differ); differ {
		if cr.Others == nil {
			cr.Others = &probe.Others{}
		}
		for _, id := range []*uint32{&cr.Others.RealUID, &cr.Others.SavedUID, &cr.Others.RealGID, &cr.Others.SavedGID} {
			integer(c, id)
		}
	}
	list(c, &cr.Groups, func(c *coder, g *uint32) { integer(c, g) })
	for _, set := range []*uint64{&cr.Bounding, &cr.Inheritable, &cr.Permitted, &cr.Effective, &cr.Ambient} {
		integer(c, set)
	}
	integer(c, &cr.Securebits)
	c.flag(&cr.NoNewPrivs)
	c.flag(&t.Strict)
	list(c, &t.Filters, func(c *coder, f *probe.Filter) { *f = c.bytes(*f) })
	c.flag(&t.Leaves)
	c.flag(&t.Dumpable)
	integer(c, &t.Umask)
	list(c, &t.Keep, func(c *coder, n *int) { integer(c, n) })
	list(c, &t.Before, call)
	t.Timeout = time.Duration(c.num(uint64(t.Timeout)))
}

// Encode writes a Spec for the first process.
func (s *Spec) Encode() []byte {
	c := coder{b: make([]byte, 0, 32<<10)}
	c.spec(s)
	return c.b
}

// Decode reads what Encode has written.
func (s *Spec) Decode(b []byte) error {
	c := coder{b: b, read: true}
	c.spec(s)
	if c.err == nil && len(c.b) > 0 {
		c.err = errors.New("something follows the spec")
	}
	return c.err
}
