package stack

import (
	"archive/tar"

	"syscallstory/image"
	"syscallstory/world"
)

// Image makes a layer of one of an image's. Its whiteouts are those of a layer that was unpacked.
func Image(t *image.Tree) Layer { return &packed{t, map[*image.Node]uint64{}} }

type packed struct {
	t   *image.Tree
	ids map[*image.Node]uint64
}

func (p *packed) Close() {}

var tarTypes = map[byte]uint16{tar.TypeReg: world.TypeReg, tar.TypeDir: world.TypeDir, tar.TypeSymlink: world.TypeLink, tar.TypeFifo: world.TypeFIFO, tar.TypeChar: world.TypeChar, tar.TypeBlock: world.TypeBlk}

func (p *packed) Object(path string) (*Object, error) {
	n := p.t.Nodes[path]
	if n == nil {
		return nil, nil
	}
	o := &Object{Type: tarTypes[n.Type], Mode: n.Mode, UID: uint32(n.UID), GID: uint32(n.GID), Size: n.Size, Allocated: n.Size, Links: 1, Target: n.Link, Null: n.Whiteout}
	if n.Opaque {
		o.Marks.Opaque = 'y'
	}
	if first := n.Same; first != "" {
		n = p.t.Nodes[first]
	}
	if n != nil && n.Type == tar.TypeReg { // a later member may be another name of it
		id := p.ids[n]
		if id == 0 {
			id = uint64(len(p.ids) + 1)
			p.ids[n] = id
		}
		o.Links, o.ID = 2, [2]uint64{0, id}
	}
	return o, nil
}

func (p *packed) Names(dir string) ([]string, error) { return p.t.Kids[dir], nil }
