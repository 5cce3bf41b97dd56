package explain_test

import (
	"testing"

	"syscallstory/kernel"
	"syscallstory/world"
)

var aclTasks = []who{
	{name: "root", caps: dacCaps},
	{name: "root without capabilities"},
	{name: "owner", uid: 1000, gid: 1000},
	{name: "named user", uid: 1001, gid: 1001},
	{name: "named user in the owning group", uid: 1001, gid: 2000},
	{name: "owning group", uid: 1003, gid: 2000},
	{name: "group 2001", uid: 1004, gid: 1004, groups: []uint32{2001}},
	{name: "groups 2001 and 2002", uid: 1005, gid: 2001, groups: []uint32{2002}},
	{name: "stranger", uid: 1002, gid: 1002},
}

// aclFiles all belong to 1000:2000.
const aclFiles = `
	file named 640 1000:2000 acl=user::rw-,user:1001:r--,group::---,mask::r--,other::---
	file masked 666 1000:2000 acl=user::rw-,user:1001:rw-,group::rw-,mask::r--,other::rw-
	file nomask 604 1000:2000 acl=user::rw-,user:1001:rw-,group::rw-,mask::---,other::r--
	file groups 667 1000:2000 acl=user::rw-,group::---,group:2001:r--,group:2002:-w-,mask::rw-,other::rwx
	file deny 644 1000:2000 acl=user::rw-,user:0:---,user:1001:---,group::r--,mask::r--,other::r--
	file self 440 1000:2000 acl=user::r--,user:1000:rw-,group::r--,mask::rw-,other::---
	file exec 610 1000:2000 acl=user::rw-,user:1001:--x,group::---,mask::--x,other::---
	file both 660 1000:2000 acl=user::rw-,group::r--,group:2000:rw-,mask::rw-,other::---
	dir dir 700 1000:2000 acl=user::rwx,user:1001:rwx,group::---,mask::rwx,other::---
	file dir/f 644 1000:2000
	dir search 710 1000:2000 acl=user::rwx,user:1001:rwx,group::---,mask::--x,other::---
	file search/f 644 1000:2000
`

// aclCases: the order of the tasks is root, root without capabilities, owner, named user, the same in the owning group,
// owning group, group 2001, both groups, stranger.
var aclCases = []row{
	{`open("named", O_RDONLY)`, "- EACCES - - - EACCES EACCES EACCES EACCES"},
	{`open("named", O_WRONLY)`, "- EACCES - EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`access("named", R_OK)`, "- EACCES - - - EACCES EACCES EACCES EACCES"},
	{`open("masked", O_RDONLY)`, "-"},
	{`open("masked", O_WRONLY)`, "- - - EACCES EACCES EACCES - - -"}, // the mask does not limit other
	{`open("masked", O_RDWR)`, "- - - EACCES EACCES EACCES - - -"},
	{`open("masked", O_RDONLY|O_TRUNC)`, "- - - EACCES EACCES EACCES - - -"},
	{`open("nomask", O_RDONLY)`, "- - - - EACCES EACCES - - -"}, // group bits of zero: the ACL is not asked
	{`open("nomask", O_WRONLY)`, "- EACCES - EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`access("nomask", R_OK)`, "- - - - EACCES EACCES - - -"},
	{`open("groups", O_RDONLY)`, "- - - - EACCES EACCES - - -"},
	{`open("groups", O_WRONLY)`, "- - - - EACCES EACCES EACCES - -"},
	{`open("groups", O_RDWR)`, "- - - - EACCES EACCES EACCES EACCES -"}, // no single entry grants both
	{`access("groups", X_OK)`, "- - EACCES - EACCES EACCES EACCES EACCES -"},
	{`open("deny", O_RDONLY)`, "- EACCES - EACCES EACCES - - - -"},
	{`access("deny", R_OK|W_OK)`, "- EACCES - EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`open("self", O_RDONLY)`, "- EACCES - EACCES - - EACCES EACCES EACCES"},
	{`open("self", O_WRONLY)`, "- EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES"}, // the owner's own triplet counts
	{`access("exec", X_OK)`, "- EACCES EACCES - - EACCES EACCES EACCES EACCES"},
	{`access("exec", R_OK)`, "- EACCES - EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`open("both", O_RDWR)`, "- EACCES - EACCES - - EACCES EACCES EACCES"}, // a later group entry that grants all counts
	{`open("dir", O_RDONLY|O_DIRECTORY)`, "- EACCES - - - EACCES EACCES EACCES EACCES"},
	{`open("dir/f", O_RDONLY)`, "- EACCES - - - EACCES EACCES EACCES EACCES"},
	{`open("dir/new", O_WRONLY|O_CREAT, 0600)`, "+ EACCES + + + EACCES EACCES EACCES EACCES"},
	{`open("dir", O_RDWR|O_TMPFILE, 0600)`, "- EACCES - - - EACCES EACCES EACCES EACCES"},
	{`open("search/f", O_RDONLY)`, "- EACCES - - - EACCES EACCES EACCES EACCES"},
	{`open("search", O_RDONLY)`, "- EACCES - EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`open("search/new", O_WRONLY|O_CREAT, 0600)`, "+ EACCES + EACCES EACCES EACCES EACCES EACCES EACCES"},
	{`stat("search/none")`, "ENOENT EACCES ENOENT ENOENT ENOENT EACCES EACCES EACCES EACCES"},
}

// TestKernelACL compares POSIX ACLs of tmpfs.
func TestKernelACL(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	newLab(t, dir, aclFiles).run(aclTasks, aclCases)
}

// stickyCases are for root, owner and stranger.
var stickyCases = []row{
	{`open("tmp/file", O_WRONLY)`, "-"},
	{`open("tmp/file", O_WRONLY|O_CREAT, 0600)`, "EACCES@regular - EACCES@regular"},
	{`open("tmp/file", O_RDONLY|O_CREAT, 0600)`, "EACCES@regular - EACCES@regular"},
	{`open("tmp/file", O_WRONLY|O_CREAT|O_EXCL, 0600)`, "EEXIST"},
	{`creat("tmp/file", 0600)`, "EACCES@regular - EACCES@regular"},
	{`openat2(AT_FDCWD, "tmp/file", {flags=O_WRONLY|O_CREAT, mode=0600, resolve=0})`, "EACCES@regular - EACCES@regular"},
	{`open("tmp/theirs", O_WRONLY|O_CREAT, 0600)`, "-"}, // of the directory's owner
	{`open("ltmp/file", O_WRONLY|O_CREAT, 0600)`, "EACCES@regular - EACCES@regular"},
	{`open("lfile", O_WRONLY|O_CREAT, 0600)`, "EACCES@regular - EACCES@regular"},
	{`open("tmp/new", O_WRONLY|O_CREAT, 0600)`, "+"},
	{`open("tmp/fifo", O_RDWR)`, "-"},
	{`open("tmp/fifo", O_RDWR|O_CREAT, 0600)`, "EACCES@fifos - EACCES@fifos"},
	{`open("tmp/null", O_RDWR)`, "-"},
	{`open("tmp/null", O_RDWR|O_CREAT, 0600)`, "EACCES - EACCES"}, // devices and sockets: whatever the sysctls say
	{`open("tmp/sock", O_RDWR|O_CREAT, 0600)`, "EACCES ENXIO EACCES"},
	{`open("tmp/sock", O_RDWR)`, "ENXIO"},
	{`open("ro/tmp/file", O_WRONLY|O_CREAT, 0600)`, "EACCES@regular/EROFS EROFS EACCES@regular/EROFS"},
	{`open("ro/tmp/file", O_WRONLY|O_CREAT|O_TRUNC, 0600)`, "EACCES@regular/EROFS EROFS EACCES@regular/EROFS"},

	{`open("group/file", O_WRONLY|O_CREAT, 0600)`, "EACCES@regular2 - EACCES@regular2"},
	{`open("group/fifo", O_RDWR|O_CREAT, 0600)`, "EACCES@fifos2 - EACCES@fifos2"},
	{`open("group/null", O_RDWR|O_CREAT, 0600)`, "-"},
	{`open("user/file", O_WRONLY|O_CREAT, 0600)`, "-"},
	{`open("user/null", O_RDWR|O_CREAT, 0600)`, "-"},
	{`open("plain/file", O_WRONLY|O_CREAT, 0600)`, "-"},
	{`open("plain/null", O_RDWR|O_CREAT, 0600)`, "-"},
	{`open("own/file", O_WRONLY|O_CREAT, 0600)`, "-"},
	{`open("own/other", O_WRONLY|O_CREAT, 0600)`, "EACCES@regular EACCES@regular -"}, // to own the directory is not enough
	{`open("own/null", O_RDWR|O_CREAT, 0600)`, "EACCES EACCES -"},

	{`open("tmp/link", O_RDONLY)`, "EACCES@symlinks - EACCES@symlinks"},
	{`open("tmp/link", O_WRONLY|O_CREAT, 0600)`, "EACCES@symlinks - EACCES@symlinks"},
	{`open("tmp/linkroot", O_RDONLY)`, "-"},
	{`open("tmp/linkdir/file", O_RDONLY)`, "-"}, // only the last link
	{`open("tmp/linkdir", O_RDONLY)`, "EACCES@symlinks - EACCES@symlinks"},
	{`open("tmp/linkdir/", O_RDONLY)`, "EACCES@symlinks - EACCES@symlinks"},
	{`open("tmp/link", O_PATH|O_NOFOLLOW)`, "-"},
	{`open("tmp/link", O_PATH)`, "EACCES@symlinks - EACCES@symlinks"},
	{`open("tmp/link", O_WRONLY|O_NOFOLLOW)`, "ELOOP"},
	{`stat("tmp/link")`, "EACCES@symlinks - EACCES@symlinks"},
	{`lstat("tmp/link")`, "-"},
	{`statx(AT_FDCWD, "tmp/link", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, 0x1000)`, "-"},
	{`access("tmp/link", R_OK)`, "EACCES@symlinks - EACCES@symlinks"},
	{`open("group/link", O_RDONLY)`, "-"}, // only where others write
	{`open("user/link", O_RDONLY)`, "-"},
	{`open("ltolink", O_RDONLY)`, "EACCES@symlinks - EACCES@symlinks"},
}

// TestKernelSticky compares sticky directories under this machine's fs.protected_*, which belong to the whole machine and are
// not touched. What the other values mean is written down as well and compared with the model alone.
func TestKernelSticky(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	l := newLab(t, dir, `
		dir tmp 1777 0:0
		dir group 1775 0:3000
		dir user 1755 0:0
		dir plain 777 0:0
		dir own 1777 1000:1000
		dir ro 755 0:0
		file tmp/file 666 1000:1000
		file tmp/theirs 666 0:0
		fifo tmp/fifo 666 1000:1000
		char tmp/null 666 1000:1000 dev=1:3
		sock tmp/sock 666 1000:1000
		file group/file 666 1000:1000
		fifo group/fifo 666 1000:1000
		char group/null 666 1000:1000 dev=1:3
		file user/file 666 1000:1000
		char user/null 666 1000:1000 dev=1:3
		file plain/file 666 1000:1000
		char plain/null 666 1000:1000 dev=1:3
		file own/file 666 1000:1000
		file own/other 666 1002:1002
		char own/null 666 1002:1002 dev=1:3
		link tmp/link 777 1000:1000 to=../plain/file
		link tmp/linkroot 777 0:0 to=../plain/file
		link tmp/linkdir 777 1000:1000 to=../plain
		link group/link 777 1000:1000 to=../plain/file
		link user/link 777 1000:1000 to=../plain/file
		link ltmp 777 0:0 to=tmp
		link lfile 777 0:0 to=tmp/file
		link ltolink 777 0:0 to=tmp/link
	`)
	l.bind("/", "/ro", world.MountReadOnly)
	l.run(three, stickyCases)
	here := l.Sysctls
	for v := range 3 {
		for s := range kernel.NumSysctls {
			l.Sysctls[s] = world.Given(v, l.at)
		}
		l.foresee(three, stickyCases)
	}
	l.Sysctls = here
}
