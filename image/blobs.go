package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// blobs are the files that an image is made of.
type blobs interface {
	has(name string) bool
	text(name string) ([]byte, error)
	open(name string) (io.ReadCloser, int64, error)
	close()
}

func openBlobs(p string) (blobs, error) {
	dir, err := isDir(p)
	if err != nil {
		return nil, err
	}
	if dir {
		root, err := os.OpenRoot(p)
		if err != nil {
			return nil, err
		}
		return &folder{root}, nil
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	a, err := index(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return a, nil
}

// folder is a layout in a directory; no name leads out of it.
type folder struct{ root *os.Root }

func (d *folder) close() { d.root.Close() }

func (d *folder) has(name string) bool {
	st, err := d.root.Lstat(name)
	return err == nil && st.Mode().IsRegular()
}

func (d *folder) open(name string) (io.ReadCloser, int64, error) {
	if !d.has(name) { // a FIFO would wait for a writer
		return nil, 0, fmt.Errorf("%s: there is no such file in it", name)
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

func (d *folder) text(name string) ([]byte, error) { return text(d, name) }

// text reads a manifest or a configuration.
func text(b blobs, name string) ([]byte, error) {
	f, size, err := b.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > MaxText {
		return nil, fmt.Errorf("%s: it has %d bytes, at most %d are read", name, size, MaxText)
	}
	return io.ReadAll(io.LimitReader(f, size))
}

// archive is a layout in an archive: where each member lies.
type archive struct {
	f       *os.File
	members map[string]member
}

type member struct{ at, size int64 }

// maxMembers is how many members an archive may have.
const maxMembers = 100_000

// index finds the members of an archive. It is read by seeking, not member by member.
func index(f *os.File) (*archive, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("an image is read from a directory or a file")
	}
	a := &archive{f, map[string]member{}}
	links := map[string]string{}
	r := tar.NewReader(f)
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("it is no archive: %w", err)
		}
		if n > maxMembers {
			return nil, fmt.Errorf("it has more than %d members", maxMembers)
		}
		name := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			at, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			if h.Size > st.Size()-at { // holes of a sparse member are not there
				return nil, fmt.Errorf("member %s claims %d bytes, more than the archive has", h.Name, h.Size)
			}
			a.members[name] = member{at, h.Size}
		case tar.TypeSymlink: // docker writes one for a layer that occurs twice
			links[name] = path.Join(path.Dir(name), h.Linkname)
		}
	}
	for name, to := range links {
		if m, ok := a.members[to]; ok {
			a.members[name] = m
		}
	}
	return a, nil
}

func (a *archive) close() { a.f.Close() }

func (a *archive) has(name string) bool {
	_, ok := a.members[path.Clean(name)]
	return ok
}

func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	m, ok := a.members[path.Clean(name)]
	if !ok {
		return nil, 0, fmt.Errorf("%s: there is no such member", name)
	}
	return io.NopCloser(io.NewSectionReader(a.f, m.at, m.size)), m.size, nil
}

func (a *archive) text(name string) ([]byte, error) { return text(a, name) }
