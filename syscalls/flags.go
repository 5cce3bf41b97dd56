package syscalls

import (
	"strconv"
	"strings"
)

// flag is a symbolic name of a number.
type flag struct {
	name string
	val  uint64
}

// flagSet is the names that one argument may be written with. Names that cover several bits stand before their parts.
type flagSet struct {
	flags []flag
	enum  []flag // one of these, in the bits of mask
	mask  uint64
	octal bool // what has no name is printed in octal

	memory bool // an address may stand instead
	loose  bool // a name that is not known here stands for a number that is not known
	single bool // the value is one of enum, or a number
}

var openFlags = &flagSet{
	enum: []flag{{"O_RDONLY", 0}, {"O_WRONLY", 1}, {"O_RDWR", 2}, {"O_ACCMODE", 3}}, mask: 3,
	flags: []flag{{"O_CREAT", 0o100}, {"O_EXCL", 0o200}, {"O_NOCTTY", 0o400}, {"O_TRUNC", 0o1000}, {"O_APPEND", 0o2000},
		{"O_NONBLOCK", 0o4000}, {"O_SYNC", 0o4010000}, {"O_DSYNC", 0o10000}, {"O_ASYNC", 0o20000}, {"O_DIRECT", 0o40000},
		{"O_LARGEFILE", 0o100000}, {"O_TMPFILE", 0o20200000}, {"O_DIRECTORY", 0o200000}, {"O_NOFOLLOW", 0o400000},
		{"O_NOATIME", 0o1000000}, {"O_CLOEXEC", 0o2000000}, {"O_PATH", 0o10000000}, {"O_NDELAY", 0o4000}},
}

var atFlags = &flagSet{flags: []flag{{"AT_SYMLINK_NOFOLLOW", 0x100}, {"AT_REMOVEDIR", 0x200}, {"AT_EACCESS", 0x200}, {"AT_SYMLINK_FOLLOW", 0x400},
	{"AT_NO_AUTOMOUNT", 0x800}, {"AT_EMPTY_PATH", 0x1000}, {"AT_STATX_FORCE_SYNC", 0x2000}, {"AT_STATX_DONT_SYNC", 0x4000}, {"AT_STATX_SYNC_AS_STAT", 0}}}

var accessFlags = &flagSet{flags: []flag{{"AT_SYMLINK_NOFOLLOW", 0x100}, {"AT_EACCESS", 0x200}, {"AT_EMPTY_PATH", 0x1000}}}

var accessModes = &flagSet{flags: []flag{{"R_OK", 4}, {"W_OK", 2}, {"X_OK", 1}, {"F_OK", 0}}}

var fileModes = &flagSet{octal: true, mask: 0o170000,
	enum:  []flag{{"S_IFIFO", 0o010000}, {"S_IFCHR", 0o020000}, {"S_IFDIR", 0o040000}, {"S_IFBLK", 0o060000}, {"S_IFREG", 0o100000}, {"S_IFLNK", 0o120000}, {"S_IFSOCK", 0o140000}},
	flags: nil}

var permNames = []flag{{"S_ISUID", 0o4000}, {"S_ISGID", 0o2000}, {"S_ISVTX", 0o1000}, {"S_IRWXU", 0o700}, {"S_IRUSR", 0o400}, {"S_IWUSR", 0o200}, {"S_IXUSR", 0o100},
	{"S_IRWXG", 0o70}, {"S_IRGRP", 0o40}, {"S_IWGRP", 0o20}, {"S_IXGRP", 0o10}, {"S_IRWXO", 7}, {"S_IROTH", 4}, {"S_IWOTH", 2}, {"S_IXOTH", 1}}

var resolveFlags = &flagSet{flags: []flag{{"RESOLVE_NO_XDEV", 1}, {"RESOLVE_NO_MAGICLINKS", 2}, {"RESOLVE_NO_SYMLINKS", 4}, {"RESOLVE_BENEATH", 8}, {"RESOLVE_IN_ROOT", 16}, {"RESOLVE_CACHED", 32}}}

var renameFlags = &flagSet{flags: []flag{{"RENAME_NOREPLACE", 1}, {"RENAME_EXCHANGE", 2}, {"RENAME_WHITEOUT", 4}}}

var mountFlags = &flagSet{flags: []flag{{"MS_RDONLY", 1}, {"MS_NOSUID", 2}, {"MS_NODEV", 4}, {"MS_NOEXEC", 8}, {"MS_SYNCHRONOUS", 16}, {"MS_REMOUNT", 32}, {"MS_MANDLOCK", 64},
	{"MS_DIRSYNC", 128}, {"MS_NOSYMFOLLOW", 256}, {"MS_NOATIME", 1024}, {"MS_NODIRATIME", 2048}, {"MS_BIND", 4096}, {"MS_MOVE", 8192}, {"MS_REC", 16384}, {"MS_SILENT", 32768},
	{"MS_UNBINDABLE", 1 << 17}, {"MS_PRIVATE", 1 << 18}, {"MS_SLAVE", 1 << 19}, {"MS_SHARED", 1 << 20}, {"MS_RELATIME", 1 << 21}, {"MS_STRICTATIME", 1 << 24}, {"MS_LAZYTIME", 1 << 25}}}

var umountFlags = &flagSet{flags: []flag{{"MNT_FORCE", 1}, {"MNT_DETACH", 2}, {"MNT_EXPIRE", 4}, {"UMOUNT_NOFOLLOW", 8}}}

var cloneFlags = &flagSet{flags: []flag{{"CLONE_VM", 0x100}, {"CLONE_FS", 0x200}, {"CLONE_FILES", 0x400}, {"CLONE_SIGHAND", 0x800}, {"CLONE_PTRACE", 0x2000}, {"CLONE_VFORK", 0x4000},
	{"CLONE_THREAD", 0x10000}, {"CLONE_NEWNS", 0x20000}, {"CLONE_SYSVSEM", 0x40000}, {"CLONE_NEWCGROUP", 0x2000000}, {"CLONE_NEWUTS", 0x4000000}, {"CLONE_NEWIPC", 0x8000000},
	{"CLONE_NEWUSER", 0x10000000}, {"CLONE_NEWPID", 0x20000000}, {"CLONE_NEWNET", 0x40000000}, {"CLONE_NEWTIME", 0x80}}}

var statxMask = &flagSet{flags: []flag{{"STATX_BASIC_STATS", 0x7ff}, {"STATX_ALL", 0xfff}, {"STATX_TYPE", 1}, {"STATX_MODE", 2}, {"STATX_NLINK", 4}, {"STATX_UID", 8}, {"STATX_GID", 16},
	{"STATX_ATIME", 32}, {"STATX_MTIME", 64}, {"STATX_CTIME", 128}, {"STATX_INO", 256}, {"STATX_SIZE", 512}, {"STATX_BLOCKS", 1024}, {"STATX_BTIME", 2048}, {"STATX_MNT_ID", 4096},
	{"STATX_DIOALIGN", 8192}, {"STATX_MNT_ID_UNIQUE", 16384}, {"STATX_SUBVOL", 32768}}}

func (s *flagSet) all() []flag {
	all := append(append([]flag(nil), s.enum...), s.flags...)
	if s == fileModes {
		all = append(all, permNames...)
	}
	return all
}

// value returns the number of a name.
func (s *flagSet) value(name string) (uint64, bool) {
	for _, f := range s.all() {
		if f.name == name {
			return f.val, true
		}
	}
	return 0, false
}

func (s *flagSet) nearest(name string) []string {
	var names []string
	for _, f := range s.all() {
		names = append(names, f.name)
	}
	return Near(name, names)
}

// text prints a value with its names, what is left over as a number.
func (s *flagSet) text(v uint64) string {
	var parts []string
	if s.single {
		for _, f := range s.enum {
			if v == f.val {
				return f.name
			}
		}
		return strconv.FormatInt(int64(v), 10)
	}
	if s.mask != 0 {
		for _, f := range s.enum {
			if v&s.mask == f.val {
				parts = append(parts, f.name)
				v &^= s.mask
				break
			}
		}
	}
	for _, f := range s.flags {
		if f.val != 0 && v&f.val == f.val || f.val == 0 && v == 0 && len(parts) == 0 {
			parts = append(parts, f.name)
			v &^= f.val
		}
	}
	if v != 0 || len(parts) == 0 {
		n := "0x" + strconv.FormatUint(v, 16)
		if s.octal {
			n = "0" + strconv.FormatUint(v, 8)
		}
		if v == 0 {
			n = "0"
		}
		parts = append(parts, n)
	}
	return strings.Join(parts, "|")
}

// Names whose argument is no flag set.
var constants = []flag{{"AT_FDCWD", 1<<64 - 100}, {"UTIME_NOW", 0x3fffffff}, {"UTIME_OMIT", 0x3ffffffe}}

// permute exchanges the four open flags that arm64 numbers in its own way.
func permute(v uint64, toARM bool) uint64 {
	pairs := [4][2]uint64{{0o200000, 0o40000}, {0o400000, 0o100000}, {0o40000, 0o200000}, {0o100000, 0o400000}}
	out := v
	for _, p := range pairs {
		out &^= p[0]
	}
	for _, p := range pairs {
		from, to := p[0], p[1]
		if !toARM {
			from, to = to, from
		}
		if v&from != 0 {
			out |= to
		}
	}
	return out
}

// Flag is a symbolic name with its bits.
type Flag struct {
	Name string
	Bits uint64
}

// Flags lists the flags that an argument holds, one bit of a set of modes not being one.
func (a *Arg) Flags() []Flag {
	set := kindSets[a.Kind]
	if set == nil {
		return nil
	}
	return set.held(a.Val)
}

// HowFlags lists the flags of openat2's structure: those of its field flags for 0, of resolve for 1.
func HowFlags(a Arg, field int) []Flag {
	if field == 0 {
		return openFlags.held(a.How[0])
	}
	return resolveFlags.held(a.How[2])
}

func (s *flagSet) held(v uint64) []Flag {
	var out []Flag
	for _, f := range s.flags {
		if f.val != 0 && v&f.val == f.val {
			out = append(out, Flag{f.name, f.val})
			v &^= f.val
		}
	}
	if v &^= s.mask; v != 0 {
		out = append(out, Flag{"0x" + strconv.FormatUint(v, 16), v})
	}
	return out
}
