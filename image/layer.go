package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Tree is what a layer holds, by path without a leading slash; the root is empty.
type Tree struct {
	Nodes map[string]*Node
	Kids  map[string][]string // of a directory, in the order of the archive
}

// Node is one name of a layer.
type Node struct {
	Type     byte // archive/tar's
	Mode     uint16
	UID, GID int
	Size     int64
	Link     string // of a symbolic link
	Same     string // of a hard link: the first name
	Major    int64
	Minor    int64
	Whiteout bool // it hides what lower layers have
	Opaque   bool // a directory that hides what lower layers have in it
	Xattrs   map[string]string
}

// Budget is what the layers of an image may still hold, all of them together.
type Budget struct {
	names            int
	packed, unpacked int64
}

// NewBudget is that of one image.
func NewBudget() *Budget { return &Budget{names: MaxEntries} }

// readLayer reads one layer's archive.
func readLayer(b blobs, d descriptor, left *Budget) (*Tree, int64, error) {
	name := d.Digest
	sum := ""
	if strings.HasPrefix(name, "sha256:") {
		var err error
		if name, err = blob(d.Digest); err != nil {
			return nil, 0, err
		}
		sum = strings.TrimPrefix(d.Digest, "sha256:")
	}
	f, size, err := b.open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	hash := sha256.New()
	packed := bufio.NewReaderSize(io.TeeReader(f, hash), 64<<10)
	t, err := ReadLayer(packed, size, left)
	if _, e := io.Copy(io.Discard, packed); e != nil {
		return nil, 0, e
	}
	if got := hex.EncodeToString(hash.Sum(nil)); sum != "" && got != sum {
		return nil, 0, fmt.Errorf("the blob is not what its digest says: it has sha256:%s", got)
	}
	return t, size, err
}

// maxWindow is how far back an archive that is packed with zstd may refer: more than any builder asks for.
const maxWindow = 64 << 20

// ReadLayer reads a layer's archive, packed with gzip, with zstd or not at all; size is how many bytes r has.
func ReadLayer(r *bufio.Reader, size int64, left *Budget) (*Tree, error) {
	magic, _ := r.Peek(4)
	var in io.Reader = r
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		in = z
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxWindow))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		in = z
	}
	t := &Tree{Nodes: map[string]*Node{"": {Type: tar.TypeDir, Mode: 0o755}}, Kids: map[string][]string{}}
	left.packed += size
	a := tar.NewReader(&bounded{r: in, left: left})
	for {
		h, err := a.Next()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		if left.names--; left.names < 0 {
			return nil, fmt.Errorf("the layers have more than %d names", MaxEntries)
		}
		if err := t.add(h); err != nil {
			return nil, fmt.Errorf("member %q: %w", h.Name, err)
		}
	}
}

// bounded ends a stream that grows beyond measure when it is unpacked.
type bounded struct {
	r    io.Reader
	n    int64
	left *Budget
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left.unpacked += int64(n)
	switch b.n += int64(n); {
	case b.n > MaxUnpacked:
		return n, fmt.Errorf("it unpacks to more than %d bytes", int64(MaxUnpacked))
	case b.left.unpacked > RatioFrom && b.left.unpacked/MaxRatio > b.left.packed:
		return n, fmt.Errorf("%d bytes of layers unpack to more than %d times as many", b.left.packed, MaxRatio)
	}
	return n, err
}

// inside is a member's path without a leading slash, which must not lead out of the layer.
func inside(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "..":
			return "", errors.New("its .. leads out of the layer")
		case len(part) > 255:
			return "", errors.New("a name has at most 255 bytes")
		case strings.ContainsRune(part, 0):
			return "", errors.New("a name holds no zero byte")
		}
	}
	if len(name) > 4095 {
		return "", errors.New("a path has at most 4095 bytes")
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

const (
	whiteoutPrefix = ".wh."
	opaqueName     = ".wh..wh..opq"
)

// add puts a member into the tree.
func (t *Tree) add(h *tar.Header) error {
	name, err := inside(h.Name)
	if err != nil {
		return err
	}
	if h.Size < 0 || h.Size > MaxFile {
		return fmt.Errorf("it claims %d bytes, at most %d are taken", h.Size, int64(MaxFile))
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	if err := t.parents(dir); err != nil {
		return err
	}
	switch {
	case base == opaqueName:
		t.Nodes[dir].Opaque = true
		return nil
	case strings.HasPrefix(base, ".wh..wh."): // aufs's own files
		return nil
	case strings.HasPrefix(base, whiteoutPrefix):
		base = strings.TrimPrefix(base, whiteoutPrefix)
		if base == "" || base == "." || base == ".." {
			return errors.New("a whiteout of no name")
		}
		t.put(path.Join(dir, base), &Node{Type: tar.TypeChar, Whiteout: true})
		return nil
	}
	n := &Node{Type: h.Typeflag, Mode: uint16(h.Mode & 0o7777), UID: h.Uid, GID: h.Gid, Link: "", Major: h.Devmajor, Minor: h.Devminor}
	for k, v := range h.PAXRecords {
		if attr, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok {
			if n.Xattrs == nil {
				n.Xattrs = map[string]string{}
			}
			n.Xattrs[attr] = v
		}
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		n.Type, n.Size = tar.TypeReg, h.Size
	case tar.TypeSymlink:
		n.Link, n.Size = h.Linkname, int64(len(h.Linkname))
	case tar.TypeLink:
		to, err := inside(h.Linkname)
		if err != nil {
			return fmt.Errorf("a hard link to %q: %w", h.Linkname, err)
		}
		have, ok := t.Nodes[to]
		if !ok || have.Type == tar.TypeDir || have.Whiteout {
			return fmt.Errorf("a hard link to %q, which is no file of the layer", h.Linkname)
		}
		*n = *have
		if n.Same = have.Same; n.Same == "" {
			n.Same = to
		}
	case tar.TypeChar, tar.TypeBlock:
		n.Whiteout = h.Typeflag == tar.TypeChar && h.Devmajor == 0 && h.Devminor == 0
	case tar.TypeDir, tar.TypeFifo:
	default:
		return fmt.Errorf("a member of the type %q", h.Typeflag)
	}
	if old := t.Nodes[name]; old != nil && old.Type == tar.TypeDir && n.Type == tar.TypeDir {
		n.Opaque = old.Opaque
	}
	t.put(name, n)
	return nil
}

// parents makes the directories above a member that the archive does not name.
func (t *Tree) parents(dir string) error {
	if n := t.Nodes[dir]; n != nil {
		if n.Type != tar.TypeDir {
			return fmt.Errorf("%q above it is no directory", dir)
		}
		return nil
	}
	up, _ := path.Split(dir)
	if err := t.parents(strings.TrimSuffix(up, "/")); err != nil {
		return err
	}
	t.put(dir, &Node{Type: tar.TypeDir, Mode: 0o755})
	return nil
}

// put adds a node, or replaces one.
func (t *Tree) put(name string, n *Node) {
	if old := t.Nodes[name]; old == nil {
		dir, base := path.Split(name)
		dir = strings.TrimSuffix(dir, "/")
		if name != "" {
			t.Kids[dir] = append(t.Kids[dir], base)
		}
	} else if old.Type == tar.TypeDir && n.Type != tar.TypeDir {
		t.drop(name)
	}
	t.Nodes[name] = n
}

// drop takes away what a directory holds that another member has replaced.
func (t *Tree) drop(dir string) {
	for _, k := range t.Kids[dir] {
		child := path.Join(dir, k)
		t.drop(child)
		delete(t.Nodes, child)
	}
	delete(t.Kids, dir)
}
