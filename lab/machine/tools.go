package machine

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"syscallstory/lab/debian"
	"syscallstory/lab/image"
)

// toolPackages have the small programs of the guest, and the libraries that these need.
var toolPackages = []string{
	"busybox-static",
	"e2fsprogs", "libext2fs2", "libcom-err2", "libblkid1", "libuuid1", "libc6",
	"xfsprogs", "libinih1", "liburcu8",
	"btrfs-progs", "libudev1",
}

// toolFiles are taken from the packages, with the shared libraries of those that have some.
var toolFiles = []string{"bin/busybox", "sbin/mke2fs", "sbin/mkfs.xfs", "sbin/mkfs.btrfs", "etc/mke2fs.conf"}

// toolsRecord is what lies beside the tools as tools.json.
type toolsRecord struct {
	Packages []debian.Package `json:"packages"`
	Asked    []string         `json:"asked"`
}

// rootFiles are files of the guest's root that come from no package.
var rootFiles = []image.File{
	{Name: "etc/passwd", Mode: 0o644, Data: []byte("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")},
	{Name: "etc/group", Mode: 0o644, Data: []byte("root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n")},
	{Name: "etc/hosts", Mode: 0o644, Data: []byte("127.0.0.1 localhost lab\n")},
	{Name: "etc/nsswitch.conf", Mode: 0o644, Data: []byte("passwd: files\ngroup: files\nhosts: files\n")},
	{Name: "bin/sh", Mode: fs.ModeSymlink, Data: []byte("busybox")},
	{Name: "sbin/mkfs.ext4", Mode: fs.ModeSymlink, Data: []byte("mke2fs")},
	{Name: "root", Mode: fs.ModeDir | 0o700},
	{Name: "mnt", Mode: fs.ModeDir | 0o755},
	{Name: "usr/bin", Mode: fs.ModeDir | 0o755},
	{Name: "usr/sbin", Mode: fs.ModeDir | 0o755},
	{Name: "var/tmp", Mode: fs.ModeDir | 0o777},
	{Name: "var/lib", Mode: fs.ModeDir | 0o755},
	{Name: "home/user", Mode: fs.ModeDir | 0o755},
}

// tools returns the record of the tools, which are fetched where they are not there.
func (l *Lab) tools(ctx context.Context, update bool) (*toolsRecord, error) {
	asked := append(append([]string{}, toolPackages...), toolFiles...)
	old, dir := toolsRecord{}, l.path("tools")
	there := readJSON(filepath.Join(dir, "tools.json"), &old) == nil && reflect.DeepEqual(old.Asked, asked)
	if there && !update {
		return &old, nil
	}
	r := toolsRecord{Asked: asked}
	var err error
	if r.Packages, err = debian.Newest(ctx, toolPackages...); err != nil {
		return nil, err
	}
	if there && reflect.DeepEqual(r.Packages, old.Packages) {
		return &old, nil
	}
	l.say("fetching %d packages of tools", len(r.Packages))
	return &r, l.replace("tools", func(dir string) error { return l.unpackTools(ctx, &r, dir) })
}

func (l *Lab) unpackTools(ctx context.Context, r *toolsRecord, dir string) error {
	all := filepath.Join(dir, "packages")
	defer os.RemoveAll(all)
	debs, err := debian.Download(ctx, l.path("debs"), r.Packages...)
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if err := debian.Unpack(ctx, deb, all); err != nil {
			return err
		}
	}
	keep := map[string]bool{}
	for _, f := range toolFiles {
		keep[f] = true
		if filepath.Dir(f) == "etc" {
			continue
		}
		libs, err := image.Libraries(all, f)
		if err != nil {
			return err
		}
		for _, lib := range libs {
			keep[lib] = true
		}
	}
	for f := range keep {
		if err := copyResolved(all, f, filepath.Join(dir, "root", f)); err != nil {
			return err
		}
	}
	return writeJSON(filepath.Join(dir, "tools.json"), r)
}

// copyResolved copies a file of the packages below root, or the one that it links to; absolute links begin at root.
func copyResolved(root, name, to string) error {
	const maxLinks = 8
	for range maxLinks {
		target, err := os.Readlink(filepath.Join(root, name))
		if err != nil {
			break // it is no link
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join("/", filepath.Dir(name), target)
		}
		name = filepath.Clean(target)
	}
	info, err := os.Lstat(filepath.Join(root, name))
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}

// toolImage are the tools' part of the initial ramfs.
func (l *Lab) toolImage() ([]image.File, error) {
	files, err := image.Tree(filepath.Join(l.path("tools"), "root"), "lab/root")
	for _, f := range rootFiles {
		f.Name = "lab/root/" + f.Name
		files = append(files, f)
	}
	return files, err
}
