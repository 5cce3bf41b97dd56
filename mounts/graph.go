package mounts

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
)

// row is a mount in the order in which it is shown, with its parent's row; -1: none.
type row struct {
	*Mount
	parent, depth int
}

// rows lists the mounts of a tree, each behind its parent.
func rows(root *Mount) []row {
	var out []row
	type open struct {
		m             *Mount
		parent, depth int
	}
	for todo := []open{{root, -1, 0}}; len(todo) > 0; {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := len(out)
		out = append(out, row{o.m, o.parent, o.depth})
		for i := len(o.m.Children) - 1; i >= 0; i-- {
			todo = append(todo, open{o.m.Children[i], n, o.depth + 1})
		}
	}
	return out
}

// name names a namespace.
func (n *Namespace) name() string {
	if n.PID == 0 {
		return n.Command
	}
	return fmt.Sprintf("mnt:[%d] of %s (pid %d)", n.NS, printable(n.Command), n.PID)
}

// DOT prints the trees as a graph: solid lines are parents, dotted ones lead from a peer group to its members, dashed ones to its
// slaves.
func DOT(w io.Writer, all []Namespace) error {
	b := bufio.NewWriterSize(w, 1<<16)
	b.WriteString("digraph mounts {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n")
	groups := map[uint32]bool{}
	var edges []string
	n := 0
	for i := range all {
		ns := &all[i]
		if ns.Root == nil {
			continue
		}
		fmt.Fprintf(b, "  subgraph cluster_%d {\n    label=%q;\n", i, ns.name())
		first := n
		for _, r := range rows(ns.Root) {
			fmt.Fprintf(b, "    m%d [label=%q];\n", n, printable(r.Point)+"\n"+r.Type+", "+r.propagation())
			if r.parent >= 0 {
				fmt.Fprintf(b, "    m%d -> m%d;\n", first+r.parent, n)
			}
			if r.Group != 0 {
				groups[r.Group] = true
				edges = append(edges, fmt.Sprintf("  g%d -> m%d [dir=both, style=dotted];\n", r.Group, n))
			}
			if r.Master != 0 {
				groups[r.Master] = true
				edges = append(edges, fmt.Sprintf("  g%d -> m%d [style=dashed];\n", r.Master, n))
			}
			n++
		}
		b.WriteString("  }\n")
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(b, "  g%d [shape=ellipse, label=\"group %d\"];\n", g, g)
	}
	for _, e := range edges {
		b.WriteString(e)
	}
	b.WriteString("}\n")
	return b.Flush()
}

// Flat reports whether no tree is so deep that indenting it would blow it up.
func Flat(all []Namespace) bool {
	for i := range all {
		if all[i].Root == nil {
			continue
		}
		for _, r := range rows(all[i].Root) {
			if r.depth > deepest {
				return false
			}
		}
	}
	return true
}
