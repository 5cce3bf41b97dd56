package explain_test

import (
	"encoding/hex"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/world"
)

// capsOf writes capabilities of a file as its attribute holds them, for a list of files.
func capsOf(c world.FileCaps) string {
	if c.Version == 0 {
		c.Version = 2
	}
	return "caps=" + hex.EncodeToString(c.AppendXattr(nil))
}

var (
	netRaw   = world.Caps(kernel.CapNetRaw)
	netAdmin = world.Caps(kernel.CapNetAdmin)
	resource = world.Caps(kernel.CapSysResource)
	setters  = world.Caps(kernel.CapSetuid, kernel.CapSetgid, kernel.CapSetpcap)
)

var execTasks = []who{
	{name: "root", caps: dacCaps | setters},
	{name: "root without capabilities"},
	{name: "owner", uid: 1000, gid: 1000},
	{name: "group", uid: 1001, gid: 1000, groups: []uint32{2000}},
	{name: "stranger", uid: 1002, gid: 1002},
}

// execFiles: programs, scripts, loaders and what is none of them.
var execFiles = `
	prog x755 755 0:0
	prog x700 700 1000:1000
	prog x070 070 1000:1000
	prog x644 644 0:0
	prog x111 111 0:0
	dir d 755 0:0
	dir d700 700 1000:1000
	prog d700/x 755 0:0
	fifo fifo 777 0:0
	sock sock 777 0:0
	char null 777 0:0 dev=1:3
	link lx 777 0:0 to=x755
	link dangling 777 0:0 to=gone
	dir noexec 755 0:0
	prog noexec/x 755 0:0
	dir nosuid 755 0:0
	dir nodev 755 0:0
	char nodev/null 777 0:0 dev=1:3
	prog empty 755 0:0 text=
	prog words 755 0:0 text=hello
	prog bad 755 0:0 machine=8
	prog cut 755 0:0 short=90
	prog i386 755 0:0 is=loader
	prog script 755 0:0 script=/x755
	prog script0 755 0:0 script=
	prog scriptgone 755 0:0 script=/gone
	prog script644 755 0:0 script=/x644
	prog script700 755 0:0 script=/x700
	prog scriptdir 755 0:0 script=/d
	prog scriptrel 755 0:0 script=x755
	prog scriptnoexec 755 0:0 script=/noexec/x
	prog script4755 4755 1001:1001 script=/x755
	prog script2 755 0:0 script=/script_-a_b
	prog s1 755 0:0 script=/x755
	prog s2 755 0:0 script=/s1
	prog s3 755 0:0 script=/s2
	prog s4 755 0:0 script=/s3
	prog s5 755 0:0 script=/s4
	prog s6 755 0:0 script=/s5
	prog loop 755 0:0 script=/loop
	prog loader 755 0:0 is=loader
	prog loader700 700 1000:1000 is=loader
	prog dyn 755 0:0 interp=/loader
	prog dyngone 755 0:0 interp=/gone
	prog dyn700 755 0:0 interp=/loader700
	prog dynwords 755 0:0 interp=/words
	prog dynscript 755 0:0 interp=/longscript
	prog longscript 755 0:0 script=/x755_0123456789012345678901234567890123456789012345678901234567890123456789
	prog dynbad 755 0:0 interp=/bad
	prog suid 4755 1001:1001
	prog sgid 2755 0:2000
	prog sgidnox 2745 0:2000
	prog suidroot 4755 0:0
	prog nosuid/suid 4755 1001:1001
	prog nosuid/caps 755 0:0 ` + capsOf(world.FileCaps{Permitted: netRaw, Effective: true}) + `
	prog caps 755 0:0 ` + capsOf(world.FileCaps{Permitted: netRaw, Effective: true}) + `
	prog capsp 755 0:0 ` + capsOf(world.FileCaps{Permitted: netRaw | netAdmin}) + `
	prog capsi 755 0:0 ` + capsOf(world.FileCaps{Inheritable: netRaw, Effective: true}) + `
	prog capslack 755 0:0 ` + capsOf(world.FileCaps{Permitted: netRaw | resource, Effective: true}) + `
	prog capslackp 755 0:0 ` + capsOf(world.FileCaps{Permitted: netRaw | resource}) + `
	prog capsroot 4755 0:0 ` + capsOf(world.FileCaps{Permitted: netRaw, Effective: true}) + `
	prog capsns 755 0:0 ` + capsOf(world.FileCaps{Permitted: netRaw, Effective: true, Version: 3, Root: 100000}) + `
	prog capsscript 755 0:0 script=/x755 ` + capsOf(world.FileCaps{Permitted: netRaw, Effective: true}) + `
	prog scriptcaps 755 0:0 script=/caps
`

// execCases: the order of the tasks is root, root without capabilities, owner, group, stranger.
var execCases = []row{
	{`execve("/x755", ["x"], [])`, "-"},
	{`execve("/x700", ["x"], [])`, "- EACCES - EACCES EACCES"},
	{`execve("/x070", ["x"], [])`, "- EACCES EACCES - EACCES"},
	{`execve("/x644", ["x"], [])`, "EACCES"}, // root too: no x bit is set
	{`execve("/x111", ["x"], [])`, "-"},
	{`execve("/gone", ["x"], [])`, "ENOENT"},
	{`execve("", ["x"], [])`, "ENOENT"},
	{`execve(NULL, ["x"], [])`, "EFAULT"},
	{`execve("/x755/", ["x"], [])`, "ENOTDIR"},
	{`execve("/x755/y", ["x"], [])`, "ENOTDIR"},
	{`execve("/d", ["x"], [])`, "EACCES"},
	{`execve("/d700/x", ["x"], [])`, "- EACCES - EACCES EACCES"},
	{`execve("/fifo", ["x"], [])`, "EACCES"},
	{`execve("/sock", ["x"], [])`, "EACCES"},
	{`execve("/null", ["x"], [])`, "EACCES"},
	{`execve("/nodev/null", ["x"], [])`, "EACCES"},
	{`execve("/lx", ["x"], [])`, "-"},
	{`execve("/dangling", ["x"], [])`, "ENOENT"},
	{`execve("/noexec/x", ["x"], [])`, "EACCES"},
	{`execve("/empty", ["x"], [])`, "ENOEXEC"},
	{`execve("/words", ["x"], [])`, "ENOEXEC"},
	{`execve("/bad", ["x"], [])`, "ENOEXEC"},
	{`execve("/cut", ["x"], [])`, "ENOEXEC"},
	{`execve("/script", ["x"], [])`, "-"},
	{`execve("/script0", ["x"], [])`, "ENOEXEC"},
	{`execve("/scriptgone", ["x"], [])`, "ENOENT"},
	{`execve("/script644", ["x"], [])`, "EACCES"},
	{`execve("/script700", ["x"], [])`, "- EACCES - EACCES EACCES"},
	{`execve("/scriptdir", ["x"], [])`, "EACCES"},
	{`execve("/scriptrel", ["x"], [])`, "-"},
	{`execve("/scriptnoexec", ["x"], [])`, "EACCES"},
	{`execve("/script2", ["x"], [])`, "-"},
	{`execve("/s5", ["x"], [])`, "-"},
	{`execve("/s6", ["x"], [])`, "ELOOP"},
	{`execve("/loop", ["x"], [])`, "ELOOP"},
	{`execve("/dyn", ["x"], [])`, "-"},
	{`execve("/dyngone", ["x"], [])`, "ENOENT"},
	{`execve("/dyn700", ["x"], [])`, "- EACCES - EACCES EACCES"},
	{`execve("/dynwords", ["x"], [])`, "EIO"},
	{`execve("/dynscript", ["x"], [])`, "ELIBBAD"},
	{`execve("/dynbad", ["x"], [])`, "ELIBBAD"},
	{`execve("/x755", NULL, NULL)`, "-"},
	{`execve("/x755", 0x8, NULL)`, "EFAULT"},
	{`execve("/gone", 0x8, NULL)`, "ENOENT"}, // since 6.8 the program is opened first
	{`execve("/words", 0x8, NULL)`, "EFAULT"},
	{`execveat(AT_FDCWD, "x755", ["x"], [], 0)`, "-"},
	{`execveat(AT_FDCWD, "lx", ["x"], [], AT_SYMLINK_NOFOLLOW)`, "ELOOP"},
	{`execveat(AT_FDCWD, "x755", ["x"], [], 1)`, "EINVAL"},
	{`execveat(AT_FDCWD, "gone", ["x"], [], 1)`, "EINVAL"},
	{`execveat(99, "x755", ["x"], [], 0)`, "EBADF"},
	{`execveat(99, "/x755", ["x"], [], 0)`, "-"},
	{`execveat(100, "x", ["x"], [], 0)`, "- EACCES - EACCES EACCES"},
	{`execveat(101, "", ["x"], [], AT_EMPTY_PATH)`, "- EACCES - EACCES EACCES"},
	{`execveat(101, "", ["x"], [], 0)`, "ENOENT"},
	{`execveat(101, "y", ["x"], [], 0)`, "ENOTDIR"},
	{`execveat(100, "", ["x"], [], AT_EMPTY_PATH)`, "EACCES"},
	{`execveat(102, "", ["x"], [], AT_EMPTY_PATH)`, "ENOENT"}, // a script whose descriptor is closed
	{`execve("/suid", ["x"], [])`, "-"},
	{`execve("/sgid", ["x"], [])`, "-"},
	{`execve("/sgidnox", ["x"], [])`, "- - - EACCES -"},
	{`execve("/suidroot", ["x"], [])`, "-"},
	{`execve("/script4755", ["x"], [])`, "-"}, // the script's bits do not count
	{`execve("/nosuid/suid", ["x"], [])`, "-"},
	{`execve("/nosuid/caps", ["x"], [])`, "-"},
	{`execve("/caps", ["x"], [])`, "-"},
	{`execve("/capsp", ["x"], [])`, "-"},
	{`execve("/capsi", ["x"], [])`, "-"},
	{`execve("/capslack", ["x"], [])`, "EPERM"},
	{`execve("/capslackp", ["x"], [])`, "-"},
	{`execve("/capsroot", ["x"], [])`, "-"},
	{`execve("/capsns", ["x"], [])`, "-"},
	{`execve("/capsscript", ["x"], [])`, "-"},
	{`execve("/scriptcaps", ["x"], [])`, "-"},
}

// execLab is a lab with programs.
func execLab(t *testing.T, dir string) *lab {
	l := newLab(t, dir, execFiles)
	l.bind("/noexec", "/noexec", world.MountNoExec)
	l.bind("/nosuid", "/nosuid", world.MountNoSuid)
	l.bind("/nodev", "/nodev", world.MountNoDev)
	l.open(100, "/d700", unix.O_PATH|unix.O_DIRECTORY)
	l.open(101, "/x700", unix.O_PATH)
	l.open(102, "/script", unix.O_PATH|unix.O_CLOEXEC)
	return l
}

// TestKernelExec compares table, model and kernel: the errno, and all ids and sets of the program that runs behind it. Every task
// has a bounding set without CAP_SYS_RESOURCE.
func TestKernelExec(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := execLab(t, dir)
	tasks := append([]who{}, execTasks...)
	for i := range tasks {
		tasks[i].more = &credentials{Dropped: resource}
	}
	l.runCreds(tasks, execCases)
}

// execMore are tasks that hold on to something: the order of the tables below.
var execMore = []who{
	{name: "ambient", uid: 1000, gid: 1000, caps: netRaw, more: &credentials{Inheritable: netRaw, Ambient: netRaw, Dropped: resource}},
	{name: "inheritable", uid: 1000, gid: 1000, more: &credentials{Inheritable: netRaw | netAdmin, Dropped: resource}},
	{name: "no_new_privs", uid: 1000, gid: 1000, more: &credentials{NoNewPrivs: true, Dropped: resource}},
	{name: "no_new_privs with CAP_SETUID", uid: 1000, gid: 1000, caps: setters, more: &credentials{NoNewPrivs: true, Dropped: resource}},
	{name: "root with NOROOT", caps: dacCaps | setters, more: &credentials{Securebits: cred.NoRoot, Dropped: resource}},
	{name: "real root only", uid: 1000, gid: 1000, caps: setters, real: &[2]uint32{0, 0}, more: &credentials{Dropped: resource}},
	{name: "effective root only", real: &[2]uint32{1000, 1000}, caps: setters, more: &credentials{Dropped: resource}},
	{name: "other real uid, ambient", uid: 1001, gid: 1001, caps: netRaw, real: &[2]uint32{1000, 1000}, more: &credentials{Inheritable: netRaw, Ambient: netRaw, Dropped: resource}},
	{name: "KEEP_CAPS and a small bounding set", caps: setters, more: &credentials{Securebits: cred.KeepCaps, Dropped: world.AllCaps &^ setters}},
	{name: "in the group, ambient", uid: 1000, gid: 1000, groups: []uint32{2000}, caps: netRaw, more: &credentials{Inheritable: netRaw, Ambient: netRaw, Dropped: resource}},
}

var execMoreCases = []row{
	{`execve("/x755", ["x"], [])`, "-"},
	{`execve("/suid", ["x"], [])`, "-"},
	{`execve("/sgid", ["x"], [])`, "-"},
	{`execve("/suidroot", ["x"], [])`, "-"},
	{`execve("/nosuid/suid", ["x"], [])`, "-"},
	{`execve("/nosuid/caps", ["x"], [])`, "-"},
	{`execve("/caps", ["x"], [])`, "- - - - - - - - EPERM -"},
	{`execve("/capsp", ["x"], [])`, "-"},
	{`execve("/capsi", ["x"], [])`, "-"},
	{`execve("/capslack", ["x"], [])`, "EPERM"},
	{`execve("/capslackp", ["x"], [])`, "-"},
	{`execve("/capsroot", ["x"], [])`, "- - - - - - - - EPERM -"},
	{`execve("/capsns", ["x"], [])`, "-"},
	{`execve("/scriptcaps", ["x"], [])`, "- - - - - - - - EPERM -"},
}

// TestKernelExecCredentials: tasks with an ambient or inheritable set, no_new_privs, securebits, ids that differ.
func TestKernelExecCredentials(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	execLab(t, dir).runCreds(execMore, execMoreCases)
}
