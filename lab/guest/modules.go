//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// loadModules loads the modules of dir in the order of its file "order": one that another needs comes first, else the
// kernel answers ENOENT for a symbol that it does not know.
func (g *guest) loadModules(dir string) error {
	order, err := os.ReadFile(filepath.Join(dir, "order"))
	if err != nil {
		return fmt.Errorf("the image has no list of modules: %w", err)
	}
	for _, name := range strings.Fields(string(order)) {
		if err := load(filepath.Join(dir, name)); err != nil {
			g.miss("module "+name, err)
			continue
		}
		g.modules = append(g.modules, strings.TrimSuffix(name, ".ko"))
	}
	return nil
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}
