package mount

import "syscallstory/world"

// Unmounting before 6.17 looks at the counterparts one after another, so that what goes may depend on their order.

// spreadOrdered is propagate_umount up to 6.16.
func (t *Tree) spreadOrdered(set []ID) []ID {
	var o orderedUmount
	o.Tree = t
	for i := len(set) - 1; i >= 0; i-- {
		m := set[i]
		if t.Node(m).visited {
			continue
		}
		o.visit(m)
		parent, at := t.Node(m).Parent, t.Node(m).At
		if parent == m {
			continue
		}
		for q := t.following(parent, parent); q != 0; q = t.following(q, parent) {
			c := t.Lookup(q, at)
			if c == 0 {
				continue
			}
			if t.Node(c).visited {
				if q = o.passOver(q, parent); q == 0 {
					break
				}
				continue
			}
			if t.Node(c).going {
				o.visit(c)
				continue
			}
			for o.try(c) {
				if c = t.Node(c).Parent; !t.Node(c).visited {
					break
				}
			}
		}
	}
	for i := 0; i < len(o.gone); i++ {
		m := o.gone[i]
		for c := t.Node(m).firstChild; c != 0; {
			next := t.Node(c).nextSibling
			if t.Node(c).At == t.Node(m).Root {
				o.keep(c)
			} else {
				o.take(c)
			}
			c = next
		}
	}
	for i := 0; i < len(o.stays); i++ {
		m := o.stays[i]
		if !t.Node(m).restore {
			continue
		}
		e := t.edit(m)
		e.marked, e.restore, e.visited = false, false, false
		p, at := e.Parent, e.At
		for t.Node(p).going {
			p, at = t.Node(p).Parent, t.Node(p).At
		}
		if p != t.Node(m).Parent {
			t.reattach(m, p, at)
		}
	}
	for _, m := range o.seen {
		t.edit(m).visited = false
	}
	return append(set, o.gone...)
}

// orderedUmount is the three lists that propagate_umount keeps.
type orderedUmount struct {
	*Tree
	seen, gone, stays []ID
}

func (o *orderedUmount) visit(m ID) {
	o.edit(m).visited = true
	o.seen = append(o.seen, m)
}

// passOver is skip_propagation_subtree up to 6.16: it returns the last mount of what gets events from m.
func (o *orderedUmount) passOver(m, origin ID) ID {
	for {
		n := o.Node(m)
		switch {
		case o.newcomer(m) || n.firstSlave == 0:
			return m
		default:
			m = n.lastSlave
		}
	}
}

func (o *orderedUmount) take(m ID) {
	e := o.edit(m)
	e.marked, e.visited, e.restore, e.going = false, false, false, true
	o.unlist(m)
	o.gone = append(o.gone, m)
}

// keep puts a mount at the end of those that are restored.
func (o *orderedUmount) keep(m ID) {
	e := o.edit(m)
	if e.restore {
		for i, s := range o.stays {
			if s == m {
				o.stays = append(o.stays[:i], o.stays[i+1:]...)
				break
			}
		}
	}
	e.visited, e.restore = true, true
	o.stays = append(o.stays, m)
}

// try is __propagate_umount: it reports whether something has changed for the mount's parent.
func (o *orderedUmount) try(m ID) bool {
	n := o.Node(m)
	if n.going || n.marked {
		return false
	}
	for c := range o.Children(m) {
		k := o.Node(c)
		if k.At == n.Root || k.visited && k.marked {
			continue
		}
		o.keep(m)
		return false
	}
	o.edit(m).marked = true
	if n.Locks&world.LockAttached == 0 {
		o.take(m)
	} else {
		o.keep(m)
	}
	return true
}
