package image

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Modules are a kernel's modules that a guest needs, each behind those that it needs itself.
type Modules struct {
	Order  []string          // names, without .ko
	Path   map[string]string // of each, maybe compressed with xz
	Absent []string          // asked for, and neither there nor built into the kernel
}

// FindModules looks for modules with all that they depend on below dir, a /lib/modules/RELEASE as the package has it. A
// package has no modules.dep, which is made when it is installed: each module says itself on which others it depends.
func FindModules(ctx context.Context, dir string, names []string) (*Modules, error) {
	all, err := listModules(dir)
	if err != nil {
		return nil, err
	}
	builtin, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	m := &Modules{Path: map[string]string{}}
	s := &search{ctx: ctx, all: all, out: m, seen: map[string]bool{}}
	for _, n := range names {
		switch {
		case all[n] != "":
			if err := s.visit(n); err != nil {
				return nil, err
			}
		case !isBuiltin(string(builtin), n):
			m.Absent = append(m.Absent, n)
		}
	}
	return m, nil
}

// listModules returns the path of each module; names have underscores, where those of files may have either.
func listModules(dir string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, ok := strings.CutSuffix(strings.TrimSuffix(d.Name(), ".xz"), ".ko")
		if ok && !d.IsDir() {
			all[canonical(name)] = p
		}
		return nil
	})
	return all, err
}

func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

func isBuiltin(list, name string) bool {
	for line := range strings.Lines(list) {
		if canonical(strings.TrimSuffix(filepath.Base(strings.TrimSpace(line)), ".ko")) == name {
			return true
		}
	}
	return false
}

type search struct {
	ctx  context.Context
	all  map[string]string
	out  *Modules
	seen map[string]bool
}

// visit adds a module behind its dependencies.
func (s *search) visit(name string) error {
	if s.seen[name] {
		return nil
	}
	s.seen[name] = true
	p := s.all[name]
	if p == "" {
		return fmt.Errorf("the module %s, on which another depends, is not in the package", name)
	}
	data, err := ReadModule(s.ctx, p)
	if err != nil {
		return err
	}
	deps, err := dependencies(data)
	if err != nil {
		return fmt.Errorf("module %s: %w", name, err)
	}
	for _, d := range deps {
		if err := s.visit(d); err != nil {
			return err
		}
	}
	s.out.Order = append(s.out.Order, name)
	s.out.Path[name] = p
	return nil
}

// dependencies reads "depends=a,b" from a module's section .modinfo.
func dependencies(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("it has no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok && list != "" {
			return strings.Split(canonical(list), ","), nil
		}
	}
	return nil, nil
}

// ReadModule returns a module's contents, without the compression that some releases ship it with.
func ReadModule(ctx context.Context, path string) ([]byte, error) {
	if !strings.HasSuffix(path, ".xz") {
		return os.ReadFile(path)
	}
	out, err := exec.CommandContext(ctx, "xz", "-dc", path).Output()
	if err != nil {
		return nil, fmt.Errorf("xz %s: %w", filepath.Base(path), err)
	}
	return out, nil
}
