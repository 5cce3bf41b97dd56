package world

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"syscallstory/kernel"
	"syscallstory/story"
)

// SnapshotVersion is the version of a snapshot's JSON. It grows when facts are taken away or numbered anew; facts that are added do not
// change it, as an older build says of a newer snapshot which field it does not know.
const SnapshotVersion = "1"

// MaxSnapshot bounds a snapshot's size in bytes.
const MaxSnapshot = 128 << 20

// image is a world as a snapshot holds it.
type image struct {
	SchemaVersion string
	Kind          string // world
	Origins       originsImage
	Files         filesImage
	World         World
}

// originsImage is Origins with its tables in the open.
type originsImage struct {
	Known   []story.Place
	Missing []story.Assumption
	Assumed []assumedImage
}

type assumedImage struct {
	At    story.Origin
	Why   string
	Quiet bool
}

// filesImage is an FS. A name stands in its directory unless it is listed as unnamed; absent names are known not to be there.
type filesImage struct {
	Filesystems []SB
	Inodes      []Inode
	Names       []Dentry
	Unnamed     []DentryID
	Absent      []absentName
}

type absentName struct {
	Dir  DentryID
	Name string
}

// WriteSnapshot writes the world with every file that has been read of it. Contents of files and the task's environment are no facts of a
// world and are not in it.
func (w *World) WriteSnapshot(out io.Writer) error {
	im := image{SchemaVersion: SnapshotVersion, Kind: "world", World: *w}
	im.Origins = originsImage{Known: w.known, Missing: w.missing}
	for _, at := range w.assumed {
		im.Origins.Assumed = append(im.Origins.Assumed, assumedImage{at, w.why[at], w.quiet[at]})
	}
	fs := w.FS
	im.Files = filesImage{Filesystems: fs.sbs, Inodes: slices.Clone(fs.inodes), Names: fs.dentries}
	for i := range im.Files.Inodes {
		ino := &im.Files.Inodes[i]
		ino.Handle = 0
		if ino.Pending { // nobody has asked for it
			*ino = Inode{SB: ino.SB, At: w.Miss("it was not read for the snapshot", "story snapshot with --path")}
		}
	}
	im.Origins.Missing = w.missing
	for d := 1; d < len(fs.dentries); d++ {
		if e := &fs.dentries[d]; e.Parent != DentryID(d) && fs.children[childKey{e.Parent, e.Name}] != DentryID(d) {
			im.Files.Unnamed = append(im.Files.Unnamed, DentryID(d))
		}
	}
	for k, d := range fs.children {
		if d == 0 {
			im.Files.Absent = append(im.Files.Absent, absentName{k.dir, k.name})
		}
	}
	slices.SortFunc(im.Files.Absent, func(a, b absentName) int {
		if a.Dir != b.Dir {
			return int(a.Dir) - int(b.Dir)
		}
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	im.World.SELinux.Engine = nil // the policy's name and hash stay, and its file where it was packed
	im.World.Sources = nil        // excerpts of manifests may hold secrets
	e := &encoder{Writer: bufio.NewWriterSize(out, 1<<16), byType: map[reflect.Type][]reflect.StructField{}}
	e.value(reflect.ValueOf(im))
	e.WriteByte('\n')
	return e.Flush()
}

// ReadSnapshot reads a snapshot. Files that it does not hold are unknown.
func ReadSnapshot(r io.Reader) (*World, error) {
	limited := &io.LimitedReader{R: r, N: MaxSnapshot + 1}
	d := &decoder{Decoder: json.NewDecoder(limited), path: []string{"snapshot"}, byType: map[reflect.Type]map[string][]int{}}
	d.UseNumber()
	var im image
	err := d.value(reflect.ValueOf(&im).Elem())
	if limited.N <= 0 {
		return nil, fmt.Errorf("snapshot: it has more than %d bytes", MaxSnapshot)
	}
	if err != nil {
		return nil, err
	}
	if im.Kind != "world" || im.SchemaVersion != SnapshotVersion {
		return nil, fmt.Errorf("snapshot: kind %q of version %q: a world of version %s is expected", im.Kind, im.SchemaVersion, SnapshotVersion)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("snapshot: something follows the world")
	}
	if err := im.check(); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return im.world()
}

// world puts the parts together.
func (im *image) world() (*World, error) {
	w := &im.World
	w.known, w.missing = im.Origins.Known, im.Origins.Missing
	w.why, w.quiet = map[story.Origin]string{}, map[story.Origin]bool{}
	for _, a := range im.Origins.Assumed {
		w.assumed = append(w.assumed, a.At)
		w.why[a.At] = a.Why
		if a.Quiet {
			w.quiet[a.At] = true
		}
	}
	f := &im.Files
	fs := &FS{dentries: f.Names, inodes: f.Inodes, sbs: f.Filesystems, children: make(map[childKey]DentryID, len(f.Names))}
	unnamed := map[DentryID]bool{}
	for _, d := range f.Unnamed {
		unnamed[d] = true
	}
	for i := 1; i < len(fs.dentries); i++ {
		if d := &fs.dentries[i]; d.Parent != DentryID(i) && !unnamed[DentryID(i)] {
			fs.children[childKey{d.Parent, d.Name}] = DentryID(i)
		}
		fs.dentries[i].Mounted = false
	}
	for _, a := range f.Absent {
		fs.children[childKey{a.Dir, a.Name}] = 0
	}
	for i := 1; i < len(fs.sbs); i++ {
		fs.sbs[i].Source = notHeld{w}
	}
	w.FS, w.mounted = fs, map[Path]MountID{}
	for i := 1; i < len(w.Mounts); i++ {
		if m := &w.Mounts[i]; m.Parent != MountID(i) {
			w.mounted[Path{m.Parent, m.At}] = MountID(i)
			fs.dentries[m.At].Mounted = true
		}
	}
	return w, nil
}

// notHeld is the Source of a snapshot's filesystems: what was not read is not known.
type notHeld struct{ w *World }

// Lookup finds nothing: what the snapshot holds is in the arena already.
func (s notHeld) Lookup(fs *FS, dir DentryID, name string) (DentryID, State) {
	at := s.w.Miss(fmt.Sprintf("the snapshot does not hold all of %q", fs.Path(dir)), "story snapshot with the call, or with --path")
	return fs.Add(dir, name, Inode{At: at}), Unsure
}

// check refuses what no world can hold: an index that leads nowhere, a directory that is its own ancestor.
func (im *image) check() error {
	f, w := &im.Files, &im.World
	if len(f.Names) == 0 || len(f.Inodes) == 0 || len(f.Filesystems) == 0 || len(w.UserNS) == 0 || len(w.Mounts) < 2 || len(w.MountNS) == 0 {
		return errors.New("it holds no files or no mounts")
	}
	limits := map[reflect.Type]int{
		reflect.TypeFor[DentryID](): len(f.Names), reflect.TypeFor[InodeID](): len(f.Inodes), reflect.TypeFor[SBID](): len(f.Filesystems), reflect.TypeFor[MountID](): len(w.Mounts),
		reflect.TypeFor[UserNSID](): len(w.UserNS), reflect.TypeFor[NamespaceID](): max(1, len(w.Namespaces)), reflect.TypeFor[NSKind](): int(NumNSKinds),
		reflect.TypeFor[SeccompMode](): int(SeccompNotKnown) + 1, reflect.TypeFor[story.Outcome](): int(story.Unknown) + 1, reflect.TypeFor[ACLTag](): int(ACLOther) + 1,
		reflect.TypeFor[kernel.Sysctl](): int(kernel.NumSysctls),
	}
	c := &checker{limits: limits, known: max(1, len(im.Origins.Known)), missing: max(1, len(im.Origins.Missing))}
	if err := c.value(reflect.ValueOf(im).Elem()); err != nil {
		return err
	}
	if !acyclic(len(f.Names), func(i int) int { return int(f.Names[i].Parent) }) || !acyclic(len(w.Mounts), func(i int) int { return int(w.Mounts[i].Parent) }) ||
		!acyclic(len(w.UserNS), func(i int) int { return int(w.UserNS[i].Parent) }) || !acyclic(len(w.Namespaces), func(i int) int { return int(w.Namespaces[i].Parent) }) {
		return errors.New("something is its own ancestor")
	}
	if w.Task.Root.Mount == 0 || w.Task.Cwd.Mount == 0 || int(w.Task.MountNS) >= len(w.MountNS) {
		return errors.New("the task has no root")
	}
	for i := range w.Mounts {
		m := &w.Mounts[i]
		if int(m.NS) >= len(w.MountNS) || i > 0 && m.Parent == 0 {
			return errors.New("a mount is in no mount namespace")
		}
	}
	for i := range w.Processes {
		if int(w.Processes[i].MountNS) >= len(w.MountNS) {
			return errors.New("a process is in no mount namespace")
		}
	}
	for _, n := range w.NSFiles {
		if !w.holds(n.File) {
			return errors.New("a file of nsfs stands for no namespace")
		}
	}
	for i := range w.Task.FDs {
		if d := &w.Task.FDs[i]; d.Kind == FDNamespace && !w.holds(d.NS) {
			return fmt.Errorf("descriptor %d stands for no namespace", d.N)
		}
	}
	for i := range f.Inodes {
		for _, l := range f.Inodes[i].Layers { // an overlay is made after its layers
			if f.Inodes[f.Names[l].Inode].SB >= f.Inodes[i].SB {
				return errors.New("an overlay is a layer of itself")
			}
		}
	}
	for i := range f.Filesystems {
		ov := f.Filesystems[i].Overlay
		for k := 0; ov != nil && k <= len(ov.Lower); k++ {
			l := ov.Upper
			if k < len(ov.Lower) {
				l = ov.Lower[k]
			}
			if l != 0 && int(f.Inodes[f.Names[l].Inode].SB) >= i {
				return errors.New("an overlay is a layer of itself")
			}
		}
	}
	return nil
}

// acyclic reports whether every chain of parents ends.
func acyclic(n int, parent func(int) int) bool {
	state := make([]uint8, n) // 1: on the way, 2: it ends
	for i := range n {
		at := i
		for state[at] == 0 {
			state[at] = 1
			up := parent(at)
			if up == at {
				break
			}
			at = up
		}
		if state[at] == 1 && parent(at) != at {
			return false
		}
		for at := i; state[at] == 1; at = parent(at) {
			state[at] = 2
		}
	}
	return true
}

// checker looks for indexes that lead nowhere.
type checker struct {
	limits         map[reflect.Type]int
	known, missing int
}

func (c *checker) value(v reflect.Value) error {
	t := v.Type()
	if limit, ok := c.limits[t]; ok {
		if v.Uint() >= uint64(limit) {
			return fmt.Errorf("%v %d leads nowhere", t, v.Uint())
		}
		return nil
	}
	if at, ok := v.Interface().(story.Origin); ok {
		if i := int(at &^ story.Missing); at&story.Missing != 0 && i >= c.missing || at&story.Missing == 0 && i >= c.known {
			return fmt.Errorf("origin %d leads nowhere", i)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return c.value(v.Elem())
		}
	case reflect.Struct:
		for _, f := range fields(t) {
			if err := c.value(v.FieldByIndex(f.Index)); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
		}
	case reflect.Slice, reflect.Array:
		if !c.holds(t.Elem()) {
			return nil
		}
		for i := range v.Len() {
			if err := c.value(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if err := c.value(v.MapIndex(k)); err != nil {
				return err
			}
		}
	}
	return nil
}

// holds reports whether a type may hold an index.
func (c *checker) holds(t reflect.Type) bool {
	if _, ok := c.limits[t]; ok || t == reflect.TypeFor[story.Origin]() {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Struct, reflect.Map:
		return true
	}
	return false
}
