// Package kernel says what a Linux release does differently from another: releases, named changes, capabilities,
// sysctls. Nothing outside it compares versions: code asks whether a release has a named change.
package kernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Answer is yes, no, or that it is not known.
type Answer uint8

const (
	NotKnown Answer = iota
	No
	Yes
)

// Release is a Linux release, of which the first two numbers count; the third tells of changes that stable releases carry
// too. The zero Release is one that is not known.
type Release struct {
	Major, Minor int
	Patch        int    // 0: not known
	Text         string // as uname prints it
	Debian       bool   // it has Debian's patches
}

// Known reports whether the release is known at all.
func (r Release) Known() bool { return r.Major != 0 }

// String returns the release as uname prints it, or "unknown".
func (r Release) String() string {
	switch {
	case r.Text != "":
		return r.Text
	case r.Known():
		return fmt.Sprintf("%d.%d", r.Major, r.Minor)
	}
	return "unknown"
}

// ParseRelease reads what uname -r prints: "6.18.44-1-amd64", or just "6.18".
func ParseRelease(s string) (Release, error) {
	major, rest, ok := strings.Cut(s, ".")
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(rest[:end])
	if !ok || err1 != nil || err2 != nil || a < 2 || a > 99 || b > 999 || len(s) > 64 {
		return Release{}, fmt.Errorf("%q is not a kernel release such as 6.18 or 6.1.0-40-amd64", s)
	}
	rel := Release{Major: a, Minor: b, Text: s}
	if third, ok := strings.CutPrefix(rest[end:], "."); ok {
		rel.Patch = leading(third)
	}
	return rel, nil
}

// leading is the number that a string begins with.
func leading(s string) int {
	n := 0
	for n < len(s) && n < 4 && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	v, _ := strconv.Atoi(s[:n])
	return v
}

// Built returns the release with what uname -v tells and -r does not: that Debian has built it, and its patch level, as
// "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-08-01)" does.
func (r Release) Built(version string) Release {
	_, text, ok := strings.Cut(version, "Debian ")
	if r.Debian = ok; ok && r.Patch == 0 {
		if third, ok := strings.CutPrefix(text, fmt.Sprintf("%d.%d.", r.Major, r.Minor)); ok {
			r.Patch = leading(third)
		}
	}
	return r
}

// AtLeast reports whether the release is major.minor or later.
func (r Release) AtLeast(major, minor int) Answer {
	switch {
	case !r.Known():
		return NotKnown
	case r.Major > major || r.Major == major && r.Minor >= minor:
		return Yes
	}
	return No
}

// Change is something that one release did and those before did not.
type Change uint8

const (
	// CreateDirectoryInvalid: open with O_CREAT|O_DIRECTORY is EINVAL (build_open_flags); before, it made a regular file.
	CreateDirectoryInvalid Change = iota
	// OverlayTmpfile: overlayfs implements O_TMPFILE (ovl_tmpfile).
	OverlayTmpfile
	// TmpfsDirectIO: tmpfs accepts O_DIRECT (shmem_file_open sets FMODE_CAN_ODIRECT).
	TmpfsDirectIO
	// OverlayUserNS: overlayfs can be mounted in a user namespace (FS_USERNS_MOUNT).
	OverlayUserNS
	// ExecIDChanged: execve asks whether the effective ids change (id_changed in cap_bprm_creds_from_file); before, whether
	// they differ from the real ones (is_setid).
	ExecIDChanged
	// SetresNothing: setresuid and setresgid that change nothing leave the ids for files alone too.
	SetresNothing
	// ExecOpensFirst: execve opens the program before it looks at its arguments (alloc_bprm).
	ExecOpensFirst
	// ExecTakesWritten: execve takes what is open for writing, and what runs can be opened for writing (no deny_write_access).
	// Stable updates took it back.
	ExecTakesWritten
	// ExecCheck: execveat knows AT_EXECVE_CHECK.
	ExecCheck
	// SecurebitsExec: the securebits EXEC_RESTRICT_FILE and EXEC_DENY_INTERACTIVE, which need no privilege.
	SecurebitsExec
	// ResolveCached: openat2 knows RESOLVE_CACHED.
	ResolveCached
	// StatEmptyDescriptor: fstatat and statx of a descriptor take NULL for "" with AT_EMPTY_PATH and no other flag but those of
	// statx that a descriptor has no use for (vfs_empty_path).
	StatEmptyDescriptor
	// StatEmptyPath: they take NULL with any other flag and for the current directory too, and a descriptor's other flags are
	// not looked at then (getname_maybe_null).
	StatEmptyPath
	// TmpfileMapsIDs: O_TMPFILE asks whether the task's ids have a place in the filesystem (fsuidgid_has_mapping), before the
	// directory's permissions. Seen on 6.1.192, 6.12.117 and 6.18.44; which release brought it is not known here.
	TmpfileMapsIDs
	// ThreadPidfd: clone with CLONE_PIDFD makes threads too.
	ThreadPidfd
	// BindToDeviceOnce: everybody binds a socket to an interface that is not bound to one yet.
	BindToDeviceOnce
	// ReceiveMarkFree: SO_RCVMARK asks for no capability any more.
	ReceiveMarkFree
	// ReuseportInet: SO_REUSEPORT is for sockets of IPv4 and IPv6 alone.
	ReuseportInet
	// ScmReceivers: SO_PASSCRED and SO_PASSSEC are for UNIX, netlink and Bluetooth sockets alone (sk_may_scm_recv).
	ScmReceivers
	// SetfcapMapsRoot: a uid_map that holds the parent's uid 0 needs CAP_SETFCAP (verify_root_map).
	SetfcapMapsRoot
	// OverlayParsesLayers: overlayfs looks its layers up while it reads its options, before the capability is asked for.
	OverlayParsesLayers
	// MoveMountTargetFirst: move_mount looks its target up before its source, and takes NULL for an empty path.
	MoveMountTargetFirst
	// CreateExclusive: fsconfig knows FSCONFIG_CMD_CREATE_EXCL.
	CreateExclusive
	// TmpfsIDMapped: tmpfs has idmapped mounts (FS_ALLOW_IDMAP).
	TmpfsIDMapped
	// UmountExact: what an unmount takes along elsewhere is the largest set that is allowed (propagate_umount.txt); before, the
	// order of the mounts could matter. The unbindable bit is no longer copied into a new mount namespace, and a group's next
	// peer becomes the master of what a leaving mount had as slaves.
	UmountExact
	// LockedTuck: what slides under a locked mount takes the lock over (attach_recursive_mnt). Not in 6.18.44; which release
	// brought it is not known here.
	LockedTuck
	// MakeChecksNamespace: a change of propagation asks for CAP_SYS_ADMIN over the owner of the mount's namespace
	// (may_change_propagation); stable releases carry it too, Debian's 6.1.192 and 6.12.117 do not.
	MakeChecksNamespace
	// MountBeneath: move_mount knows MOVE_MOUNT_BENEATH.
	MountBeneath
	// DetachedTrees: mounts of a detached tree can be copied, mounted upon and unmounted (may_use_mount, get_detached_copy).
	DetachedTrees
	// MountIDsChecked: statmount and listmount refuse ids that no mount can have, and listmount more than a million of them
	// (copy_mnt_id_req, prepare_klistmount). It is there in 6.18 and not in 6.8; which release brought it is not known.
	MountIDsChecked
	// MountNSByFD: a request of statmount and listmount may name a mount namespace by a descriptor. Not in 6.18.44.
	MountNSByFD
	// UmountNeedsParent: the root of a mount namespace is never unmounted (do_umount).
	UmountNeedsParent
	// SetattrRootfs: mount_setattr works on the root of a mount namespace.
	SetattrRootfs
	// PidfdThreadMissing: pidfd_open of a thread without PIDFD_THREAD is ENOENT; before, EINVAL (pidfd_prepare). Seen on
	// 6.18.44; which release brought it is not known here.
	PidfdThreadMissing
	// TmpfsIDMap: mounts of tmpfs can be idmapped (FS_ALLOW_IDMAP).
	TmpfsIDMap
	// TmpfsAttributes: tmpfs keeps the attributes of chattr(1) (shmem_fileattr_set).
	TmpfsAttributes
	// UretprobeUnfiltered and UprobeUnfiltered: seccomp lets these calls of x86_64 pass without asking filters or strict mode
	// (seccomp_uprobe_exception).
	UretprobeUnfiltered
	UprobeUnfiltered
	// XattrCopiedFirst: setxattr and removexattr copy name and value before the path is looked up, behind a descriptor and before
	// the mount is asked (path_setxattr, fsetxattr).
	XattrCopiedFirst
	// XattrDescriptorLast: they do so before a descriptor is looked at too, as do getxattr and fgetxattr with the name
	// (path_setxattrat, path_getxattrat).
	XattrDescriptorLast
	// TmpfsUserXattr: tmpfs keeps user.* attributes.
	TmpfsUserXattr
	// OverlayEscapesXattr: names of overlayfs's own marks can be used in an overlay; they are kept with another prefix.
	OverlayEscapesXattr
	// FileAttrHooks: file_getattr and file_setattr, and hooks of security modules before them.
	FileAttrHooks
	// MemfdExec: memfd_create knows MFD_EXEC and MFD_NOEXEC_SEAL.
	MemfdExec
	// HandleRelaxed: open_by_handle_at is open to whoever has power over the filesystem or the mount (may_decode_fh).
	HandleRelaxed
	// HandleFID, HandleMountID, HandleConnectable: name_to_handle_at knows AT_HANDLE_FID, AT_HANDLE_MNT_ID_UNIQUE and
	// AT_HANDLE_CONNECTABLE.
	HandleFID
	HandleMountID
	HandleConnectable
	// NoMandatoryLocks: flock takes LOCK_MAND and does nothing.
	NoMandatoryLocks
	// ProcInfoPermission: the directory /proc/PID/fdinfo is open to whoever may read the process by ptrace (proc_fdinfo_permission).
	ProcInfoPermission
	// CopyUpKeepsName: overlayfs copies nothing up over what stands at the object's name in the upper layer (ovl_copy_up_workdir).
	CopyUpKeepsName
	// AnonymousSetattr: files without a name keep mode, owner and times (anon_inode_setattr).
	AnonymousSetattr
	// HandleReadFirst: open_by_handle_at copies the handle before it looks at the descriptor and asks for power.
	HandleReadFirst
	// LandlockRefer, LandlockTruncate, LandlockNet, LandlockIoctl, LandlockScope: rights that Landlock has learnt, ABI 2 to 6.
	LandlockRefer
	LandlockTruncate
	LandlockNet
	LandlockIoctl
	LandlockScope
	// LandlockLogs: landlock_restrict_self has flags, and landlock_create_ruleset tells of errata (ABI 7).
	LandlockLogs
	// LandlockWhiteouts: Landlock takes whiteouts (character devices 0:0) for regular files, and asks for the right to make one where
	// RENAME_WHITEOUT leaves one.
	LandlockWhiteouts
	// SyslogStrict: syslog takes no CAP_SYS_ADMIN for CAP_SYSLOG. Seen on 6.12.117 and not on 6.1.192; it was proposed when 6.7
	// was out, which release brought it is not known here.
	SyslogStrict
	// MemoryReadPerfmon: CAP_PERFMON is enough to read another process's memory layout (may_access_mm).
	MemoryReadPerfmon
	// PidMaxNamespaced: kernel.pid_max belongs to the PID namespace (pid_table_root_permissions).
	PidMaxNamespaced
	// XattrCapabilityAlways: the capabilities that attributes named security.* need are asked for whichever modules are active
	// (security_inode_xattr_skipcap); before, not where the bpf module's default answer, 0, ended security_inode_setxattr and
	// security_inode_removexattr. Seen without it on 6.1.192.
	XattrCapabilityAlways
	// SysctlCallGone: _sysctl has no function any more.
	SysctlCallGone
	// SockoptFirst: setsockopt looks for the socket before it looks at the length (do_sock_setsockopt).
	SockoptFirst
	// MadviseOwn: process_madvise takes every advice for the task's own memory, and asks what the advice is only once it has the
	// memory.
	MadviseOwn
	// TruncateAsksFirst: truncate asks for the permission to write before it asks the mount (vfs_truncate).
	TruncateAsksFirst
	// OverlayXattrWhiteouts: overlayfs takes empty regular files with a mark for whiteouts in directories that are opaque=x
	// (ovl_path_check_xwhiteout_xattr); 6.7 had another mark for such directories, stable updates brought it this one.
	OverlayXattrWhiteouts
	// OverlayDataOnly: lower layers may hold data of metacopy files alone (lowerdir=a::b).
	OverlayDataOnly
	// OverlayDataPlain: such layers need no metacopy=on, and redirects and copies of attributes that must not be followed are refused
	// before anything is looked for below (ovl_check_follow_redirect).
	OverlayDataPlain
	// OverlayAsksTrusted: options that need trusted.overlay.* are refused to who may not use that (ovl_fs_params_verify); before, they
	// did nothing.
	OverlayAsksTrusted
	// RingMemoryLocked: the memory of an io_uring counts against RLIMIT_MEMLOCK (io_create_region).
	RingMemoryLocked
	// BPFRefusesCreation: kernel.unprivileged_bpf_disabled refuses new maps and programs; before, every command (__sys_bpf).
	BPFRefusesCreation
	// BPFHookFirst: it does so behind the security modules and the look at the attributes (map_create, bpf_prog_load).
	BPFHookFirst
	// BPFTokens: CAP_SYS_ADMIN is as good as CAP_NET_ADMIN for maps of the network (bpf_token_capable).
	BPFTokens
	// SELinuxBindUnspec: SELinux leaves an address without a family to IPv6 (selinux_socket_bind); before, it took it for one of IPv4.
	SELinuxBindUnspec
	numChanges
)

// changes gives the upstream release of each change and, where stable releases carry it too, the oldest series that may:
// from there on only the patch level would tell. seen are stable releases in which the change was seen: later ones of the
// same series have it. gone is the release that has taken it back;
// whether a stable update did so in between, only the patch level would tell; goneSeen are those in which it was seen to be gone.
var changes = [numChanges]struct {
	in, maybe, gone [2]int
	seen, goneSeen  [][3]int
	lacking         [][3]int // stable releases that were seen without it: earlier ones of the same series lack it too
}{
	CreateDirectoryInvalid: {in: [2]int{6, 4}, maybe: [2]int{5, 10}, seen: [][3]int{{6, 1, 192}}},
	OverlayTmpfile:         {in: [2]int{6, 10}},
	TmpfsDirectIO:          {in: [2]int{6, 6}},
	OverlayUserNS:          {in: [2]int{5, 11}},
	ExecIDChanged:          {in: [2]int{6, 17}},
	SetresNothing:          {in: [2]int{6, 3}, maybe: [2]int{5, 4}, seen: [][3]int{{6, 1, 192}}},
	ExecOpensFirst:         {in: [2]int{6, 8}},
	ExecTakesWritten:       {in: [2]int{6, 11}, gone: [2]int{6, 13}, goneSeen: [][3]int{{6, 12, 117}}},
	ExecCheck:              {in: [2]int{6, 14}},
	SecurebitsExec:         {in: [2]int{6, 14}},
	ResolveCached:          {in: [2]int{5, 12}},
	TmpfsIDMap:             {in: [2]int{6, 3}},
	TmpfsAttributes:        {in: [2]int{6, 0}},
	StatEmptyDescriptor:    {in: [2]int{6, 11}},
	StatEmptyPath:          {in: [2]int{6, 13}},
	TmpfileMapsIDs:         {in: [2]int{99, 0}, maybe: [2]int{5, 12}, seen: [][3]int{{6, 1, 192}, {6, 12, 117}, {6, 18, 44}}},
	XattrCopiedFirst:       {in: [2]int{6, 11}, maybe: [2]int{6, 2}},
	XattrDescriptorLast:    {in: [2]int{6, 13}},
	TmpfsUserXattr:         {in: [2]int{6, 6}},
	OverlayEscapesXattr:    {in: [2]int{6, 7}},
	FileAttrHooks:          {in: [2]int{6, 17}},
	MemfdExec:              {in: [2]int{6, 3}},
	HandleRelaxed:          {in: [2]int{6, 11}},
	HandleFID:              {in: [2]int{6, 6}},
	HandleMountID:          {in: [2]int{6, 12}},
	HandleConnectable:      {in: [2]int{6, 13}},
	NoMandatoryLocks:       {in: [2]int{5, 18}},
	LandlockRefer:          {in: [2]int{5, 19}},
	LandlockTruncate:       {in: [2]int{6, 2}},
	LandlockNet:            {in: [2]int{6, 7}},
	LandlockIoctl:          {in: [2]int{6, 10}},
	LandlockScope:          {in: [2]int{6, 12}},
	LandlockLogs:           {in: [2]int{6, 15}},
	LandlockWhiteouts:      {in: [2]int{99, 0}, maybe: [2]int{5, 13}, seen: [][3]int{{6, 1, 192}, {6, 12, 117}}, lacking: [][3]int{{6, 18, 44}}},
	MemoryReadPerfmon:      {in: [2]int{6, 15}},
	PidMaxNamespaced:       {in: [2]int{6, 14}},
	ProcInfoPermission:     {in: [2]int{6, 11}, maybe: [2]int{5, 14}, seen: [][3]int{{6, 1, 192}}},
	CopyUpKeepsName:        {in: [2]int{99, 0}, maybe: [2]int{5, 4}, seen: [][3]int{{6, 12, 117}}, lacking: [][3]int{{6, 1, 192}, {6, 18, 44}}},
	AnonymousSetattr:       {in: [2]int{6, 16}, maybe: [2]int{5, 4}, lacking: [][3]int{{6, 1, 192}, {6, 12, 117}}},
	HandleReadFirst:        {in: [2]int{6, 17}},
	ThreadPidfd:            {in: [2]int{6, 9}},
	BindToDeviceOnce:       {in: [2]int{5, 7}},
	ReceiveMarkFree:        {in: [2]int{6, 17}, maybe: [2]int{6, 1}, seen: [][3]int{{6, 1, 192}, {6, 12, 117}}},
	ReuseportInet:          {in: [2]int{6, 13}, maybe: [2]int{5, 4}, seen: [][3]int{{6, 1, 192}, {6, 12, 117}}},
	ScmReceivers:           {in: [2]int{6, 16}},
	SyslogStrict:           {in: [2]int{6, 18}, maybe: [2]int{6, 8}, seen: [][3]int{{6, 12, 117}}},
	SetfcapMapsRoot:        {in: [2]int{5, 12}, maybe: [2]int{4, 9}},
	OverlayParsesLayers:    {in: [2]int{6, 5}},
	MoveMountTargetFirst:   {in: [2]int{6, 15}},
	CreateExclusive:        {in: [2]int{6, 6}},
	TmpfsIDMapped:          {in: [2]int{6, 3}},
	UmountExact:            {in: [2]int{6, 17}},
	LockedTuck:             {in: [2]int{99, 0}, maybe: [2]int{6, 19}},
	MakeChecksNamespace:    {in: [2]int{6, 16}},
	MountBeneath:           {in: [2]int{6, 5}},
	DetachedTrees:          {in: [2]int{6, 15}},
	MountIDsChecked:        {in: [2]int{6, 18}, maybe: [2]int{6, 9}, seen: [][3]int{{6, 12, 117}}},
	MountNSByFD:            {in: [2]int{99, 0}, maybe: [2]int{6, 19}},
	UmountNeedsParent:      {in: [2]int{6, 15}},
	SetattrRootfs:          {in: [2]int{6, 8}},
	PidfdThreadMissing:     {in: [2]int{6, 18}, maybe: [2]int{6, 13}},
	UretprobeUnfiltered:    {in: [2]int{6, 14}, maybe: [2]int{6, 11}},
	UprobeUnfiltered:       {in: [2]int{6, 18}},
	XattrCapabilityAlways:  {in: [2]int{6, 11}, maybe: [2]int{6, 2}},
	SysctlCallGone:         {in: [2]int{5, 5}},
	SockoptFirst:           {in: [2]int{6, 7}},
	MadviseOwn:             {in: [2]int{6, 13}},
	TruncateAsksFirst:      {in: [2]int{6, 14}},
	RingMemoryLocked:       {in: [2]int{6, 14}, maybe: [2]int{6, 13}},
	OverlayXattrWhiteouts:  {in: [2]int{6, 8}, maybe: [2]int{6, 7}},
	OverlayAsksTrusted:     {in: [2]int{6, 12}},
	OverlayDataOnly:        {in: [2]int{6, 5}},
	OverlayDataPlain:       {in: [2]int{6, 16}},
	BPFRefusesCreation:     {in: [2]int{5, 19}},
	BPFHookFirst:           {in: [2]int{6, 5}},
	SELinuxBindUnspec:      {in: [2]int{6, 9}, maybe: [2]int{4, 19}, seen: [][3]int{{6, 1, 192}}},
	BPFTokens:              {in: [2]int{6, 9}},
}

// inSeries reports whether the release is one of these stable ones, or a later one of the same series.
func (r Release) inSeries(list [][3]int) bool {
	return slices.ContainsFunc(list, func(s [3]int) bool { return r.Major == s[0] && r.Minor == s[1] && r.Patch >= s[2] })
}

// Has says whether the release has the change. Where stable updates carried a change back, an older series answers
// NotKnown.
func (r Release) Has(c Change) Answer {
	ch := &changes[c]
	switch {
	case r.inSeries(ch.seen):
		return Yes
	case r.inSeries(ch.goneSeen), slices.ContainsFunc(ch.lacking, func(s [3]int) bool { return r.Major == s[0] && r.Minor == s[1] && r.Patch > 0 && r.Patch <= s[2] }):
		return No
	}
	if ch.gone != [2]int{} {
		switch {
		case r.AtLeast(ch.gone[0], ch.gone[1]) == Yes:
			return No
		case r.AtLeast(ch.in[0], ch.in[1]) == Yes:
			return NotKnown
		}
	}
	if a := r.AtLeast(ch.in[0], ch.in[1]); a != No || ch.maybe == [2]int{} {
		return a
	}
	if r.AtLeast(ch.maybe[0], ch.maybe[1]) == Yes {
		return NotKnown
	}
	return No
}
