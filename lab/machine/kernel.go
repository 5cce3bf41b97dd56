package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"syscallstory/lab/debian"
	"syscallstory/lab/image"
)

// Series are the kernels that Debian has packages of here: its stable release's own, and the one of its backports.
var Series = []string{"6.1", "6.12"}

// arch is Debian's name of the architecture. The probe of syscalls knows no other one.
const arch = "amd64"

// modules are loaded in every guest, with all that they depend on: what the lab needs itself, what worlds are made of, and
// the checksums that these ask for by an alias, for which a running system has modprobe.
var modules = []string{
	"virtio_pci", "virtio_console",
	"crc32c_generic", "xxhash_generic", "blake2b_generic", "sha256_generic",
	"overlay", "ext4", "xfs", "btrfs", "squashfs", "fuse", "loop", "9p", "9pnet_virtio", "tun", "binfmt_misc",
}

// kernel is an unpacked kernel.
type kernel struct {
	dir string
	kernelRecord
}

// kernelRecord is what lies beside it as kernel.json: what it was made from.
type kernelRecord struct {
	Package debian.Package `json:"package"`
	Release string         `json:"release"` // as uname -r prints it
	Asked   []string       `json:"asked"`   // modules
	Order   []string       `json:"order"`   // in which they are loaded
	Absent  []string       `json:"absent,omitempty"`
}

func (k *kernel) image() string { return filepath.Join(k.dir, "vmlinuz") }

// kernel returns the kernel of a series. apt is asked where there is none, and with update for a newer one.
func (l *Lab) kernel(ctx context.Context, series string, update bool) (*kernel, error) {
	name := "kernel-" + series
	k := &kernel{dir: l.path(name)}
	there := readJSON(filepath.Join(k.dir, "kernel.json"), &k.kernelRecord) == nil
	fits := there && reflect.DeepEqual(k.Asked, modules)
	if fits && !update {
		return k, nil
	}
	pkg := k.Package
	if !there || update {
		var err error
		if pkg, err = debian.KernelImage(ctx, series, arch); err != nil {
			return nil, err
		}
		if fits && pkg == k.Package {
			return k, nil
		}
	}
	l.say("fetching %s", pkg)
	debs, err := debian.Download(ctx, l.path("debs"), pkg)
	if err != nil {
		return nil, err
	}
	l.say("unpacking %s", pkg.Name)
	if err := l.replace(name, func(dir string) (err error) { k.kernelRecord, err = unpackKernel(ctx, pkg, debs[0], dir); return err }); err != nil {
		return nil, err
	}
	return k, nil
}

// unpackKernel fills dir: of some four thousand modules a few dozen are kept.
func unpackKernel(ctx context.Context, pkg debian.Package, deb, dir string) (kernelRecord, error) {
	r := kernelRecord{Package: pkg, Asked: modules}
	all := filepath.Join(dir, "package")
	defer os.RemoveAll(all)
	if err := debian.Unpack(ctx, deb, all); err != nil {
		return r, err
	}
	images, _ := filepath.Glob(filepath.Join(all, "boot/vmlinuz-*"))
	if len(images) != 1 {
		return r, fmt.Errorf("the package %s has %d kernels, not one", pkg.Name, len(images))
	}
	_, r.Release, _ = strings.Cut(filepath.Base(images[0]), "-")
	if err := os.Rename(images[0], filepath.Join(dir, "vmlinuz")); err != nil {
		return r, err
	}
	if err := os.Rename(filepath.Join(all, "boot", "config-"+r.Release), filepath.Join(dir, "config")); err != nil {
		return r, err
	}
	lib := filepath.Join(all, "lib/modules", r.Release)
	if _, err := os.Stat(lib); err != nil {
		lib = filepath.Join(all, "usr/lib/modules", r.Release)
	}
	found, err := image.FindModules(ctx, lib, modules)
	if err != nil {
		return r, err
	}
	r.Order, r.Absent = found.Order, found.Absent
	if err := os.Mkdir(filepath.Join(dir, "modules"), 0o755); err != nil {
		return r, err
	}
	for _, m := range found.Order {
		data, err := image.ReadModule(ctx, found.Path[m])
		if err != nil {
			return r, err
		}
		if err := os.WriteFile(filepath.Join(dir, "modules", m+".ko"), data, 0o644); err != nil {
			return r, err
		}
	}
	return r, writeJSON(filepath.Join(dir, "kernel.json"), r)
}

// files are the kernel's part of the initial ramfs.
func (k *kernel) files() []image.File {
	files := []image.File{{Name: "lab/root/boot/config-" + k.Release, Mode: 0o644, Source: filepath.Join(k.dir, "config")}}
	var order strings.Builder
	for _, m := range k.Order {
		fmt.Fprintln(&order, m+".ko")
		files = append(files, image.File{Name: "lab/modules/" + m + ".ko", Mode: 0o644, Source: filepath.Join(k.dir, "modules", m+".ko")})
	}
	return append(files, image.File{Name: "lab/modules/order", Mode: 0o644, Data: []byte(order.String())})
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
