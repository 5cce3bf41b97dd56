package main

import (
	"archive/tar"
	"strings"

	"syscallstory/image"
	"syscallstory/story"
	"syscallstory/world"
)

// imageLayers puts the layers of an image into a world, as an engine unpacks them, the top one first.
func imageLayers(w *world.World, im *image.Image, at story.Origin) (roots []world.DentryID, names []string) {
	for i := len(im.Layers) - 1; i >= 0; i-- {
		l := &im.Layers[i]
		id := w.FS.NewSB(world.SB{Type: "ext4", Name: l.Digest, At: at, FlagsAt: at}, imageInode(l.Tree.Nodes[""], at))
		root := w.FS.SB(id).Root
		unpackTree(w, l.Tree, "", root, map[string]world.DentryID{}, at)
		roots, names = append(roots, root), append(names, l.Digest)
	}
	return roots, names
}

// unpackTree adds what a directory of a layer holds; files are those that hard links may name.
func unpackTree(w *world.World, t *image.Tree, dir string, to world.DentryID, files map[string]world.DentryID, at story.Origin) {
	var links []string
	for _, name := range t.Kids[dir] {
		p := strings.TrimPrefix(dir+"/"+name, "/")
		n := t.Nodes[p]
		if n.Same != "" {
			links = append(links, name)
			continue
		}
		d := w.FS.Add(to, name, imageInode(n, at))
		files[p] = d
		if n.Type == tar.TypeDir {
			unpackTree(w, t, p, d, files, at)
		}
	}
	for _, name := range links {
		n := t.Nodes[strings.TrimPrefix(dir+"/"+name, "/")]
		if first, ok := files[n.Same]; ok {
			w.FS.I(w.FS.Link(to, name, w.FS.D(first).Inode)).Nlink++
			continue
		}
		plain := *n // its other name comes later
		plain.Type = tar.TypeReg
		files[n.Same] = w.FS.Add(to, name, imageInode(&plain, at))
	}
}

// imageInode is a file of a layer.
func imageInode(n *image.Node, at story.Origin) world.Inode {
	types := map[byte]uint16{tar.TypeDir: world.TypeDir, tar.TypeSymlink: world.TypeLink, tar.TypeChar: world.TypeChar, tar.TypeBlock: world.TypeBlk, tar.TypeFifo: world.TypeFIFO}
	ino := world.Inode{Mode: world.TypeReg, UID: world.KUID(n.UID), GID: world.KGID(n.GID), Size: n.Size, Link: n.Link, Major: uint32(n.Major), Minor: uint32(n.Minor), Known: world.KnownAll, Nlink: 1, At: at}
	if typ, ok := types[n.Type]; ok {
		ino.Mode = typ
	}
	ino.Mode |= n.Mode & 0o7777
	switch {
	case n.Whiteout:
		ino.Mode, ino.Whited = world.TypeChar, true
	case ino.Is(world.TypeDir):
		ino.Whole, ino.Nlink = true, 2
		if n.Opaque {
			ino.Marks = &world.Marks{Opaque: 'y'}
		}
	case ino.Is(world.TypeLink):
		ino.Mode |= 0o777
		ino.Size = int64(len(n.Link))
	}
	for name, value := range n.Xattrs {
		ino.Xattrs = append(ino.Xattrs, world.Xattr{Name: name, Size: len(value)})
		if name == world.XattrCaps {
			if caps, err := world.ParseFileCaps([]byte(value)); err == nil {
				ino.Caps = &caps
			}
		}
	}
	return ino
}
