package vfs

import (
	"strings"

	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// emptyDirs are the directories of proc and sysfs that are there to be mounted on (is_empty_dir_inode): what covers them hides
// nothing.
var emptyDirs = map[string][]string{
	"proc":  {"/fs/nfsd", "/openprom", "/sys/fs/binfmt_misc"},
	"sysfs": {"/fs/cgroup", "/fs/bpf", "/fs/fuse/connections", "/fs/pstore", "/fs/selinux", "/fs/smackfs", "/kernel/debug", "/kernel/tracing", "/kernel/security", "/kernel/config", "/firmware/efi/efivars", "/hypervisor/s390"},
}

// tooRevealing is mount_too_revealing: in a mount namespace of another user namespace than the initial one proc and sysfs are
// mounted only where one is visible already, in full and with flags that are no stricter.
func (m *mounts) tooRevealing(p world.Path, fs *filesystem, f world.MountFlags, a world.Atime) story.Errno {
	c := m.c
	if mountNS(c) == 0 || !fs.revealing {
		return 0
	}
	s := story.Step{Code: story.MountRevealing, Errno: story.EPERM, Op: story.OpMount, Obj: p.Ref(), Val: [3]uint64{c.Word(fs.name)}}
	maybe := false
	why := "none is mounted"
	for id := mount.ID(1); int(id) < m.tree.Len(); id++ {
		n := m.tree.Node(id)
		if n.NS != m.caller.NS || n.SB == 0 {
			continue
		}
		sb := c.W.FS.SB(n.SB)
		if sb.Type != fs.name {
			continue
		}
		if n.Root != sb.Root {
			if why == "none is mounted" {
				why = "only a part of one is mounted"
			}
			continue
		}
		if n.Locks&world.MountLocks(world.MountReadOnly) != 0 && f&world.MountReadOnly == 0 || sb.Flags&world.SBReadOnly != 0 && f&world.MountReadOnly == 0 {
			why = "the one that is mounted is read-only"
			continue
		}
		if n.Locks&world.LockAtime != 0 && n.Atime&world.AtimeKnown != 0 && (n.Atime^a)&world.AtimeMask != 0 {
			why = "the one that is mounted keeps times of access in another way"
			continue
		}
		covered := false
		for child := range m.tree.Children(id) {
			k := m.tree.Node(child)
			if k.Locks&world.LockAttached != 0 && !m.hidesNothing(fs.name, k.At) {
				covered = true
				why = "a locked mount covers a part of the one that is mounted"
			}
		}
		if covered {
			continue
		}
		if !c.W.MountNS[c.W.Task.MountNS].LocksAt.Known() {
			maybe = true
			continue
		}
		c.Pass(s)
		return 0
	}
	if c.Recording() {
		s.Val[1] = c.Word(why)
	}
	if maybe {
		s.Fact[0] = c.W.MountNS[c.W.Task.MountNS].LocksAt
		c.Unknown(s)
		return 0
	}
	return c.Refuse(s)
}

// hidesNothing reports whether a directory is there to be mounted on.
func (m *mounts) hidesNothing(fs string, d world.DentryID) bool {
	path := m.c.W.FS.Path(d)
	for _, e := range emptyDirs[fs] {
		if strings.TrimSuffix(path, "/") == e {
			return true
		}
	}
	return false
}
