// Package image makes the initial ramfs of a guest: an archive in the kernel's own format, with the kernel's modules in
// the order in which they can be loaded.
package image

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// File is one file of an archive.
type File struct {
	Name   string      // from the root, without a leading slash
	Mode   fs.FileMode // permissions, and fs.ModeDir or fs.ModeSymlink
	Data   []byte      // contents, or where a link points
	Source string      // or the file of this machine that has the contents
}

// Tree lists a directory of this machine as files below prefix.
func Tree(dir, prefix string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := File{Name: path.Join(prefix, filepath.ToSlash(rel)), Mode: info.Mode()}
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			f.Data = []byte(target)
		case !d.IsDir():
			f.Source = p
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// Bits of a mode, as the kernel's archive has them.
const (
	modeDir, modeFile, modeLink = 0o040000, 0o100000, 0o120000
	trailer                     = "TRAILER!!!"
)

// Write writes the archive ("newc", Documentation/driver-api/early-userspace/buffer-format.rst). All files belong to root
// and have no times, so that the same files make the same archive. Directories that files need are added.
func Write(w io.Writer, files []File) error {
	a := &archive{w: w, made: map[string]bool{".": true}}
	files = slices.SortedStableFunc(slices.Values(files), func(x, y File) int { return strings.Compare(x.Name, y.Name) })
	for _, f := range files {
		if err := a.parents(path.Dir(f.Name)); err != nil {
			return err
		}
		if err := a.add(f); err != nil {
			return fmt.Errorf("image: %s: %w", f.Name, err)
		}
	}
	return a.entry(trailer, 0, 0, strings.NewReader(""))
}

type archive struct {
	w     io.Writer
	inode int
	made  map[string]bool // directories that are there
}

func (a *archive) parents(dir string) error {
	if a.made[dir] {
		return nil
	}
	if err := a.parents(path.Dir(dir)); err != nil {
		return err
	}
	return a.add(File{Name: dir, Mode: fs.ModeDir | 0o755})
}

func (a *archive) add(f File) error {
	perm := uint32(f.Mode.Perm())
	switch {
	case f.Mode.IsDir():
		if a.made[f.Name] {
			return nil
		}
		a.made[f.Name] = true
		return a.entry(f.Name, modeDir|perm, 0, strings.NewReader(""))
	case f.Mode.Type() == fs.ModeSymlink:
		return a.entry(f.Name, modeLink|0o777, int64(len(f.Data)), strings.NewReader(string(f.Data)))
	case f.Mode.Type() != 0:
		return fmt.Errorf("a file of type %s has no place here", f.Mode.Type())
	case f.Source == "":
		return a.entry(f.Name, modeFile|perm, int64(len(f.Data)), strings.NewReader(string(f.Data)))
	}
	src, err := os.Open(f.Source)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	return a.entry(f.Name, modeFile|perm, info.Size(), src)
}

// entry writes a header, the name and the contents, the latter two padded to four bytes.
func (a *archive) entry(name string, mode uint32, size int64, body io.Reader) error {
	if size > 0xffffffff {
		return fmt.Errorf("%d bytes are more than the format can say", size)
	}
	a.inode++
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name)
	if _, err := io.WriteString(a.w, pad(head)); err != nil {
		return err
	}
	n, err := io.Copy(a.w, io.LimitReader(body, size))
	if err == nil && n != size {
		err = fmt.Errorf("it is %d bytes long and was %d", n, size)
	}
	if err == nil {
		_, err = io.WriteString(a.w, "\x00\x00\x00"[:-size&3])
	}
	return err
}

func pad(s string) string { return s + "\x00\x00\x00"[:-len(s)&3] }
