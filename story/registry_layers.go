package story

// What overlayfs asks of its layers when it is mounted: fs/overlayfs/params.c and super.c.
var (
	LayerMissing = define(Info{
		ID: "OVL310", Gate: Overlay, Title: "an overlay has the layers that it needs", Denies: "the overlay lacks {0}", Refuses: "a layer is missing",
		Facts: []FactInfo{{"lacks", KindString}}, Function: "ovl_fill_super, ovl_get_lowerstack", Errno: "EINVAL", Releases: "all", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Long:  "An overlay has at least one lower layer; with an upper layer a directory to work in, without one at least two lower layers. The kernel's log says which is missing.",
		Repro: "mkdir /tmp/l; mount -t overlay -o lowerdir=/tmp/l none /mnt",
	})
	LayerReadOnly = define(Info{
		ID: "OVL311", Gate: Overlay, Title: "upperdir and workdir can be written", Denies: "{obj}, for {0}, is on a mount or filesystem that is read-only", Refuses: "a read-only layer", Unknowns: "whether {obj}, for {0}, is on a mount that can be written is not known",
		Facts: []FactInfo{{"option", KindString}}, Function: "ovl_mount_dir_check, ovl_get_upper", Errno: "EINVAL", Releases: "all; since Linux 6.5 before the capability is asked for", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Note:  "EINVAL here, not EROFS: the kernel's log says that the filesystem is read-only",
		Long:  "What is written to an overlay goes to upperdir, by way of workdir. Lower layers may be read-only.",
		Repro: "mount -t overlay -o lowerdir=/usr,upperdir=/sys/fs/cgroup,workdir=/sys/fs/cgroup none /mnt",
	})
	LayerWorkdir = define(Info{
		ID: "OVL312", Gate: Overlay, Title: "workdir lies beside upperdir", Denies: "workdir {obj} is {0}", Refuses: "workdir's place",
		Facts: []FactInfo{{"place", KindString}}, Function: "ovl_get_workdir", Errno: "EINVAL", Releases: "all", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Long:  "Files are made in workdir and renamed into upperdir, so that both must be on the same mount, and neither in the other.",
		Repro: "mkdir -p /tmp/l /tmp/u/w; mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/u/w none /mnt",
	})
	LayerVolatile = define(Info{
		ID: "OVL317", Gate: Overlay, Title: "what a volatile mount has left is not mounted again", Denies: "workdir {obj} holds work/incompat/{0}, which an overlay with that option has left: after a crash its upper layer may not be whole", Refuses: "workdir holds marks of an incompatible mount", Unknowns: "whether workdir {obj} holds marks of a mount with volatile is not known",
		Facts: []FactInfo{{"mark", KindString}}, Function: "ovl_workdir_cleanup", Errno: "EINVAL", Releases: "since Linux 5.10", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Long:  "An overlay that was mounted with volatile synchronises nothing, and leaves work/incompat/volatile in workdir, also when it is unmounted. No overlay is mounted with that workdir until somebody who knows that the upper layer is whole removes the directory; engines throw the layer away instead.",
		Repro: "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,volatile o m; umount m; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m",
	})
	OverlayOptions = define(Info{
		ID: "OVL318", Gate: Overlay, Title: "options of an overlay that go together", Denies: "overlayfs does not take together: {0}", Refuses: "conflicting options",
		Facts: []FactInfo{{"conflict", KindString}}, Function: "ovl_fs_params_verify", Errno: "EINVAL", Releases: "metacopy since Linux 4.19, userxattr since 5.11; data-only layers without metacopy=on since 6.16", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Note:  "the kernel's log names the two options",
		Long:  "metacopy=on needs redirect_dir=on, nfs_export=on needs index=on and goes without metacopy, and userxattr has neither redirects nor metacopy. Where both of two such options are given the mount is refused; where one is a parameter of the module it gives way. redirect_dir=off still follows redirects, unless the module's redirect_always_follow is off.",
		Repro: "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,metacopy=on,redirect_dir=follow o m",
	})
	LayerBusy = define(Info{
		ID: "OVL319", Gate: Overlay, Title: "with index=on an upper layer is one overlay's", Denies: "upperdir {obj} is another overlay's, and index=on", Refuses: "a layer that is in use",
		Function: "ovl_report_in_use", Errno: "EBUSY", Releases: "since Linux 4.13", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Long:  "Two overlays that write to one upper layer do not know of each other's changes. Without index=on the kernel only logs a warning.",
		Repro: "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w2,index=on o n",
	})
	LayerOrigin = define(Info{
		ID: "OVL320", Gate: Overlay, Title: "with index=on an upper layer belongs to one lower layer", Denies: "upperdir {obj} was mounted with index=on above another lowerdir", Refuses: "another lower layer", Unknowns: "whether upperdir {obj} was mounted with index=on above another lowerdir is not known",
		Function: "ovl_get_indexdir", Errno: "ESTALE", Releases: "since Linux 4.13", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Long:  "With index=on the root of the upper layer keeps the file handle of the topmost lower layer in trusted.overlay.origin. A copy of the layers, whose handles are others, is refused; removing the attribute, and the directory index in workdir, lets it be mounted.",
		Repro: "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,index=on o m; umount m; mount -t overlay -o lowerdir=l2,upperdir=u,workdir=w,index=on o m",
	})
	LayerOverlap = define(Info{
		ID: "OVL313", Gate: Overlay, Title: "layers do not overlap", Denies: "lower layer {obj} is another layer, or lies in one", Refuses: "overlapping layers",
		Function: "ovl_setup_trap, ovl_check_overlapping_layers", Errno: "ELOOP", Releases: "since Linux 5.2", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Long:  "A file would be seen twice where one layer lies in another. A lower layer may hold upperdir and workdir.",
		Repro: "mkdir -p /tmp/l; mount -t overlay -o lowerdir=/tmp/l:/tmp/l none /mnt",
	})
	LayerNested = define(Info{
		ID: "OVL314", Gate: Overlay, Title: "upperdir is on a filesystem that holds an upper layer", Denies: "{obj}, for {0}, is on {1}, which holds no upper layer", Refuses: "a filesystem that holds no upper layer", Unknowns: "whether {1} holds {0} is not known",
		Facts: []FactInfo{{"option", KindString}, {"fstype", KindString}}, Function: "ovl_mount_dir_check", Errno: "EINVAL", Releases: "all; since Linux 6.5 before the capability is asked for", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Note:  "the root of a container is an overlay itself: upperdir and workdir of a nested one go on a volume, as an emptyDir",
		Long:  "An overlay cannot be the upper layer of another one, but a lower one. Filesystems that look at their names again, such as those of the network, depend on more than their type.",
		Repro: "docker run --privileged debian sh -c 'mkdir /u /w; mount -t overlay -o lowerdir=/usr,upperdir=/u,workdir=/w none /mnt'",
	})
	LayerDepth = define(Info{
		ID: "OVL315", Gate: Overlay, Title: "overlays lie two deep at most", Denies: "the lower layers are an overlay of an overlay already", Refuses: "stacked too deep",
		Function: "ovl_get_lowerstack", Errno: "EINVAL", Releases: "since Linux 3.18", Man: "kernel.org/doc/html/latest/filesystems/overlayfs.html",
		Long:  "Filesystems that lie on others may be two deep (FILESYSTEM_MAX_STACK_DEPTH), so that the kernel's stack suffices.",
		Repro: "mount an overlay of an overlay of an overlay",
	})
)
