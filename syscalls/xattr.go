package syscalls

// Extended attributes and the flags that FS_IOC_SETFLAGS sets: fs/xattr.c, fs/file_attr.c.

var _ = defineFlags("xattr", flag{"XATTR_CREATE", 1}, flag{"XATTR_REPLACE", 2})

var _ = defineCalls(map[string]string{
	"setxattr": "path text data int xattr", "lsetxattr": "path text data int xattr", "fsetxattr": "fd text data int xattr",
	"getxattr": "path text out? int?", "lgetxattr": "path text out? int?", "fgetxattr": "fd text out? int?",
	"listxattr": "path out? int?", "llistxattr": "path out? int?", "flistxattr": "fd out? int?",
	"removexattr": "path text", "lremovexattr": "path text", "fremovexattr": "fd text",
	"setxattrat": "fd path at text xattr_args int?", "getxattrat": "fd path at text xattr_args int?",
	"listxattrat": "fd path at out? int?", "removexattrat": "fd path at text",
	"file_getattr": "fd path file_attr int at", "file_setattr": "fd path file_attr int at",
})

// xattr_args is struct xattr_args of setxattrat and getxattrat.
var _ = defineStruct("xattr_args", 16, member{"value", 0, 0, Text}, member{"size", 8, 4, Int}, member{"flags", 12, 4, kinds["xattr"]})

// fileAttrFlags are the FS_XFLAG_* that struct fsxattr and struct file_attr hold.
var fileAttrFlags = defineFlags("xflags", flag{"FS_XFLAG_REALTIME", 1}, flag{"FS_XFLAG_PREALLOC", 2}, flag{"FS_XFLAG_IMMUTABLE", 8}, flag{"FS_XFLAG_APPEND", 16}, flag{"FS_XFLAG_SYNC", 32},
	flag{"FS_XFLAG_NOATIME", 64}, flag{"FS_XFLAG_NODUMP", 128}, flag{"FS_XFLAG_RTINHERIT", 256}, flag{"FS_XFLAG_PROJINHERIT", 512}, flag{"FS_XFLAG_NOSYMLINKS", 1024},
	flag{"FS_XFLAG_EXTSIZE", 2048}, flag{"FS_XFLAG_EXTSZINHERIT", 4096}, flag{"FS_XFLAG_NODEFRAG", 8192}, flag{"FS_XFLAG_FILESTREAM", 16384}, flag{"FS_XFLAG_DAX", 32768},
	flag{"FS_XFLAG_COWEXTSIZE", 65536}, flag{"FS_XFLAG_HASATTR", 0x80000000})

var _ = defineStruct("file_attr", 24, member{"fa_xflags", 0, 8, fileAttrFlags}, member{"fa_extsize", 8, 4, Int}, member{"fa_nextents", 12, 4, Int}, member{"fa_projid", 16, 4, Int}, member{"fa_cowextsize", 20, 4, Int})

var inodeFlags = &flagSet{flags: []flag{{"FS_SECRM_FL", 1}, {"FS_UNRM_FL", 2}, {"FS_COMPR_FL", 4}, {"FS_SYNC_FL", 8}, {"FS_IMMUTABLE_FL", 16}, {"FS_APPEND_FL", 32}, {"FS_NODUMP_FL", 64},
	{"FS_NOATIME_FL", 128}, {"FS_INDEX_FL", 0x1000}, {"FS_JOURNAL_DATA_FL", 0x4000}, {"FS_NOTAIL_FL", 0x8000}, {"FS_DIRSYNC_FL", 0x10000}, {"FS_TOPDIR_FL", 0x20000},
	{"FS_EXTENT_FL", 0x80000}, {"FS_VERITY_FL", 0x100000}, {"FS_NOCOW_FL", 0x800000}, {"FS_DAX_FL", 0x2000000}, {"FS_INLINE_DATA_FL", 0x10000000}, {"FS_PROJINHERIT_FL", 0x20000000},
	{"FS_CASEFOLD_FL", 0x40000000}}}

// Ioctl commands of files and the terminals and block devices that containers meet.
var _ = defineLoose("ioctl", flag{"FS_IOC_GETFLAGS", 0x80086601}, flag{"FS_IOC_SETFLAGS", 0x40086602}, flag{"FS_IOC_GETVERSION", 0x80087601}, flag{"FS_IOC_FSGETXATTR", 0x801c581f},
	flag{"FS_IOC_FSSETXATTR", 0x401c5820}, flag{"SIOCADDRT", 0x890b}, flag{"SIOCDELRT", 0x890c}, flag{"SIOCGIFFLAGS", 0x8913}, flag{"SIOCSIFFLAGS", 0x8914}, flag{"SIOCGIFADDR", 0x8915}, flag{"SIOCSIFADDR", 0x8916},
	flag{"SIOCGIFNETMASK", 0x891b}, flag{"SIOCSIFNETMASK", 0x891c}, flag{"SIOCGIFMTU", 0x8921}, flag{"SIOCSIFMTU", 0x8922}, flag{"SIOCSIFNAME", 0x8923}, flag{"SIOCSIFHWADDR", 0x8924}, flag{"SIOCGIFHWADDR", 0x8927},
	flag{"SIOCGIFINDEX", 0x8933}, flag{"SIOCBRADDBR", 0x89a0}, flag{"SIOCBRDELBR", 0x89a1}, flag{"FICLONE", 0x40049409}, flag{"FICLONERANGE", 0x4020940d}, flag{"FIDEDUPERANGE", 0xc0189436}, flag{"FS_IOC_FIEMAP", 0xc020660b},
	flag{"FIFREEZE", 0xc0045877}, flag{"FITHAW", 0xc0045878}, flag{"FITRIM", 0xc0185879}, flag{"FIBMAP", 1}, flag{"FIGETBSZ", 2}, flag{"FIOCLEX", 0x5451}, flag{"TCGETS2", 0x802c542a}, flag{"FIONCLEX", 0x5450},
	flag{"FIONREAD", 0x541b}, flag{"FIONBIO", 0x5421}, flag{"FIOASYNC", 0x5452}, flag{"TCGETS", 0x5401}, flag{"TCSETS", 0x5402}, flag{"TIOCSTI", 0x5412}, flag{"TIOCGWINSZ", 0x5413},
	flag{"TIOCSWINSZ", 0x5414}, flag{"TIOCSCTTY", 0x540e}, flag{"TIOCNOTTY", 0x5422}, flag{"TIOCGPGRP", 0x540f}, flag{"TIOCSPGRP", 0x5410}, flag{"TIOCLINUX", 0x541c}, flag{"TIOCCONS", 0x541d},
	flag{"BLKROSET", 0x125d}, flag{"BLKROGET", 0x125e}, flag{"BLKGETSIZE", 0x1260}, flag{"BLKFLSBUF", 0x1261}, flag{"BLKGETSIZE64", 0x80081272}, flag{"LOOP_SET_FD", 0x4c00},
	flag{"LOOP_CLR_FD", 0x4c01}, flag{"LOOP_CTL_GET_FREE", 0x4c82}, flag{"KVM_GET_API_VERSION", 0xae00}, flag{"KVM_CREATE_VM", 0xae01}, flag{"TUNSETIFF", 0x400454ca})

// An ioctl's third argument is a number, or the address of a number in brackets or of struct fsxattr.
var _ = defineLayout("ioctlarg", &layout{size: 32, list: boxed, encode: encodeIoctl,
	members: []member{{"fsx_xflags", 0, 4, fileAttrFlags}, {"fsx_extsize", 4, 4, Int}, {"fsx_nextents", 8, 4, Int}, {"fsx_projid", 12, 4, Int}, {"fsx_cowextsize", 16, 4, Int}, {"", 0, 8, Int}}})

var _ = defineCalls(map[string]string{"ioctl": "fd ioctl ioctlarg?"})

// boxed reads a number behind an address, as strace prints it: [FS_IMMUTABLE_FL].
func boxed(p *parser, kind Kind) Arg {
	a := Arg{Kind: kind, Val: 1}
	start := p.pos
	p.pos++
	v := p.setOf(inodeFlags)
	if !p.accept("]") {
		p.fail(p.pos, nil, "the number is not closed with ]")
	}
	a.Str, a.Fields = p.in[start:p.pos], []Field{{Val: v}}
	return a
}

func encodeIoctl(a *Arg) Memory {
	l := *layouts[a.Kind]
	l.encode = nil
	return l.memory(a)
}

// Boxed returns the number that an address in brackets leads to.
func (a *Arg) Boxed() (uint64, bool) {
	if len(a.Fields) == 1 && a.Fields[0].Name == "" {
		return a.Fields[0].Val, true
	}
	return 0, false
}

// attributeIoctl reports whether an ioctl's third argument is one of a file's attributes; of any other it is what was written.
func attributeIoctl(cmd *Arg) bool {
	switch cmd.Val {
	case 0x80086601, 0x40086602, 0x801c581f, 0x401c5820, 0x40049409:
		return cmd.Kind != Pointer
	}
	return false
}
