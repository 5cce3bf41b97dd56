package overlay

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/world"
)

// pattern is what a new file holds: no zeros, and no file holds what another one does.
func pattern(layer int, name string, size int64) string {
	unit := fmt.Sprintf("%d:%s|", layer, name)
	return strings.Repeat(unit, int(size)/len(unit)+1)[:size]
}

// content is what a file holds, and which of its pages the filesystem has: what was never written is a hole.
type content struct {
	data  string
	pages []bool
}

const pageSize = 4096

// hold keeps what a file holds and returns its handle.
func (b *model) hold(c content) uint32 {
	b.data = append(b.data, c)
	return uint32(len(b.data))
}

// held returns what a real file holds.
func (b *model) held(real world.DentryID) content {
	ino := b.FS.I(real)
	c := content{}
	if ino.Handle > 0 {
		c = b.data[ino.Handle-1]
	}
	return c.resized(ino.Size)
}

// resized is truncate.
func (c content) resized(n int64) content {
	c.data = resize(c.data, n)
	pages := make([]bool, (n+pageSize-1)/pageSize)
	copy(pages, c.pages)
	c.pages = pages
	return c
}

// written is pwrite.
func (c content) written(at int, s string) content {
	if c = c.resized(max(int64(len(c.data)), int64(at+len(s)))); s == "" {
		return c
	}
	c.data = c.data[:at] + s + c.data[at+len(s):]
	for p := at / pageSize; p <= (at+len(s)-1)/pageSize; p++ {
		c.pages[p] = true
	}
	return c
}

// copied is what a copy up makes of it: holes are left out up to the first data only, as a piece of a megabyte is copied at once
// (ovl_copy_up_file).
func (c content) copied() content {
	c = c.resized(int64(len(c.data)))
	if first := slices.Index(c.pages, true); first >= 0 {
		for p := first; p < len(c.pages); p++ {
			c.pages[p] = true
		}
	}
	return c
}

// blocks counts what tmpfs has allocated, in units of 512 bytes.
func (c content) blocks() (n int64) {
	for _, there := range c.pages {
		if there {
			n += pageSize / 512
		}
	}
	return n
}

func resize(data string, n int64) string {
	if int64(len(data)) >= n {
		return data[:n]
	}
	return data + strings.Repeat("\x00", int(n)-len(data))
}
