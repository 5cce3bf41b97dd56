package image

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Libraries returns the shared libraries that a program needs, and those that they need, with the loader first. They are
// looked for below root, where packages have been unpacked, and named from there.
func Libraries(root, program string) ([]string, error) {
	l := &libraries{root: root, seen: map[string]bool{}}
	if err := l.add(program); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return l.found, nil
}

type libraries struct {
	root  string
	seen  map[string]bool
	found []string
}

func (l *libraries) add(file string) error {
	f, err := elf.Open(filepath.Join(l.root, file))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz)
			if _, err := p.ReadAt(b, 0); err != nil {
				return err
			}
			l.found = append(l.found, strings.Trim(string(b), "/\x00"))
		}
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, n := range names {
		if l.seen[n] {
			continue
		}
		l.seen[n] = true
		at, err := l.find(n)
		if err != nil {
			return err
		}
		l.found = append(l.found, at)
		if err := l.add(at); err != nil {
			return err
		}
	}
	return nil
}

func (l *libraries) find(name string) (string, error) {
	for _, dir := range []string{"lib/*-linux-gnu", "usr/lib/*-linux-gnu", "lib64", "usr/lib64"} {
		if m, _ := filepath.Glob(filepath.Join(l.root, dir, name)); len(m) > 0 {
			if _, err := os.Stat(m[0]); err == nil {
				return filepath.Rel(l.root, m[0])
			}
		}
	}
	return "", fmt.Errorf("the library %s is in none of the packages", name)
}
