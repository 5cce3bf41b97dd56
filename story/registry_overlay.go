package story

const overlayMan = "kernel.org/doc/html/latest/filesystems/overlayfs.html"

// Checks of overlayfs beyond those that every mount meets.
var (
	OverlayBroken = define(Info{
		ID: "OVL420", Gate: Overlay, Title: "the layers must make sense together", Denies: "the layers do not give {0}: {1}", Refuses: "the layers do not give the name",
		Facts: []FactInfo{{"name", KindString}, {"reason", KindString}}, Function: "ovl_lookup", Errno: "EPERM, EIO, ENOENT, EINVAL, ELOOP or ESTALE; EACCES or ENOTDIR for data", Releases: "redirects since Linux 4.10, metacopy since 4.19", Man: overlayMan,
		Long:  "A directory that was renamed and a file of which only the attributes were copied say in an attribute where the layers below have the rest. A mount with redirect_dir=nofollow or metacopy=off refuses to follow that (EPERM); data that is not there is EIO, or, where it should be in a data-only layer, what looking for it there ends in (ENOENT, EACCES, ELOOP, ENOTDIR) once the file is opened or changed, a redirect that is no path EINVAL, a layer inside a layer ELOOP.",
		Repro: "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,metacopy=on o m; chmod 600 m/f; umount m; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,metacopy=off o m; cat m/f",
	})
	OverlayMark = define(Info{
		ID: "OVL421", Gate: Overlay, Title: "the overlay must be able to mark a directory", Denies: "{obj}: {0} is needed, and this overlay cannot write marks", Refuses: "the overlay cannot write marks",
		Facts: []FactInfo{{"mark", KindString}, {"mounter", KindNS}}, Function: "ovl_set_opaque_xerr", Errno: "EIO, or EXDEV for a rename", Releases: "user namespaces since Linux 5.11", Man: overlayMan,
		Long:  "A directory that is made where a lower layer had one, or moved to where one may be, is marked opaque so that it is not merged. The mark is an attribute trusted.overlay.*, which only the initial user namespace writes: an overlay that was mounted in another one has to be mounted with userxattr, which uses user.overlay.*.",
		Repro: "unshare -Urm sh -c 'mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m; rm -r m/d; mkdir m/d'",
	})
	OverlayDevice = define(Info{
		ID: "CAP420", Gate: Capability, Title: "copying a device up makes one", Denies: "{obj} is a device: to copy it up the overlay's mounter needs CAP_MKNOD in the initial user namespace",
		Facts: []FactInfo{{"effective", KindCapSet}, {"user namespace", KindNS}}, Function: "vfs_mknod", Errno: "EPERM", Releases: "user namespaces since Linux 5.11", Man: overlayMan,
		Long:  "A change of the attributes of a device node in a lower layer copies the node, with the credentials of whoever mounted the overlay. One that was mounted in a user namespace cannot: chmod, chown, rename and link of the node fail. Opening it for writing copies nothing.",
		Repro: "unshare -Urm sh -c 'mount -t overlay -o lowerdir=/dev,upperdir=u,workdir=w,userxattr o m; chmod 600 m/null'",
	})
	OverlayTwice = define(Info{
		ID: "OVL423", Gate: Overlay, Title: "a file is not moved over another name of its own copy", Denies: "{obj} and the new name are one file in the upper layer, which the overlay takes for two", Refuses: "both names are one file of the upper layer",
		Function: "ovl_rename", Errno: "ESTALE", Releases: "all", Man: overlayMan,
		Long:  "A file that was copied up and then linked has two inodes in an overlay that cannot read where the copy came from: one that was mounted in a user namespace, or on top of another overlay. Elsewhere rename of a file over another name of itself does nothing; here it fails.",
		Repro: "unshare -Urm sh -c 'mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr o m; ln m/f m/g; rename m/f m/g'",
	})
	OverlayRoom = define(Info{
		ID: "OVL425", Gate: Overlay, Title: "the upper layer's filesystem must have room for the copy", Denies: "copying {obj} up takes {0}, and the upper layer's filesystem has {1} left, {2} inodes", Unknowns: "whether the upper layer's filesystem has room for {0} of {obj} is not known: it says that {1} are left, {2} inodes", Refuses: "the upper layer's filesystem is full",
		Facts: []FactInfo{{"bytes", KindBytes}, {"left", KindBytes}, {"inodes", KindString}}, Function: "ovl_copy_up_file, ovl_create_temp", Errno: "ENOSPC", Releases: "all", Man: overlayMan,
		Long:  "Before a file of a lower layer is changed it is copied whole, so that a change of one byte, or of the mode, fails where the file does not fit into the upper layer's filesystem. Nothing of the copy stays; directories above it that were copied first do. O_TRUNC copies no data, nor does a change of attributes with metacopy=on. A filesystem that shares or compresses data needs less than the file's size, ext4 keeps a reserve for root.",
		Repro: "mount -t tmpfs -o size=16k t u; mkdir u/u u/w; head -c 1M /dev/zero | tr '\\0' x > l/f; mount -t overlay -o lowerdir=l,upperdir=u/u,workdir=u/w o m; chmod 600 m/f",
	})
	OverlayQuota = define(Info{
		ID: "OVL429", Gate: Overlay, Title: "the copy counts against the quota of the file's owner", Denies: "copying {obj} up exceeds a quota", Unknowns: "the upper layer's filesystem is mounted with {0}: whether a quota has room for the copy of {obj} is not known", Refuses: "a quota is used up",
		Facts: []FactInfo{{"option", KindString}}, Function: "dquot_alloc_space, dquot_alloc_inode, dquot_transfer", Errno: "EDQUOT", Releases: "all", Man: overlayMan,
		Long:  "A copy in the upper layer belongs to the owner of the lower file, so that its blocks and its inode count against that user's, group's or project's quota. The overlay's mounter makes it without CAP_SYS_RESOURCE, which would be above quotas. repquota tells how much is left.",
		Repro: "mkfs.ext4 -O quota img; mount -o loop,usrquota img u; setquota -u 1000 4 4 0 0 u; mount -t overlay -o lowerdir=l,upperdir=u/u,workdir=u/w o m; chmod 600 m/file-of-1000",
	})
	OverlayNameGone = define(Info{
		ID: "OVL428", Gate: Overlay, Title: "a copy needs its name in the upper layer", Denies: "{obj} is a file of a lower layer whose name {0} has been removed: its copy finds that name taken in the upper layer, or the directory gone", Unknowns: "what becomes of the copy of {obj}, whose name {0} has been removed, is not known", Refuses: "the name of the lower file is gone",
		Facts: []FactInfo{{"name", KindString}}, Function: "ovl_copy_up_tmpfile, ovl_copy_up_workdir", Errno: "EEXIST, ENOENT, EISDIR, ENOTDIR or ENOTEMPTY", Releases: "all", Man: overlayMan,
		Long:  "A file that is open can be changed after its name has been removed, but not where it is still a file of a lower layer: overlayfs copies it up under the name that it had, and finds the whiteout, or the file that has taken its place (EEXIST). fchmod, fchown, futimens, fsetxattr and an opening for writing through /proc/self/fd fail so; what was opened for writing before was copied then. A FIFO, socket or device takes the place of what is there, except on some releases, which answer EEXIST too.",
		Repro: "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m; exec 3<m/f; rm m/f; chmod 600 /proc/self/fd/3",
	})
	UserNSCaps = define(Info{
		ID: "UNS420", Gate: UserNS, Title: "copy-up keeps file capabilities, whose root must be mapped for the mounter", Denies: "{obj} has file capabilities for the root of a user namespace that has no id in the mounter's: it cannot be copied up", Refuses: "the root of the file capabilities is not mapped for the overlay's mounter",
		Facts: []FactInfo{{"user namespace", KindNS}}, Function: "ovl_copy_xattr, cap_inode_getsecurity", Errno: "EOVERFLOW", Releases: "since Linux 5.11", Man: "capabilities(7)",
		Long:  "An overlay that was mounted inside a user namespace copies a file up with its attributes, which it reads with that namespace's credentials. Capabilities of a file that are for the root of another user namespace (version 3) cannot be told there, and so the file is not copied, whatever is to be changed of it.",
		Repro: "setcap -n 200000 cap_chown=ep l/f; in a user namespace without id 200000: mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr o m; chmod 600 m/f",
	})
	OverlayVolatile = define(Info{
		ID: "OVL426", Gate: Overlay, Title: "an overlay with volatile synchronises nothing", Allows: "{obj} is in an overlay that is mounted with volatile: nothing is written to disk now, and a crash may lose it",
		Function: "ovl_sync_status", Releases: "since Linux 5.10", Man: overlayMan,
		Long:  "fsync, fdatasync, syncfs and O_SYNC do nothing in an overlay that is mounted with volatile, as podman's and containerd's may be. Only once the upper layer's filesystem has met an error in writing they say so (EIO).",
		Repro: "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,volatile o m; strace sync m/f",
	})
	OverlayLeaves = define(Info{
		ID: "OVL424", Gate: Overlay, Title: "what is removed of a lower layer is hidden, not freed", Allows: "{obj} goes out of sight by a whiteout in the upper layer; {1} keeps it",
		Facts: []FactInfo{{"name", KindString}, {"layer", KindString}}, Function: "ovl_remove_and_whiteout", Releases: "all", Man: overlayMan,
		Long:  "A lower layer is never written. Removing or moving a file of one puts a character device 0:0 with its name into the upper layer, after the directories above have been copied up; no space is freed, and with the container the whiteout goes, so that the file is there again.",
		Repro: "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m; rm m/f; ls -l u/f l/f",
	})
)
