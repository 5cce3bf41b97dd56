package explain_test

import (
	"strings"
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

// surprise is a rule that people get wrong, with calls that show it. The order of the tasks is root, uid 1002, uid 1002 with
// CAP_CHOWN, root of a user namespace.
type surprise struct {
	name string
	rows []row
}

var surprises = []surprise{
	{"an ACL whose mask is empty is not looked at", []row{{`open("/aclmask", O_RDONLY)`, "- - - -"}, {`open("/aclmask", O_WRONLY)`, "- EACCES EACCES EACCES"}}},
	{"a stranger may chown to nobody, but not a setuid file", []row{{`chown("/plain", -1, -1)`, "-"}, {`chown("/suid", -1, -1)`, "!- EPERM EPERM EPERM"}}},
	{"chown of a setuid file needs CAP_FOWNER too", []row{{`chown("/suid", 1001, 1001)`, "!- EPERM EPERM EPERM"}}},
	{"unlink of a missing name on a read-only mount is EROFS", []row{{`unlink("/ro/none")`, "EROFS"}}},
	{"mkdir of a name that exists on a read-only mount is EEXIST", []row{{`mkdir("/ro/d700", 0755)`, "EEXIST"}}},
	{"access is EACCES on a read-only mount, EROFS on a read-only filesystem", []row{{`access("/ro/plain", W_OK)`, "EROFS EACCES EACCES EACCES"}, {`access("/rosb/plain", W_OK)`, "EROFS"}}},
	{"O_TRUNC asks for a writable mount first", []row{{`open("/ro/plain", O_WRONLY)`, "EROFS EACCES EACCES EACCES"}, {`open("/ro/plain", O_WRONLY|O_TRUNC)`, "EROFS"}}},
	{"rename of a missing file across mounts is EXDEV", []row{{`rename("/none", "/ro/none")`, "EXDEV"}}},
	{"chroot and mount look at the path before the capability", []row{{`chroot("/none")`, "ENOENT"}, {`chroot("/d777")`, "- EPERM EPERM -"}, {`mount("x", "/none", "tmpfs", 0)`, "ENOENT"}}},
	{"swapon and umount2 look at their flags before the capability", []row{{`swapon("/none", 0xf000000)`, "EINVAL"}, {`umount2("/d777", 0x100)`, "EINVAL"}}},
	{"reboot and sethostname ask for the capability before their arguments", []row{{`reboot(0, 0, 0)`, "EINVAL EPERM EPERM EPERM"}, {`sethostname("x", 999)`, "EINVAL EPERM EPERM EPERM"}}},
	{"O_CREAT with a trailing slash is EISDIR", []row{{`open("/none/", O_WRONLY|O_CREAT, 0644)`, "EISDIR"}, {`open("/plain/", O_WRONLY|O_CREAT, 0644)`, "EISDIR"}}},
	{"a device needs CAP_MKNOD in the initial user namespace", []row{{`mknod("/d777", S_IFCHR|0600, makedev(1, 3))`, "EEXIST"}, {`mknod("/d755/null", S_IFCHR|0600, makedev(1, 3))`, "!+ EACCES EACCES EACCES"}}},
	{"pivot_root asks for the capability before it looks at the path", []row{{`pivot_root("/none", "/none")`, "ENOENT EPERM EPERM EPERM"}}},
	{"a trusted attribute is not there for who may not see it", []row{{`getxattr("/plain", "trusted.story", 0x1000, 10)`, "ENODATA"}}},
	{"nodev comes before the mode", []row{{`open("/nodev/null", O_RDONLY)`, "EACCES"}, {`open("/nodev/null", O_PATH)`, "-"}}},
	{"a name that is too long in a directory that cannot be searched is EACCES", []row{{`stat("/d700/` + strings.Repeat("x", 256) + `")`, "ENAMETOOLONG EACCES EACCES EACCES"}}},
	{"kill looks for the process, then at the signal, then who may", []row{{`kill(4190000, 999)`, "ESRCH"}, {`kill($root, 999)`, "EINVAL"}, {`kill($root, 0)`, "- EPERM EPERM EPERM"}}},
	{"root of a user namespace has no power over a file whose group alone is foreign", []row{{`open("/uidonly", O_RDONLY)`, "- EACCES EACCES EACCES"}, {`open("/mapped", O_RDONLY)`, "- EACCES EACCES -"}}},
	{"a file without a place in an idmapped mount is closed to root", []row{{`open("/id/foreign", O_RDONLY)`, "EACCES"}, {`chmod("/id/foreign", 0644)`, "EOVERFLOW"}, {`unlink("/id/foreign")`, "EOVERFLOW"},
		{`open("/id/d777/new", O_WRONLY|O_CREAT, 0644)`, "EOVERFLOW EOVERFLOW EOVERFLOW +"}}},
	{"O_CREAT on another's device in a sticky directory is EACCES for root", []row{{`open("/sticky/null", O_RDONLY|O_CREAT, 0644)`, "EACCES"}, {`open("/sticky/null", O_RDONLY)`, "-"}}},
	{"what counts in the initial user namespace does not count for root of another", []row{{`setpriority(PRIO_PROCESS, 0, -5)`, "- EACCES EACCES EACCES"}, {`sched_setscheduler(0, SCHED_FIFO, [1])`, "?- EPERM EPERM EPERM"},
		{`settimeofday(NULL, NULL)`, "- EPERM EPERM EPERM"}, {`bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_LRU_HASH, key_size=4, value_size=4, max_entries=16}, 48)`, "- EPERM EPERM EPERM"},
		{`swapoff(NULL)`, "EFAULT EPERM EPERM EPERM"}}},
}

// TestKernelSurprises: what was guessed wrong before it was probed, a subtest each. What concerns overlays and filesystems of
// user namespaces stands in TestKernelOverlay, TestKernelNamesOverlay and TestKernelUserNSMount.
func TestKernelSurprises(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		file aclmask 604 0:0 acl=user::rw-,user:1002:rw-,group::---,mask::---,other::r--
		file plain 644 0:0
		file suid 4755 1000:1000
		dir d777 777 0:0
		dir d755 755 0:0
		dir d700 700 0:0
		dir ro 755 0:0
		dir rosb 755 0:0
		dir nodev 755 0:0
		char nodev/null 000 0:0 dev=1:3
		file uidonly 600 101001:0
		file mapped 600 101001:101001
		file foreign 600 70000:70000
		dir id 755 0:0
		dir sticky 1777 0:0
		char sticky/null 666 1000:1000 dev=1:3
	`)
	l.bind("/", "/ro", world.MountReadOnly)
	l.bind("/nodev", "/nodev", world.MountNoDev)
	l.tmpfs("/rosb", "file plain 644 0:0\n", true)
	p := newProcesses(l)
	p.start("root", "wait", nil)
	p.child(100000, 65536, false)
	l.idmap("/", "/id", 1, 0)
	tasks := []who{{name: "root", caps: p.most()}, {name: "uid 1002", uid: 1002, gid: 1002}, {name: "uid 1002 with CAP_CHOWN", uid: 1002, gid: 1002, caps: world.Caps(kernel.CapChown)},
		{name: "root inside", uid: 100000, gid: 100000, caps: world.AllCaps, ns: 1}}
	for _, s := range surprises {
		t.Run(s.name, func(t *testing.T) {
			l.t = t
			for _, r := range s.rows {
				name, _, _ := strings.Cut(r.call, "(")
				l.forked = strings.Contains("reboot sethostname kill setpriority sched_setscheduler settimeofday bpf swapon swapoff", name)
				p.table(tasks, []row{r})
			}
		})
	}
}
