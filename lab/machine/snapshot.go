package machine

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"syscallstory/lab/image"
	"syscallstory/lab/qemu"
	"syscallstory/lab/wire"
)

// parts is what a machine is made from.
type parts struct {
	spec   *Spec
	kernel *kernel
	files  []image.File // of the initial ramfs
	id     string       // a hash of everything that a saved machine depends on
}

// parts fetches and builds, and hashes.
func (l *Lab) parts(ctx context.Context, spec *Spec, update bool) (*parts, error) {
	version, err := qemu.Version(ctx)
	if err != nil {
		return nil, err
	}
	p := &parts{spec: spec}
	if p.kernel, err = l.kernel(ctx, spec.Series, update); err != nil {
		return nil, err
	}
	tools, err := l.tools(ctx, update)
	if err != nil {
		return nil, err
	}
	guest, err := l.build(ctx, "syscallstory/lab/guest", false)
	if err != nil {
		return nil, err
	}
	if p.files, err = l.toolImage(); err != nil {
		return nil, err
	}
	p.files = append(p.files, p.kernel.files()...)
	own := []image.File{{Name: "init", Mode: 0o755, Source: guest}}
	for _, f := range spec.Files {
		f.Name = "lab/root/" + f.Name
		own = append(own, f)
	}
	p.files = append(p.files, own...)

	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%+v\n%+v\n%+v\n", version, spec.config(p.kernel, "").Fingerprint(), p.kernel.kernelRecord, *tools, rootFiles)
	for _, f := range own {
		if err := hashFile(h, f); err != nil {
			return nil, err
		}
	}
	p.id = hex.EncodeToString(h.Sum(nil))[:16]
	return p, nil
}

func hashFile(h hash.Hash, f image.File) error {
	fmt.Fprintf(h, "%q %o %d\n", f.Name, f.Mode, len(f.Data))
	h.Write(f.Data)
	if f.Source == "" {
		return nil
	}
	src, err := os.Open(f.Source)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = io.Copy(h, src)
	return err
}

// writeInitrd writes the initial ramfs.
func (p *parts) writeInitrd(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := image.Write(w, p.files); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// cold boots a machine that leaves nothing behind.
func (l *Lab) cold(ctx context.Context, p *parts) (*Machine, error) {
	dir := l.path("cold.partial")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // the emulator has read kernel and initial ramfs into the guest's memory by then
	initrd := filepath.Join(dir, "initrd")
	if err := p.writeInitrd(initrd); err != nil {
		return nil, err
	}
	return p.boot(ctx, p.spec.config(p.kernel, initrd), qemu.Memory{})
}

// boot starts a machine and waits for it.
func (p *parts) boot(ctx context.Context, c *qemu.Config, mem qemu.Memory) (*Machine, error) {
	began := time.Now()
	vm, err := qemu.Start(ctx, c, mem, p.spec.Console)
	if err != nil {
		return nil, err
	}
	m := &Machine{vm: vm, conn: wire.NewConn(vm.Port), series: p.spec.Series}
	if err := m.wait(ctx); err != nil {
		m.Close()
		return nil, err
	}
	m.Taken = time.Since(began)
	return m, nil
}

// snapshot is a saved machine.
type snapshot struct {
	dir string
	snapshotRecord
}

type snapshotRecord struct {
	Hello wire.Hello `json:"hello"`
	Boot  float64    `json:"boot"` // seconds until it waited
	Save  float64    `json:"save"` // seconds that saving took
}

func (s *snapshot) file(name string) string { return filepath.Join(s.dir, name) }

// snapshot returns the saved machine, which is made where there is none.
func (l *Lab) snapshot(ctx context.Context, p *parts) (*snapshot, error) {
	name := "snapshot-" + p.spec.Series + "-" + p.id
	s := &snapshot{dir: l.path(name)}
	if readJSON(s.file("snapshot.json"), &s.snapshotRecord) == nil {
		now := time.Now()
		os.Chtimes(s.dir, now, now) // the oldest ones are removed
		return s, nil
	}
	l.say("booting %s to save it", p.kernel.Package)
	if err := l.replace(name, func(dir string) error { return s.make(ctx, p, dir) }); err != nil {
		return nil, err
	}
	l.say("booted in %.1f s, saved in %.1f s", s.Boot, s.Save)
	return s, l.prune()
}

func (s *snapshot) make(ctx context.Context, p *parts, dir string) error {
	initrd := filepath.Join(dir, "initrd")
	if err := p.writeInitrd(initrd); err != nil {
		return err
	}
	m, err := p.boot(ctx, p.spec.config(p.kernel, initrd), qemu.Memory{Path: filepath.Join(dir, "memory"), Share: true})
	if err != nil {
		return err
	}
	defer m.Close()
	began := time.Now()
	if err := m.vm.Save(ctx, filepath.Join(dir, "state")); err != nil {
		return m.failure("cannot be saved", err)
	}
	s.snapshotRecord = snapshotRecord{Hello: m.Hello, Boot: m.Taken.Seconds(), Save: time.Since(began).Seconds()}
	return writeJSON(filepath.Join(dir, "snapshot.json"), s.snapshotRecord)
}

// resume starts a machine from the saved one.
func (s *snapshot) resume(ctx context.Context, p *parts) (*Machine, error) {
	began := time.Now()
	vm, err := qemu.Resume(ctx, p.spec.config(p.kernel, s.file("initrd")), s.file("memory"), s.file("state"), p.spec.Console)
	if err != nil {
		return nil, fmt.Errorf("resuming the machine with Linux %s: %w", p.spec.Series, err)
	}
	return &Machine{Hello: s.Hello, Resumed: true, Taken: time.Since(began), vm: vm, conn: wire.NewConn(vm.Port), series: p.spec.Series}, nil
}

// keep is how many saved machines stay: each takes some 200 MB.
const keep = 6

// prune removes the ones that have not been used for longest.
func (l *Lab) prune() error {
	dirs, _ := filepath.Glob(l.path("snapshot-*"))
	used := map[string]time.Time{}
	for _, d := range dirs {
		if info, err := os.Stat(d); err == nil {
			used[d] = info.ModTime()
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return used[b].Compare(used[a]) })
	for i, d := range dirs {
		if i >= keep {
			if err := os.RemoveAll(d); err != nil {
				return err
			}
		}
	}
	return nil
}
