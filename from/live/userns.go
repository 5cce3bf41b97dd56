//go:build linux

package live

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/world"
)

// ioctls of namespace files (ioctl_ns(2)); since Linux 4.9 and 4.11.
const (
	nsGetUserNS   = 0xb701
	nsGetParent   = 0xb702
	nsGetOwnerUID = 0xb704
)

// initialUserNS is the inode number of the user namespace that the machine booted with (PROC_USER_INIT_INO).
const initialUserNS = 0xeffffffd

// userNS is a user namespace as it was found.
type userNS struct {
	ino    uint64
	parent int // index, -1 for the outermost that can be seen
	owner  uint32
	closed bool           // /proc/PID/setgroups says deny
	ids    [2]world.IDMap // uid_map and gid_map in ids of the initial namespace; nil: not known
}

// userTree is the user namespaces that a process has to do with, an ancestor before what it made.
type userTree struct {
	list  []userNS
	byIno map[uint64]int
	own   uint64         // the reader's namespace
	outer [2]world.IDMap // maps of the reader's own namespace; identity in the initial one
}

// newUserTree starts with the reader's own namespace. Ids that the kernel shows are as that one sees them.
func newUserTree() (*userTree, error) {
	t := &userTree{byIno: map[uint64]int{}}
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &st); err != nil {
		return nil, fmt.Errorf("/proc/self/ns/user: %w", err)
	}
	t.own = st.Ino
	// The initial namespace is always there: index 0. A reader in another one sees neither it nor what lies between.
	t.list = []userNS{{ino: initialUserNS, parent: -1, ids: [2]world.IDMap{world.IdentityMap, world.IdentityMap}}}
	t.byIno[initialUserNS] = 0
	t.outer = [2]world.IDMap{world.IdentityMap, world.IdentityMap}
	if t.own == initialUserNS {
		return t, nil
	}
	for i, file := range idMapFiles {
		text, err := os.ReadFile("/proc/self/" + file)
		if err != nil {
			return nil, err
		}
		// The reader's own file shows its parent's ids. They stand for those of the initial namespace, which cannot be seen from here: all that
		// is asked of them is whether two are the same.
		if t.outer[i], err = parseIDMap(text); err != nil {
			return nil, fmt.Errorf("/proc/self/%s: %w", file, err)
		}
	}
	t.byIno[t.own] = 1
	t.list = append(t.list, userNS{ino: t.own, owner: world.Invalid, ids: t.outer})
	return t, nil
}

var idMapFiles = [2]string{"uid_map", "gid_map"}

// initial reports whether the reader sees ids as the kernel stores them.
func (t *userTree) initial() bool { return t.own == initialUserNS }

// kid turns an id that the kernel has shown into one of the initial namespace. The overflow id may stand for any that has no
// mapping here.
func (t *userTree) kid(which int, id uint32) (uint32, bool) {
	if t.initial() {
		return id, true
	}
	if id == world.Overflow {
		return world.Invalid, false
	}
	return t.outer[which].Down(id)
}

// parseIDMap reads a map file. A map that was not written yet is empty, not nil.
func parseIDMap(text []byte) (world.IDMap, error) {
	m := world.IDMap{}
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || len(m) >= 340 { // UID_GID_MAP_MAX_EXTENTS
			return nil, fmt.Errorf("%q is no line of an id map", line)
		}
		var v [3]uint32
		for i := range v {
			n, err := strconv.ParseUint(f[i], 10, 32)
			if err != nil {
				return nil, err
			}
			v[i] = uint32(n)
		}
		m = append(m, world.Extent{Inside: v[0], Outside: v[1], Count: v[2]})
	}
	return m, nil
}

// compose turns a map to ids of the reader's namespace into one to those of the initial namespace. What the reader does not map
// is left out.
func compose(inner, outer world.IDMap) world.IDMap {
	out := world.IDMap{}
	for _, e := range inner {
		if e.Outside == world.Invalid { // from_kuid found no id here
			continue
		}
		for _, o := range outer {
			first, last := max(uint64(e.Outside), uint64(o.Inside)), min(uint64(e.Outside)+uint64(e.Count), uint64(o.Inside)+uint64(o.Count))
			if first < last {
				out = append(out, world.Extent{Inside: e.Inside + uint32(first-uint64(e.Outside)), Outside: o.Outside + uint32(first-uint64(o.Inside)), Count: uint32(last - first)})
			}
		}
	}
	return out
}

// add finds the namespace of a file of /proc/PID/ns or an ioctl and all its ancestors, and returns its index.
func (t *userTree) add(fd int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	if i, ok := t.byIno[st.Ino]; ok {
		return i, nil
	}
	if len(t.list) > 200 { // user namespaces nest 32 deep
		return 0, errors.New("more user namespaces than can be held")
	}
	n := userNS{ino: st.Ino, parent: -1}
	owner := uint32(0)
	if err := ioctlPtr(fd, nsGetOwnerUID, &owner); err != nil {
		return 0, fmt.Errorf("NS_GET_OWNER_UID: %w", err)
	}
	if k, ok := t.kid(0, owner); ok {
		n.owner = k
	} else {
		n.owner = world.Invalid
	}
	up, err := unix.IoctlRetInt(fd, nsGetParent)
	if err != nil {
		return 0, fmt.Errorf("NS_GET_PARENT: %w", err)
	}
	defer unix.Close(up)
	if n.parent, err = t.add(up); err != nil {
		return 0, err
	}
	t.list = append(t.list, n)
	t.byIno[n.ino] = len(t.list) - 1
	return len(t.list) - 1, nil
}

// ownerOf returns the index of the user namespace that owns a namespace of another kind.
func (t *userTree) ownerOf(fd int) (int, error) {
	user, err := unix.IoctlRetInt(fd, nsGetUserNS)
	if err != nil {
		return 0, fmt.Errorf("NS_GET_USERNS: %w", err)
	}
	defer unix.Close(user)
	return t.add(user)
}

// mapsOf reads the id maps of a namespace from a process in it.
func (t *userTree) mapsOf(i int, dir string) error {
	if t.list[i].ids[0] != nil {
		return nil
	}
	var ids [2]world.IDMap
	for k, file := range idMapFiles {
		text, err := os.ReadFile(dir + "/" + file)
		if err != nil {
			return err
		}
		m, err := parseIDMap(text)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", dir, file, err)
		}
		ids[k] = compose(m, t.outer[k]) // the second column is in ids of whoever opened the file
	}
	text, err := os.ReadFile(dir + "/setgroups") // since Linux 3.19
	t.list[i].ids, t.list[i].closed = ids, err == nil && strings.TrimSpace(string(text)) == "deny"
	return nil
}

// unmapped lists the namespaces whose maps are not known yet.
func (t *userTree) unmapped() (all []int) {
	for i := range t.list {
		if t.list[i].ids[0] == nil {
			all = append(all, i)
		}
	}
	return all
}

// findMaps looks for processes in the namespaces whose maps are not known yet.
func (t *userTree) findMaps() {
	want := t.unmapped()
	if len(want) == 0 {
		return
	}
	for _, pid := range pids() {
		var st unix.Stat_t
		dir := fmt.Sprintf("/proc/%d", pid)
		if unix.Stat(dir+"/ns/user", &st) != nil {
			continue
		}
		if i, ok := t.byIno[st.Ino]; ok && slices.Contains(want, i) && t.mapsOf(i, dir) == nil {
			if want = t.unmapped(); len(want) == 0 {
				return
			}
		}
	}
}

// hostMounts lists the filesystems that are mounted in the reader's mount namespace, if the initial user namespace owns that: nothing
// that was mounted in another one comes there by itself.
func (t *userTree) hostMounts() map[device]bool {
	fd, err := unix.Open("/proc/self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	if owner, err := t.ownerOf(fd); err != nil || owner != 0 {
		return nil
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	table, err := parseMountinfo(text)
	if err != nil {
		return nil
	}
	all := map[device]bool{}
	for i := range table {
		all[table[i].dev] = true
	}
	return all
}

// into puts the namespaces into a world.
func (t *userTree) into(w *world.World) {
	w.UserNS = w.UserNS[:1]
	for i := 1; i < len(t.list); i++ {
		n := &t.list[i]
		ns := world.UserNS{Parent: world.UserNSID(max(0, n.parent)), Owner: world.KUID(n.owner), UIDs: n.ids[0], GIDs: n.ids[1], NoSetgroups: n.closed, Name: fmt.Sprintf("user:[%d]", n.ino)}
		ns.Level = w.UserNS[ns.Parent].Level + 1
		w.UserNS = append(w.UserNS, ns)
	}
}

// pids lists the processes that /proc shows.
func pids() (all []int) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			all = append(all, pid)
		}
	}
	slices.Sort(all)
	return all
}
