package gates

import (
	"fmt"
	"slices"
	"strings"
)

// caller writes a random call of one route.
type caller func(g *gen, t *Task) string

// entry is a call with how often it is made.
type entry struct {
	weight int
	make   caller
}

// family is the routes of a group of calls.
type family map[string]entry

// families are all of them.
var families = []family{openCalls, nameCalls, attributeCalls, xattrCalls, descriptorCalls, namespaceCalls, processCalls, mountCalls, credentialCalls, socketCalls, systemCalls, execCalls,
	plainCalls, schedulingCalls, tracingCalls, kernelCalls, landlockCalls, cloneCalls, moreDescriptorCalls, moreMountCalls, moreSocketCalls, moreCredentialCalls, everydayCalls, ipcCalls}

// routeNames are the calls that are made, in a fixed order; each stands as often as it is to be made.
var routeNames, weighted = func() (names, weighted []string) {
	for _, f := range families {
		for name, c := range f {
			names = append(names, name)
			for range c.weight {
				weighted = append(weighted, name)
			}
		}
	}
	slices.Sort(names)
	slices.Sort(weighted)
	return names, weighted
}()

// rare are calls of which the model does not know the answer, with the reason: they are made seldom.
var rare = map[string]string{
	"map_shadow_stack": "whether the processor has shadow stacks",
	"open_tree_attr":   "what a copy's attributes are",
}

// call writes a random call for a task.
func (g *gen) call(t *Task) string {
	name := pick(g, weighted...)
	if rare[name] != "" && !g.one(60) || everydayCalls[name].weight != 0 && !g.one(4) { // little depends on the scene there
		name = pick(g, weighted...)
	}
	if len(t.Filter) > 0 && g.one(4) {
		name = pick(g, t.Filter...).Call
	}
	return g.write(name, t)
}

// write writes a random call of one route.
func (g *gen) write(name string, t *Task) string {
	for _, f := range families {
		if c, ok := f[name]; ok {
			return c.make(g, t)
		}
	}
	panic("no caller for " + name)
}

// flags joins some of a list of names.
func (g *gen) flags(first string, more ...string) string {
	out := []string{}
	if first != "" {
		out = append(out, first)
	}
	for _, m := range more {
		if g.one(6) {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return "0"
	}
	return strings.Join(out, "|")
}

func (g *gen) mode() string {
	return pick(g, "0755", "0700", "0644", "0777", "01777", "02775", "0600", "06755", "02745", "0")
}

func (g *gen) id() string { return pick(g, "-1", "-1", "0", "1000", "1001", "5000", "70000", "100000") }

// openCalls open and look at files.
var openCalls = family{
	"open": {12, func(g *gen, t *Task) string {
		return fmt.Sprintf("open(%s, %s, %s)", g.path(t), g.openFlags(), g.mode())
	}},
	"openat": {6, func(g *gen, t *Task) string {
		return fmt.Sprintf("openat(%s, %s, %s, %s)", g.at(t), g.path(t), g.openFlags(), g.mode())
	}},
	"openat2": {4, func(g *gen, t *Task) string {
		flags := g.openFlags()
		mode := ""
		if strings.Contains(flags, "O_CREAT") || strings.Contains(flags, "O_TMPFILE") || g.one(20) {
			mode = ", mode=" + g.mode()
		}
		resolve := g.flags("", "RESOLVE_NO_XDEV", "RESOLVE_NO_SYMLINKS", "RESOLVE_BENEATH", "RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS")
		return fmt.Sprintf("openat2(%s, %s, {flags=%s%s, resolve=%s}, 24)", g.at(t), g.path(t), flags, mode, resolve)
	}},
	"creat": {2, func(g *gen, t *Task) string { return fmt.Sprintf("creat(%s, %s)", g.path(t), g.mode()) }},
	"stat":  {2, func(g *gen, t *Task) string { return fmt.Sprintf("stat(%s)", g.path(t)) }},
	"lstat": {1, func(g *gen, t *Task) string { return fmt.Sprintf("lstat(%s)", g.path(t)) }},
	"fstat": {1, func(g *gen, t *Task) string { return fmt.Sprintf("fstat(%s)", g.fd(t)) }},
	"newfstatat": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("newfstatat(%s, %s, 0x1000, %s)", g.at(t), g.path(t), g.atFlags("AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH"))
	}},
	"statx": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("statx(%s, %s, %s, STATX_BASIC_STATS)", g.at(t), g.path(t), g.flags("", "AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH", "0x10000"))
	}},
	"access": {3, func(g *gen, t *Task) string { return fmt.Sprintf("access(%s, %s)", g.path(t), g.accessMode()) }},
	"faccessat": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("faccessat(%s, %s, %s)", g.at(t), g.path(t), g.accessMode())
	}},
	"faccessat2": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("faccessat2(%s, %s, %s, %s)", g.at(t), g.path(t), g.accessMode(), g.flags("", "AT_EACCESS", "AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH", "0x1"))
	}},
	"readlink":   {1, func(g *gen, t *Task) string { return fmt.Sprintf("readlink(%s)", g.path(t)) }},
	"readlinkat": {1, func(g *gen, t *Task) string { return fmt.Sprintf("readlinkat(%s, %s)", g.at(t), g.path(t)) }},
	"chdir":      {2, func(g *gen, t *Task) string { return fmt.Sprintf("chdir(%s)", g.path(t)) }},
	"fchdir":     {1, func(g *gen, t *Task) string { return fmt.Sprintf("fchdir(%s)", g.fd(t)) }},
	"chroot":     {2, func(g *gen, t *Task) string { return fmt.Sprintf("chroot(%s)", g.path(t)) }},
	"close":      {1, func(g *gen, t *Task) string { return fmt.Sprintf("close(%s)", g.anyFD(t)) }},
}

func (g *gen) atFlags(f ...string) string { return g.flags("", append(f, "0x10000")...) }

func (g *gen) accessMode() string {
	return pick(g, "F_OK", "R_OK", "W_OK", "W_OK", "X_OK", "R_OK|W_OK", "R_OK|X_OK", "8")
}

func (g *gen) openFlags() string {
	// Without O_NONBLOCK a FIFO waits, which takes time.
	block := "O_NONBLOCK|"
	if g.one(60) {
		block = ""
	}
	return block + g.flags(pick(g, "O_RDONLY", "O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR", "O_RDWR|O_TMPFILE", "O_PATH", "O_WRONLY|O_APPEND"),
		"O_CREAT", "O_CREAT|O_EXCL", "O_TRUNC", "O_NOFOLLOW", "O_DIRECTORY", "O_NOATIME", "O_APPEND")
}

// nameCalls make, remove and rename.
var nameCalls = family{
	"mkdir":   {3, func(g *gen, t *Task) string { return fmt.Sprintf("mkdir(%s, %s)", g.path(t), g.mode()) }},
	"mkdirat": {1, func(g *gen, t *Task) string { return fmt.Sprintf("mkdirat(%s, %s, %s)", g.at(t), g.path(t), g.mode()) }},
	"mknod":   {3, func(g *gen, t *Task) string { return fmt.Sprintf("mknod(%s, %s)", g.path(t), g.node()) }},
	"mknodat": {1, func(g *gen, t *Task) string { return fmt.Sprintf("mknodat(%s, %s, %s)", g.at(t), g.path(t), g.node()) }},
	"symlink": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("symlink(%q, %s)", pick(g, "a", "/w/b", ""), g.path(t))
	}},
	"symlinkat": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("symlinkat(%q, %s, %s)", pick(g, "a", "/w/b"), g.at(t), g.path(t))
	}},
	"link": {3, func(g *gen, t *Task) string { return fmt.Sprintf("link(%s, %s)", g.path(t), g.path(t)) }},
	"linkat": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("linkat(%s, %s, %s, %s, %s)", g.at(t), g.path(t), g.at(t), g.path(t), g.flags("", "AT_SYMLINK_FOLLOW", "0x1"))
	}},
	"unlink": {3, func(g *gen, t *Task) string { return fmt.Sprintf("unlink(%s)", g.path(t)) }},
	"unlinkat": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("unlinkat(%s, %s, %s)", g.at(t), g.path(t), g.flags("", "AT_REMOVEDIR", "0x1"))
	}},
	"rmdir":  {3, func(g *gen, t *Task) string { return fmt.Sprintf("rmdir(%s)", g.path(t)) }},
	"rename": {5, func(g *gen, t *Task) string { return fmt.Sprintf("rename(%s, %s)", g.path(t), g.path(t)) }},
	"renameat": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("renameat(%s, %s, %s, %s)", g.at(t), g.path(t), g.at(t), g.path(t))
	}},
	"renameat2": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("renameat2(%s, %s, %s, %s, %s)", g.at(t), g.path(t), g.at(t), g.path(t), pick(g, "0", "RENAME_NOREPLACE", "RENAME_EXCHANGE", "RENAME_WHITEOUT", "RENAME_EXCHANGE|RENAME_NOREPLACE", "8"))
	}},
}

// node is a mode of mknod with the number of a device.
func (g *gen) node() string {
	mode := g.mode()
	switch g.IntN(6) {
	case 0:
		return "S_IFREG|" + mode + ", 0"
	case 1:
		return "S_IFIFO|" + mode + ", 0"
	case 2:
		return "S_IFSOCK|" + mode + ", 0"
	case 3:
		return "S_IFCHR|" + mode + ", makedev(1, 3)"
	case 4:
		return "S_IFCHR|" + mode + ", 0"
	}
	return pick(g, "S_IFBLK", "S_IFDIR", "S_IFLNK") + "|" + mode + ", makedev(7, 0)"
}

// attributeCalls change attributes and sizes.
var attributeCalls = family{
	"chmod":    {4, func(g *gen, t *Task) string { return fmt.Sprintf("chmod(%s, %s)", g.path(t), g.mode()) }},
	"fchmod":   {1, func(g *gen, t *Task) string { return fmt.Sprintf("fchmod(%s, %s)", g.fd(t), g.mode()) }},
	"fchmodat": {1, func(g *gen, t *Task) string { return fmt.Sprintf("fchmodat(%s, %s, %s)", g.at(t), g.path(t), g.mode()) }},
	"fchmodat2": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("fchmodat2(%s, %s, %s, %s)", g.at(t), g.path(t), g.mode(), g.atFlags("AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH"))
	}},
	"chown":  {4, func(g *gen, t *Task) string { return fmt.Sprintf("chown(%s, %s, %s)", g.path(t), g.id(), g.id()) }},
	"lchown": {1, func(g *gen, t *Task) string { return fmt.Sprintf("lchown(%s, %s, %s)", g.path(t), g.id(), g.id()) }},
	"fchown": {1, func(g *gen, t *Task) string { return fmt.Sprintf("fchown(%s, %s, %s)", g.fd(t), g.id(), g.id()) }},
	"fchownat": {1, func(g *gen, t *Task) string {
		return fmt.Sprintf("fchownat(%s, %s, %s, %s, %s)", g.at(t), g.path(t), g.id(), g.id(), g.atFlags("AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH"))
	}},
	"utimensat": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("utimensat(%s, %s, %s, %s)", g.at(t), g.path(t), pick(g, "NULL", "[UTIME_NOW, UTIME_NOW]", "[UTIME_NOW, UTIME_OMIT]", "[UTIME_OMIT, UTIME_OMIT]", "[{0, 5}, {0, 5}]", "[{0, 1000000000}, {0, 0}]"), g.atFlags("AT_SYMLINK_NOFOLLOW"))
	}},
	"truncate": {3, func(g *gen, t *Task) string {
		return fmt.Sprintf("truncate(%s, %s)", g.path(t), pick(g, "0", "3", "-1", "5000"))
	}},
	"ftruncate": {2, func(g *gen, t *Task) string {
		return fmt.Sprintf("ftruncate(%s, %s)", g.fd(t), pick(g, "0", "3", "-1"))
	}},
}
