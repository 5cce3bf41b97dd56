package syscalls

import "strings"

// Kind is the type of an argument.
type Kind uint16

const (
	Int      Kind = iota // a number
	FD                   // a descriptor or AT_FDCWD
	Path                 // a path, copied from the task's memory
	Text                 // another string
	Open                 // open's flags, with the numbers of x86_64 on every ABI
	Mode                 // permission bits, with S_IF* for mknod
	At                   // AT_* flags
	Access               // R_OK, W_OK, X_OK
	Eaccess              // faccessat2's flags
	Rename               // RENAME_*
	Mount                // MS_*
	Umount               // MNT_*, UMOUNT_*
	Clone                // CLONE_*
	Statx                // STATX_*
	How                  // openat2's structure
	Out                  // an address that the kernel writes to
	Pointer              // any other address
	Times                // utimensat's two times
	Strings              // an array of strings, as execve takes
	numKinds             // further ones are defined by families of calls
)

var kindSets = map[Kind]*flagSet{Open: openFlags, Mode: fileModes, At: atFlags, Access: accessModes, Eaccess: accessFlags, Rename: renameFlags,
	Mount: mountFlags, Umount: umountFlags, Clone: cloneFlags, Statx: statxMask}

// Arg is one argument.
type Arg struct {
	Kind Kind
	Val  uint64 // the number; of an address: 0 for NULL, the address if one was written, else 1
	Str  string // the string that an address leads to
	// Fault says that the address leads nowhere: NULL, or a bare address where a string is needed.
	Fault  bool
	FDPath string    // 3</path>: the descriptor was declared to refer to this path
	How    [3]uint64 // openat2's flags, mode and resolve; the nanoseconds of two times
	Strs   []string  // of an array of strings
	Fields []Field   // of a structure
	Cut    bool      // not all of the structure or array was written
	Absent bool      // optional and not written
}

// Call is one syscall with its decoded arguments.
type Call struct {
	ABI   ABI
	Name  string
	Nr    uint32
	Typed bool // the arguments have the types of the call; else they are what was written
	Args  []Arg
}

// optional marks an argument that may be left out: a mode that no flag asks for, an address that only receives the answer.
const optional = 1 << 15

var kinds = map[string]Kind{"int": Int, "fd": FD, "path": Path, "text": Text, "open": Open, "mode": Mode, "at": At, "access": Access, "eaccess": Eaccess, "rename": Rename,
	"mount": Mount, "umount": Umount, "clone": Clone, "statx": Statx, "how": How, "out": Out, "ptr": Pointer, "times": Times, "strings": Strings}

// signature returns the types of a call's arguments, nil where the model does not know them.
func signature(name string) []Kind {
	spec, ok := specs[name]
	if !ok {
		return nil
	}
	out := []Kind{}
	for _, f := range strings.Fields(spec) {
		k := kinds[strings.TrimSuffix(f, "?")]
		if strings.HasSuffix(f, "?") {
			k |= optional
		}
		out = append(out, k)
	}
	return out
}

var specs = map[string]string{
	"open": "path open mode?", "openat": "fd path open mode?", "openat2": "fd path how int?", "creat": "path mode", "close": "fd",
	"stat": "path out?", "lstat": "path out?", "fstat": "fd out?", "newfstatat": "fd path out? at?", "statx": "fd path at statx? out?",
	"stat64": "path out?", "lstat64": "path out?", "fstat64": "fd out?", "fstatat64": "fd path out? at?",
	"access": "path access", "faccessat": "fd path access", "faccessat2": "fd path access eaccess",
	"readlink": "path out? int?", "readlinkat": "fd path out? int?", "mkdir": "path mode", "mkdirat": "fd path mode",
	"mknod": "path mode int?", "mknodat": "fd path mode int?", "unlink": "path", "unlinkat": "fd path at", "rmdir": "path",
	"rename": "path path", "renameat": "fd path fd path", "renameat2": "fd path fd path rename", "link": "path path", "linkat": "fd path fd path at",
	"symlink": "text path", "symlinkat": "text fd path", "chdir": "path", "fchdir": "fd", "chroot": "path", "truncate": "path int", "ftruncate": "fd int",
	"chmod": "path mode", "fchmod": "fd mode", "fchmodat": "fd path mode", "fchmodat2": "fd path mode at",
	"chown": "path int int", "lchown": "path int int", "fchown": "fd int int", "fchownat": "fd path int int at", "utimensat": "fd path times at?",
	"mount": "text path text mount text?", "umount2": "path umount", "pivot_root": "path path", "unshare": "clone", "setns": "fd clone",
	"execve": "path strings? strings?", "execveat": "fd path strings? strings? at?",
}

// address reports whether an argument of the kind is the address of something.
func (k Kind) address() bool {
	switch k {
	case Path, Text, Data, How, Out, Pointer, Times, Strings:
		return true
	}
	return layouts[k] != nil || arrays[k] != 0
}

// Registers returns the six registers that a seccomp filter sees, with a mask of those whose values are not known because
// they hold an address or were not given.
func (c *Call) Registers() (regs [6]uint64, unknown uint8) {
	i := 0
	for ; i < len(c.Args) && i < 6; i++ {
		a := &c.Args[i]
		switch {
		case a.Absent:
			unknown |= 1 << i
		case a.Kind.address():
			regs[i] = a.Val
			if a.Val == 1 {
				if v, ok := c.symbolic(i); ok {
					regs[i] = v
				} else {
					unknown |= 1 << i
				}
			}
		case a.Kind == Open && c.ABI == ARM64:
			regs[i] = permute(a.Val, true)
		case a.Kind == FD || a.Kind == Open || a.Kind == Mode:
			regs[i] = uint64(uint32(a.Val)) // strace shows ints; the C library passes them zero- or sign-extended
			if int64(a.Val) < 0 {
				regs[i] = a.Val
			}
		default:
			regs[i] = a.Val
		}
		if c.ABI.Half() {
			regs[i] = uint64(uint32(regs[i]))
		}
	}
	if !c.Typed {
		for ; i < 6; i++ {
			unknown |= 1 << i
		}
	}
	return regs, unknown
}
