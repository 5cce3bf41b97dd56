package story

// Refusals of the mount API: fs/namespace.c.
var (
	MountLocked = define(Info{
		ID: "MNT170", Gate: Mount, Title: "a locked mount stays where it is", Denies: "{0} is locked: it came with its parent from a more privileged mount namespace", Refuses: "locked mount",
		Facts: []FactInfo{{"mount", KindString}}, Function: "can_umount, do_move_mount", Errno: "EINVAL", Releases: "since Linux 3.12", Man: "mount_namespaces(7)",
		Note:  "a new mount namespace with a new user namespace locks every mount in it except its root",
		Long:  "When a mount namespace is made together with a user namespace, and when mounts propagate into one of a less privileged user namespace, every mount but the topmost of what arrived is locked: it cannot be unmounted, moved or pivoted to, so that nothing that a more privileged mounter has hidden comes to light. The tree can be unmounted or moved only as a whole, at its root. Neither MNT_DETACH nor a capability passes over it.",
		Repro: "unshare -Urm umount /proc",
	})
	MountLockedChild = define(Info{
		ID: "MNT171", Gate: Mount, Title: "a plain bind must not uncover what a locked mount hides", Denies: "{0} is locked and lies below the source: a bind mount without it would show what it hides", Refuses: "a locked mount below the source",
		Facts: []FactInfo{{"mount", KindString}}, Function: "__has_locked_children", Errno: "EINVAL", Releases: "since Linux 3.12", Man: "mount_namespaces(7)",
		Long:  "A bind mount without MS_REC shows a directory without the mounts below it. Where one of those is locked the bind mount is refused; with MS_REC it takes the locked mount along and is allowed. open_tree with OPEN_TREE_CLONE asks the same without AT_RECURSIVE.",
		Repro: "unshare -Urm mount --bind / /mnt",
	})
	MountLockedFlag = define(Info{
		ID: "MNT172", Gate: Mount, Title: "flags of a locked mount stay", Denies: "{0} keeps {1}: the flags that it came with from a more privileged mount namespace are locked", Refuses: "locked flags",
		Facts: []FactInfo{{"mount", KindString}, {"locked", KindString}}, Function: "can_change_locked_flags", Errno: "EPERM", Releases: "since Linux 3.18", Man: "mount_namespaces(7)",
		Note:  "mount -o remount,bind sets all flags anew: name every locked one again, or it counts as an attempt to clear it",
		Long:  "ro, nodev, nosuid and noexec that a mount had when it came into a less privileged mount namespace cannot be cleared there, and the way it keeps times of access cannot be changed. A remount must repeat them.",
		Repro: "mount -t tmpfs -o ro none /mnt; unshare -Urm mount -o remount,bind,rw /mnt",
	})
	MountUnbindable = define(Info{
		ID: "MNT173", Gate: Mount, Title: "an unbindable mount is neither copied nor propagated", Denies: "{0} is unbindable", Refuses: "unbindable",
		Facts: []FactInfo{{"mount", KindString}}, Function: "__do_loopback, tree_contains_unbindable", Errno: "EINVAL; EPERM where it is locked too", Releases: "since Linux 2.6.15", Man: "mount_namespaces(7)",
		Long:  "An unbindable mount cannot be the source of a bind mount; a recursive one leaves it out, unless it is locked, which is EPERM. It cannot be moved to a shared mount either, since there it would have to be copied.",
		Repro: "mount --make-unbindable /mnt; mount --bind /mnt /media",
	})
	MountForeign = define(Info{
		ID: "MNT174", Gate: Mount, Title: "the mount must be in the task's mount namespace", Denies: "{0} is not in the task's mount namespace", Refuses: "a mount of another namespace",
		Facts: []FactInfo{{"mount", KindString}}, Function: "check_mnt", Errno: "EINVAL", Releases: "all; detached trees are allowed in more places since Linux 6.15", Man: "mount(2)",
		Note:  "a descriptor or /proc/PID/root leads into another mount namespace; the mount API does not work there, setns(2) does",
		Long:  "The mount API changes the mount namespace that the task is in. A place that was reached through a descriptor, a current directory or /proc/PID/root of another namespace, or that was unmounted lazily, is refused, with every capability too.",
		Repro: "unshare -m sleep 9 & sleep 1; mount -t tmpfs none /proc/$!/root/mnt",
	})
	MountBusy = define(Info{
		ID: "MNT175", Gate: Mount, Title: "a mount in use is not unmounted", Denies: "{0} is in use: {1}", Refuses: "in use", Unknowns: "who uses {0} is not known",
		Facts: []FactInfo{{"mount", KindString}, {"by", KindString}}, Function: "propagate_mount_busy", Errno: "EBUSY", Releases: "all", Man: "umount(2)",
		Note:  "a mount of another namespace that would be unmounted with it counts too: fuser does not show its users here",
		Long:  "umount2 without MNT_DETACH refuses a mount that has mounts on it, or that is used: open files, current and root directories, running programs. Where its parent is shared, the same mount in other namespaces goes too, and its users count unless something is mounted on it. MNT_DETACH takes the mount from its place at once and lets it go when the last user has.",
		Repro: "mount -t tmpfs none /mnt; cd /mnt; umount /mnt",
	})
	MountMax = define(Info{
		ID: "MNT176", Gate: Mount, Title: "a mount namespace holds a limited number of mounts", Denies: "a namespace that gets the mount would have more than fs.mount-max mounts", Unknowns: "whether every namespace that gets the mount has room for it is not known",
		Facts: []FactInfo{{"mount", KindString}}, Function: "count_mounts", Errno: "ENOSPC", Releases: "since Linux 4.9", Man: "proc_sys_fs(5)",
		Long:  "fs.mount-max, 100000 unless it was changed, limits the mounts of each mount namespace. A mount on a shared place is copied to every receiver; if one namespace has no room, nothing is mounted anywhere.",
		Repro: "sysctl fs.mount-max=1; mount -t tmpfs none /mnt",
	})
	MountLoop = define(Info{
		ID: "MNT177", Gate: Mount, Title: "a mount is not moved into itself", Denies: "the new place lies inside of {0}",
		Facts: []FactInfo{{"mount", KindString}}, Function: "mount_is_ancestor", Errno: "ELOOP", Releases: "all", Man: "mount(2)",
		Long:  "The target of a move lies in the tree that is moved.",
		Repro: "mount -t tmpfs none /mnt; mkdir /mnt/d; mount --move /mnt /mnt/d",
	})
	MountSharedParent = define(Info{
		ID: "MNT178", Gate: Mount, Title: "a move would have to propagate", Denies: "{0} is shared: a mount is not moved away from it, nor a root pivoted there", Refuses: "shared parent",
		Facts: []FactInfo{{"mount", KindString}}, Function: "do_move_mount, pivot_root", Errno: "EINVAL", Releases: "since Linux 2.6.15", Man: "mount(2)",
		Note:  "systemd makes / shared at boot, so that moving a mount fails on most machines until its parent is made private",
		Long:  "A mount whose parent is shared has copies elsewhere that a move would leave behind: it is refused. pivot_root refuses shared parents of the new root and of the current root, and a shared mount under put_old.",
		Repro: "mount --make-shared /; mount -t tmpfs none /mnt; mount --move /mnt /media",
	})
	MountNoParent = define(Info{
		ID: "MNT179", Gate: Mount, Title: "the root of a mount namespace has no place to be taken from", Denies: "{0} is the root of its mount namespace, or a detached one",
		Facts: []FactInfo{{"mount", KindString}}, Function: "mnt_has_parent", Errno: "EINVAL", Releases: "all", Man: "pivot_root(2)",
		Long:  "A mount without a parent is neither moved nor unmounted, and pivot_root works neither from one nor to one: that is why it fails on the initial ramfs, where switch_root is used.",
		Repro: "pivot_root in an initramfs",
	})
	MountTwice = define(Info{
		ID: "MNT180", Gate: Mount, Title: "a filesystem is not mounted on its own root", Denies: "the same filesystem is mounted at {0} already",
		Facts: []FactInfo{{"mount", KindString}}, Function: "do_add_mount", Errno: "EBUSY", Releases: "all", Man: "mount(2)",
		Long:  "Mounting a filesystem on the root of a mount that shows the same root of the same filesystem is refused.",
		Repro: "mount -t sysfs sysfs /sys; mount -t sysfs sysfs /sys",
	})
	MountGone = define(Info{
		ID: "MNT181", Gate: Mount, Title: "the place must still be there", Denies: "{0} is no longer mounted, or its directory was removed",
		Facts: []FactInfo{{"mount", KindString}}, Function: "do_lock_mount", Errno: "ENOENT; EINVAL for a change of propagation", Releases: "since Linux 6.17; before, EINVAL for a mount that is gone", Man: "mount(2)",
		Long:  "A directory that was removed while somebody still has it open is no mount point, and neither is a mount that was unmounted lazily.",
		Repro: "mkdir /tmp/d; cd /tmp/d; rmdir /tmp/d; mount -t tmpfs none .",
	})
	MountWriters = define(Info{
		ID: "MNT182", Gate: Mount, Title: "a mount that is written to does not become read-only", Denies: "{0} has files that are open for writing", Unknowns: "whether files of {0} are open for writing is not known",
		Facts: []FactInfo{{"mount", KindString}}, Function: "mnt_hold_writers", Errno: "EBUSY", Releases: "all", Man: "mount(2)",
		Long:  "Making a mount or a filesystem read-only waits for nobody: with a file open for writing it is refused.",
		Repro: "mount -t tmpfs none /mnt; exec 3>/mnt/f; mount -o remount,bind,ro /mnt",
	})
	MountBeneath = define(Info{
		ID: "MNT183", Gate: Mount, Title: "what may be mounted beneath another mount", Denies: "nothing can be mounted beneath {0}",
		Facts: []FactInfo{{"mount", KindString}}, Function: "can_move_mount_beneath", Errno: "EINVAL", Releases: "since Linux 6.5", Man: "move_mount(2)",
		Long:  "MOVE_MOUNT_BENEATH slides a mount under the topmost one of a place. It is refused where that mount is the task's root or a direct child of the namespace's root mount, holds the mount that is moved, or would get a copy of it by propagation, and where the moved mount is covered itself.",
		Repro: "mount -t tmpfs none /tmp/a; mount -t tmpfs none /tmp/b; move_mount of /tmp/a with MOVE_MOUNT_BENEATH to /",
	})
	MountSetGroup = define(Info{
		ID: "MNT184", Gate: Mount, Title: "who may join a peer group", Denies: "{0} cannot join the group: it must be private, and a part of the same filesystem that the other one shows",
		Facts: []FactInfo{{"mount", KindString}}, Function: "do_set_group", Errno: "EINVAL", Releases: "since Linux 5.15", Man: "move_mount(2)",
		Long:  "MOVE_MOUNT_SET_GROUP puts a private mount into the peer group, and under the master, of another mount that shows the same filesystem, at least as much of it.",
		Repro: "move_mount with MOVE_MOUNT_SET_GROUP between two filesystems",
	})
	PivotRootMount = define(Info{
		ID: "MNT185", Gate: Mount, Title: "pivot_root needs a new root that is another mount", Denies: "new root or put_old lies on {0}, the mount that is the root now",
		Facts: []FactInfo{{"mount", KindString}}, Function: "pivot_root", Errno: "EBUSY", Releases: "all", Man: "pivot_root(2)",
		Note:  "bind the directory onto itself first: then it is a mount",
		Long:  "The new root and put_old must lie on other mounts than the current root directory.",
		Repro: "mkdir -p /tmp/n/o; unshare -m --propagation private pivot_root /tmp/n /tmp/n/o",
	})
	PivotUnreachable = define(Info{
		ID: "MNT186", Gate: Mount, Title: "put_old lies below the new root, and that below the current one", Denies: "{0} is not reachable from where it has to be",
		Facts: []FactInfo{{"mount", KindString}}, Function: "pivot_root", Errno: "EINVAL", Releases: "all", Man: "pivot_root(2)",
		Long:  "After the change the old root is seen at put_old, which must be at or below the new root; and the new root must be below the task's current root directory.",
		Repro: "unshare -m --propagation private sh -c 'mount -t tmpfs none /mnt; pivot_root /mnt /tmp'",
	})
	MountLocksUnknown = define(Info{
		ID: "MNT187", Gate: Mount, Title: "which mounts are locked", Unknowns: "which mounts of the task's mount namespace are locked is not known: it belongs to another user namespace than the initial one",
		Function: "lock_mnt_tree", Errno: "EINVAL or EPERM", Releases: "since Linux 3.12", Man: "mount_namespaces(7)",
		Long: "Mounts that came from a more privileged mount namespace are locked, those that were made in this one are not. Neither /proc/PID/mountinfo nor statmount tells them apart; only an attempt does.",
	})
	MountRevealing = define(Info{
		ID: "MNT188", Gate: Mount, Title: "proc and sysfs must be visible already", Denies: "a new {0} would show what is hidden here: {1}", Refuses: "too revealing", Unknowns: "whether a new {0} would show what is hidden here is not known",
		Facts: []FactInfo{{"fstype", KindString}, {"why", KindString}}, Function: "mount_too_revealing", Errno: "EPERM", Releases: "since Linux 3.12", Man: "user_namespaces(7)",
		Note:  "masked paths of a container's /proc are locked mounts that cover parts of it: a nested container cannot mount a fresh proc",
		Long:  "In a mount namespace that another user namespace than the initial one owns, proc and sysfs are mounted only if the namespace shows one already that is complete: its root, no stricter flags, and no locked mount that covers anything but a directory made for mounting. Else a user could undo what a more privileged mounter has masked. That is what stops image builds inside of a container; procMount: Unmasked leaves /proc without masks.",
		Repro: "unshare -Urm --pid --fork sh -c 'mount -t tmpfs none /proc; mount -t proc proc /mnt'",
	})
	MountExpiry = define(Info{
		ID: "MNT189", Gate: Mount, Title: "the first MNT_EXPIRE only marks the mount", Denies: "{0} is marked now; if nobody uses it before the next call, that one unmounts it", Refuses: "marked as expired", Unknowns: "whether somebody has used {0} since it was marked is not known",
		Facts: []FactInfo{{"mount", KindString}}, Function: "do_umount", Errno: "EAGAIN", Releases: "since Linux 2.6.8", Man: "umount(2)",
		Long:  "umount2 with MNT_EXPIRE on a mount that nobody uses marks it and answers EAGAIN. A second such call unmounts it unless it was used in between.",
		Repro: "umount2(\"/mnt\", MNT_EXPIRE)",
	})
	IDMapMount = define(Info{
		ID: "MNT190", Gate: Mount, Title: "which mount may get an idmap", Denies: "{0} gets no idmap: {1}", Unknowns: "whether the filesystem of {0} has idmapped mounts is not known",
		Facts: []FactInfo{{"mount", KindString}, {"why", KindString}}, Function: "can_idmap_mount", Errno: "EINVAL; EPERM for a mount that has one", Releases: "since Linux 5.12", Man: "mount_setattr(2)",
		Long:  "mount_setattr gives an idmap only to a detached mount, as open_tree and fsmount make it, of a filesystem that has idmapped mounts, once, and not from the filesystem's own user namespace. The task needs CAP_SYS_ADMIN over the filesystem.",
		Repro: "mount_setattr with MOUNT_ATTR_IDMAP on /tmp",
	})
	IDMapNamespace = define(Info{
		ID: "UNS170", Gate: UserNS, Title: "an idmap comes from a user namespace", Denies: "descriptor {0} is no user namespace that an idmap can be taken from", Unknowns: "what descriptor {0} leads to is not known",
		Facts: []FactInfo{{"fd", KindInt}}, Function: "build_mount_idmapped", Errno: "EINVAL; EPERM for the initial one", Releases: "since Linux 5.12", Man: "mount_setattr(2)",
		Long:  "userns_fd is a descriptor of /proc/PID/ns/user of any user namespace but the initial one, over which the task has CAP_SYS_ADMIN.",
		Repro: "mount_setattr with MOUNT_ATTR_IDMAP and the descriptor of a file",
	})
	MountFilesystem = define(Info{
		ID: "OTH170", Gate: Other, Title: "the filesystem itself", Denies: "{0} refuses: {1}",
		Facts: []FactInfo{{"fstype", KindString}, {"why", KindString}}, Function: "reconfigure_super", Errno: "EROFS", Releases: "all", Man: "mount(2)",
		Long:  "When the checks of the mount API have passed, the filesystem decides.",
		Repro: "mount -o remount,rw of an overlay without upperdir",
	})
	MountType = define(Info{
		ID: "OTH171", Gate: Other, Title: "the kernel must know the filesystem", Denies: "the kernel has no filesystem {0}", Unknowns: "whether the kernel has a filesystem {0} is not known",
		Facts: []FactInfo{{"fstype", KindString}}, Function: "get_fs_type", Errno: "ENODEV", Releases: "all", Man: "filesystems(5)",
		Long:  "/proc/filesystems lists what is built in or loaded; another one may come as a module when it is asked for.",
		Repro: "mount -t nosuchfs none /mnt",
	})
	MountOption = define(Info{
		ID: "OTH172", Gate: Other, Title: "the options of a filesystem", Denies: "{0} does not take {1}", Unknowns: "whether {0} takes {1} is not known",
		Facts: []FactInfo{{"fstype", KindString}, {"option", KindString}}, Function: "vfs_parse_fs_param", Errno: "EINVAL", Releases: "all", Man: "mount(8)",
		Long:  "Options are read before the capability is asked for, so that an unknown one is EINVAL for everybody who may mount anything.",
		Repro: "mount -t tmpfs -o nosuchoption none /mnt",
	})
	MountDevice = define(Info{
		ID: "OTH173", Gate: Other, Title: "the filesystem lies on a block device", Denies: "{obj} is no block device: its mode is {0}", Unknowns: "whether {obj} is a block device is not known",
		Facts: []FactInfo{{"mode", KindMode}}, Function: "lookup_bdev", Errno: "ENOTBLK", Releases: "all", Man: "mount(2)",
		Long:  "mount(2) takes a block device. mount(8) makes a loop device of a file first.",
		Repro: "python3: mount(\"/etc/passwd\", \"/mnt\", \"ext4\", 0, NULL)",
	})
	MountLayer = define(Info{
		ID: "OVL170", Gate: Overlay, Title: "layers of an overlay are directories", Denies: "{0} is {obj}, which is no directory: its mode is {1}", Unknowns: "whether {obj}, a layer, is a directory is not known",
		Facts: []FactInfo{{"option", KindString}, {"mode", KindMode}}, Function: "ovl_mount_dir_check", Errno: "EINVAL", Releases: "since Linux 6.5 before the capability; before, behind it", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Note:  "since Linux 6.5 the layers are looked up before the capability is asked for: a missing one is ENOENT for everybody",
		Long:  "lowerdir, upperdir and workdir are looked up as the task, in the order in which they are written.",
		Repro: "mount -t overlay -o lowerdir=/etc/passwd:/tmp none /mnt",
	})
	ContextDescriptor = define(Info{
		ID: "OTH174", Gate: Other, Title: "the descriptor of a filesystem context", Denies: "descriptor {0} is not one of fsopen or fspick", Unknowns: "whether descriptor {0} is one of fsopen or fspick is not known",
		Facts: []FactInfo{{"fd", KindInt}}, Function: "fsconfig, fsmount", Errno: "EINVAL", Releases: "since Linux 5.2", Man: "fsconfig(2)",
		Long:  "fsconfig and fsmount take what fsopen and fspick return.",
		Repro: "fsmount(0, 0, 0)",
	})
	ContextPhase = define(Info{
		ID: "OTH175", Gate: Other, Title: "a filesystem context goes through phases", Denies: "the context of descriptor {0} is past that, or not there yet",
		Facts: []FactInfo{{"fd", KindInt}}, Function: "vfs_fsconfig_locked, fsmount", Errno: "EBUSY", Releases: "since Linux 5.2", Man: "fsconfig(2)",
		Long:  "Parameters are set, then FSCONFIG_CMD_CREATE makes the filesystem, then fsmount takes it, once. What fspick has opened is reconfigured only.",
		Repro: "fsconfig FSCONFIG_CMD_CREATE twice",
	})
	ContextEmpty = define(Info{
		ID: "OTH176", Gate: Other, Title: "fsmount needs a filesystem", Denies: "no filesystem has been made in the context of descriptor {0}: FSCONFIG_CMD_CREATE comes first",
		Facts: []FactInfo{{"fd", KindInt}}, Function: "fsmount", Errno: "EINVAL", Releases: "since Linux 5.2", Man: "fsmount(2)",
		Long:  "fsopen only opens a context. The filesystem is made by fsconfig with FSCONFIG_CMD_CREATE, and fsmount makes a mount of it.",
		Repro: "fsmount(fsopen(\"tmpfs\", 0), 0, 0)",
	})
)
