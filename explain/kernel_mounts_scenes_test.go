package explain_test

import (
	"runtime"
	"testing"
)

// mountScenes are calls made one after another by root.
var mountScenes = []struct {
	name  string
	calls []row
}{
	{"a detached copy is mounted", []row{
		{`open_tree(AT_FDCWD, "cover", OPEN_TREE_CLONE|AT_RECURSIVE)`, "-"}, {`mount_setattr(702, "", AT_EMPTY_PATH|AT_RECURSIVE, {attr_set=MOUNT_ATTR_RDONLY}, 32)`, "-"},
		{`move_mount(702, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH)`, "-"}, {`umount2("other", 0)`, "EBUSY"}, {`umount2("other/sub", 0)`, "-"}, {`close(702)`, "-"}, {`umount2("other", 0)`, "-"}}},
	{"a copy that nobody mounts", []row{{`open_tree(AT_FDCWD, "shared", OPEN_TREE_CLONE)`, "-"}, {`close(702)`, "-"}, {`umount2("shared", 0)`, "-"}}},
	{"a new filesystem step by step", []row{
		{`fsopen("tmpfs", 0)`, "-"}, {`fsmount(702, 0, 0)`, "EINVAL"}, {`fsconfig(702, FSCONFIG_SET_STRING, "mode", "755", 0)`, "-"}, {`fsconfig(702, FSCONFIG_SET_STRING, "nosuch", "1", 0)`, "EINVAL"},
		{`fsconfig(702, FSCONFIG_CMD_CREATE, NULL, NULL, 0)`, "-"}, {`fsconfig(702, FSCONFIG_CMD_CREATE, NULL, NULL, 0)`, "EBUSY"}, {`fsmount(702, 0, MOUNT_ATTR_NOSUID)`, "-"}, {`fsmount(702, 0, 0)`, "EBUSY"},
		{`move_mount(703, "", AT_FDCWD, "shared/sub", MOVE_MOUNT_F_EMPTY_PATH)`, "-"}, {`umount2("peer/sub", 0)`, "EBUSY"}, {`close(703)`, "-"}, {`close(702)`, "-"}, {`umount2("peer/sub", 0)`, "-"}}},
	{"events", []row{{`mount("none", "shared/sub", "tmpfs", 0, NULL)`, "-"}, {`mount("shared/sub", "other", NULL, MS_MOVE, NULL)`, "EINVAL"}, {`umount2("slave/sub", 0)`, "-"}, {`umount2("peer/sub", 0)`, "-"},
		{`mount(NULL, "slave", NULL, MS_SHARED, NULL)`, "-"}, {`mount("point", "shared/sub2", NULL, MS_BIND, NULL)`, "-"}, {`mount(NULL, "shared", NULL, MS_PRIVATE, NULL)`, "-"},
		{`mount("shared/sub2", "other", NULL, MS_MOVE, NULL)`, "-"}, {`mount(NULL, "/", NULL, MS_REC|MS_SLAVE, NULL)`, "-"}, {`umount2("peer", MNT_DETACH)`, "-"}}},
	{"a new root", []row{{`pivot_root("cover", "cover/sub2")`, "-"}, {`mount("none", "sub2/d", "tmpfs", 0, NULL)`, "-"}, {`umount2("sub2", 0)`, "EBUSY"}, {`umount2("sub2", MNT_DETACH)`, "-"}, {`pivot_root("sub", "sub")`, "-"}}},
	{"beneath", []row{{`move_mount(AT_FDCWD, "point", AT_FDCWD, "cover", MOVE_MOUNT_BENEATH)`, "-"}, {`umount2("cover", MNT_DETACH)`, "-"}, {`umount2("cover", 0)`, "-"}}},
	{"a group is joined", []row{{`mount("shared", "other", NULL, MS_BIND, NULL)`, "-"}, {`mount(NULL, "other", NULL, MS_PRIVATE, NULL)`, "-"}, {`move_mount(AT_FDCWD, "slave", AT_FDCWD, "other", MOVE_MOUNT_SET_GROUP)`, "-"},
		{`mount("none", "shared/sub", "tmpfs", 0, NULL)`, "-"}, {`umount2("other/sub", 0)`, "-"}}},
	{"the same sysfs", []row{{`mount("none", "other", "sysfs", 0, NULL)`, "-"}, {`mount("none", "other", "tmpfs", 0, NULL)`, "-"}, {`umount2("other", 0)`, "-"}}},
	{"marked, and unmounted by the second call", []row{{`umount2("point", MNT_EXPIRE)`, "EAGAIN"}, {`umount2("point", MNT_EXPIRE)`, "?-"}}},
	{"marked, and used in between", []row{{`umount2("point", MNT_EXPIRE)`, "EAGAIN"}, {`access("point/sub", F_OK)`, "-"}, {`umount2("point", MNT_EXPIRE)`, "?EAGAIN"}}},
	{"a remount for all", []row{{`mount("none", "other", "tmpfs", 0, "mode=755")`, "-"}, {`mkdir("other/x", 0755)`, "+"}, {`mount(NULL, "other", NULL, MS_REMOUNT|MS_RDONLY, NULL)`, "-"}, {`mkdir("other/y", 0755)`, "EROFS"},
		{`mount(NULL, "other", NULL, MS_REMOUNT|MS_BIND, NULL)`, "-"}, {`mkdir("other/y", 0755)`, "EROFS"}, {`mount(NULL, "other", NULL, MS_REMOUNT, NULL)`, "-"}, {`mkdir("other/y", 0755)`, "+"}}},
}

// TestKernelMountScenes: calls that follow one another, each predicted on the mounts that the earlier ones left.
func TestKernelMountScenes(t *testing.T) {
	dir, in := isolated(t)
	if !in {
		return
	}
	for _, s := range mountScenes {
		runtime.GC()
		l := newLab(t, dir, mountsFiles)
		mountsLab(l)
		for _, c := range s.calls {
			l.step(mountTasks[0], c.call, c.want, s.name+": ")
		}
		l.leave()
	}
}
