package explain_test

import (
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
	"syscallstory/world"
)

// opsTasks: what a descriptor allows does not depend on who uses it, but for what is asked anew.
var opsTasks = []who{
	{name: "root", caps: dacCaps | world.Caps(kernel.CapSysAdmin, kernel.CapFsetid, kernel.CapSysRawio, kernel.CapLease, kernel.CapLinuxImmutable, kernel.CapIpcLock)},
	{name: "root without capabilities"},
	{name: "owner", uid: 1000, gid: 1000},
	{name: "stranger", uid: 1002, gid: 1002},
}

const opsFiles = `
	dir . 755 0:0
	file f 644 1000:1000
	file big 644 1000:1000 size=100
	file suid 6755 1000:1000
	file imm 644 1000:1000
	file app 644 1000:1000 flags=a
	file x 755 0:0
	link l 777 1000:1000 to=f
	fifo fifo 666 1000:1000
	char null 666 0:0 dev=1:3
	dir d 755 1000:1000
	dir d700 700 1000:1000
	file d700/f 644 1000:1000
	dir ro 777 0:0
	dir noexec 777 0:0
	file noexec/x 755 0:0
	dir e 755 0:0
`

// opsCases: root, root without capabilities, owner, stranger. 901 is f read-write, 902 read-only, 903 O_PATH, 904 write-only, 905
// a directory, 906 a FIFO, 907 /dev/null, 908 append-only with O_APPEND, 909 big read-only, 910 f with O_APPEND, 911 a file of
// a noexec mount, 912 suid write-only, 913 a file of ext4, 914 an immutable one of it that was opened for writing before,
// 915 the same of tmpfs.
var opsCases = []row{
	{`open("fifo", O_WRONLY|O_NONBLOCK)`, "-"}, // the task has both ends open
	{`open("fifo", O_WRONLY)`, "-"},
	{`open("fifo", O_RDONLY)`, "-"},
	{`read(901, 0x0, 1)`, "EFAULT"},
	{`read(901)`, "-"},
	{`read(902)`, "-"},
	{`read(903)`, "EBADF"},
	{`read(904)`, "EBADF"},
	{`read(905)`, "EISDIR"},
	{`read(907)`, "-"},
	{`read(99)`, "EBADF"},
	{`pread64(902, 0x1000, 0, -1)`, "EINVAL"},
	{`pread64(99, 0x1000, 0, -1)`, "EINVAL"},
	{`pread64(902, NULL, 0, 0)`, "-"},
	{`pread64(906, NULL, 0, 0)`, "ESPIPE"},
	{`pread64(904, NULL, 0, 0)`, "EBADF"},
	{`readv(902, NULL, 0)`, "-"},
	{`readv(904, NULL, 0)`, "EBADF"},
	{`write(901, "x", 1)`, "-"},
	{`write(902, "x", 1)`, "EBADF"},
	{`write(903, "x", 1)`, "EBADF"},
	{`write(904, "x", 1)`, "-"},
	{`write(905, "x", 1)`, "EBADF"},
	{`write(907, "x", 1)`, "-"},
	{`write(908, "x", 1)`, "-"},
	{`write(901, NULL, 1)`, "EFAULT"},
	{`write(901, NULL, 0)`, "-"},
	{`write(912, "x", 1)`, "-"},
	{`write(914, "x", 1)`, "EPERM"},
	{`write(914, "x", 0)`, "EPERM"},
	{`write(915, "x", 1)`, "-"},
	{`pwrite64(901, "x", 1, -1)`, "EINVAL"},
	{`pwrite64(906, "x", 1, 0)`, "ESPIPE"},
	{`pwrite64(901, "x", 1, 0)`, "-"},
	{`writev(902, NULL, 0)`, "EBADF"},
	{`writev(901, NULL, 0)`, "-"},
	{`lseek(901, 0, SEEK_SET)`, "-"},
	{`lseek(901, -1, SEEK_SET)`, "EINVAL"},
	{`lseek(901, 0, 5)`, "EINVAL"},
	{`lseek(906, 0, SEEK_SET)`, "ESPIPE"},
	{`lseek(903, 0, SEEK_SET)`, "EBADF"},
	{`lseek(99, 0, 9)`, "EBADF"},
	{`lseek(909, 100, SEEK_DATA)`, "ENXIO"},
	{`lseek(909, -101, SEEK_END)`, "EINVAL"},
	{`lseek(905, 0, SEEK_SET)`, "-"},
	{`lseek(907, 0, SEEK_SET)`, "-"},
	{`fallocate(901, 0, 0, 8)`, "-"},
	{`fallocate(901, 0, 0, 0)`, "EINVAL"},
	{`fallocate(901, 0, -1, 8)`, "EINVAL"},
	{`fallocate(902, 0, 0, 8)`, "EBADF"},
	{`fallocate(901, FALLOC_FL_PUNCH_HOLE, 0, 8)`, "EOPNOTSUPP"},
	{`fallocate(901, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 8)`, "-"},
	{`fallocate(901, FALLOC_FL_ZERO_RANGE, 0, 8)`, "EOPNOTSUPP"},
	{`fallocate(902, FALLOC_FL_ZERO_RANGE|FALLOC_FL_PUNCH_HOLE, 0, 8)`, "EOPNOTSUPP"},
	{`fallocate(908, 0, 0, 1)`, "-"},
	{`fallocate(908, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 1)`, "EPERM"},
	{`fallocate(914, 0, 0, 1)`, "EPERM"},
	{`fallocate(915, 0, 0, 1)`, "EPERM"},
	{`fallocate(907, 0, 0, 1)`, "ENODEV"},
	{`fallocate(903, 0, 0, 1)`, "EBADF"},
	{`fallocate(913, 0, 0, 1)`, "-"},
	{`copy_file_range(902, NULL, 901, NULL, 0)`, "-"},
	{`copy_file_range(902, NULL, 904, NULL, 0, 1)`, "EINVAL"},
	{`copy_file_range(904, NULL, 901, NULL, 0)`, "EBADF"},
	{`copy_file_range(902, NULL, 902, NULL, 0)`, "EBADF"},
	{`copy_file_range(916, NULL, 916, NULL, 4)`, "?EINVAL"}, // it overlaps itself
	{`copy_file_range(916, NULL, 916, NULL, 0)`, "-"},
	{`copy_file_range(902, NULL, 910, NULL, 0)`, "EBADF"},
	{`copy_file_range(905, NULL, 901, NULL, 0)`, "EISDIR"},
	{`copy_file_range(907, NULL, 901, NULL, 0)`, "EINVAL"},
	{`copy_file_range(902, NULL, 913, NULL, 0)`, "EXDEV"},
	{`copy_file_range(902, NULL, 915, NULL, 0)`, "EPERM"},
	{`copy_file_range(903, NULL, 901, NULL, 0)`, "EBADF"},
	{`sendfile(901, 902, NULL, 0)`, "-"},
	{`sendfile(902, 901, NULL, 0)`, "EBADF"},
	{`sendfile(901, 904, NULL, 0)`, "EBADF"},
	{`sendfile(910, 902, NULL, 1)`, "EINVAL"},
	{`sendfile(901, 905, NULL, 1)`, "EINVAL"},
	{`sendfile(99, 902, NULL, 1)`, "EBADF"},
	{`fsync(901)`, "-"},
	{`fsync(902)`, "-"},
	{`fsync(903)`, "EBADF"},
	{`fsync(906)`, "EINVAL"},
	{`fsync(907)`, "EINVAL"},
	{`fsync(905)`, "-"},
	{`fdatasync(913)`, "-"},
	{`syncfs(901)`, "-"},
	{`syncfs(903)`, "EBADF"},
	{`flock(901, LOCK_SH)`, "-"},
	{`flock(901, LOCK_UN)`, "-"},
	{`flock(902, LOCK_EX|LOCK_NB)`, "-"},
	{`flock(902, LOCK_UN)`, "-"},
	{`flock(903, LOCK_SH)`, "EBADF"},
	{`flock(901, 3)`, "EINVAL"},
	{`flock(99, 0)`, "EINVAL"},
	{`fcntl(901, F_GETFD)`, "-"},
	{`fcntl(903, F_GETFL)`, "-"},
	{`fcntl(903, F_SETFL, O_NONBLOCK)`, "EBADF"},
	{`fcntl(99, F_GETFD)`, "EBADF"},
	{`fcntl(901, F_SETFL, O_APPEND)`, "-"},
	{`fcntl(901, F_SETFL, 0)`, "-"},
	{`fcntl(908, F_SETFL, 0)`, "EPERM"},
	{`fcntl(908, F_SETFL, O_APPEND)`, "-"},
	{`fcntl(901, F_DUPFD, 5000000)`, "EINVAL"},
	{`fcntl(901, F_SETLEASE, F_RDLCK)`, "EAGAIN EACCES EAGAIN EACCES"},
	{`fcntl(905, F_SETLEASE, F_RDLCK)`, "EINVAL EACCES EINVAL EACCES"},
	{`fcntl(901, F_SETLEASE, 3)`, "EINVAL"},
	{`fcntl(901, F_ADD_SEALS, F_SEAL_WRITE)`, "EPERM"},
	{`fcntl(902, F_ADD_SEALS, F_SEAL_WRITE)`, "EPERM"},
	{`fcntl(913, F_ADD_SEALS, F_SEAL_WRITE)`, "EINVAL"},
	{`fcntl(901, F_ADD_SEALS, 64)`, "EINVAL"},
	{`fcntl(901, F_GET_SEALS)`, "-"},
	{`fcntl(913, F_GET_SEALS)`, "EINVAL"},
	{`fcntl(901, F_GETPIPE_SZ)`, "EBADF"},
	{`dup3(901, 901, 0)`, "EINVAL"},
	{`dup3(901, 930, 1)`, "EINVAL"},
	{`dup2(901, 901)`, "-"},
	{`dup2(99, 99)`, "EBADF"},
	{`dup2(99, 930)`, "EBADF"},
	{`dup2(901, -1)`, "EBADF"},
	{`pipe2(0x1000, 1)`, "EINVAL"},
	{`pipe2(NULL, 0)`, "EFAULT"},
	{`getdents64(905)`, "-"},
	{`getdents64(901)`, "ENOTDIR"},
	{`getdents64(903)`, "EBADF"},
	{`getdents64(99)`, "EBADF"},
	{`statfs("f")`, "-"},
	{`statfs("none")`, "ENOENT"},
	{`statfs("d700/f")`, "- EACCES - EACCES"},
	{`statfs("f", NULL)`, "EFAULT"},
	{`fstatfs(903)`, "-"},
	{`fstatfs(99)`, "EBADF"},
	{`utime("f", NULL)`, "- EACCES - EACCES"},
	{`utime("f", {actime=1, modtime=1})`, "- EPERM - EPERM"},
	{`utime("ro/f", NULL)`, "EROFS"},
	{`utimes("f", NULL)`, "- EACCES - EACCES"},
	{`utimes("f", [{tv_sec=0, tv_usec=0}, {tv_sec=0, tv_usec=0}])`, "- EPERM - EPERM"},
	{`utimes("none", [{tv_sec=0, tv_usec=1000000}, {tv_sec=0, tv_usec=0}])`, "EINVAL"},
	{`futimesat(AT_FDCWD, "f", NULL)`, "- EACCES - EACCES"},
	{`futimesat(901, NULL, NULL)`, "- EACCES - EACCES"},
	{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 902, 0)`, "-"},
	{`mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE, 902, 0)`, "-"},
	{`mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 902, 0)`, "EACCES"},
	{`mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 901, 0)`, "-"},
	{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 904, 0)`, "EACCES"},
	{`mmap(NULL, 4096, PROT_READ, MAP_SHARED, 908, 0)`, "EACCES"},
	{`mmap(NULL, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE, 902, 0)`, "-"},
	{`mmap(NULL, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE, 911, 0)`, "EPERM"},
	{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 911, 0)`, "-"},
	{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 903, 0)`, "EBADF"},
	{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 905, 0)`, "ENODEV"},
	{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 902, 1)`, "EINVAL"},
	{`mmap(NULL, 0, PROT_READ, MAP_PRIVATE, 902, 0)`, "EINVAL"},
	{`mmap(NULL, 4096, PROT_READ, 0, 902, 0)`, "EINVAL"},
	{`mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0)`, "EINVAL"},
	{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)`, "-"},
	{`mmap(0x10001, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)`, "EINVAL"},
	{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0)`, "EBADF"},
	{`mprotect(0x1001, 4096, PROT_READ)`, "EINVAL"},
	{`mprotect(0x1000, 0, PROT_READ)`, "-"},
	{`mprotect(0x2000, 4096, PROT_READ)`, "?ENOMEM"},
	{`memfd_create("x", 32)`, "EINVAL"},
	{`memfd_create("x", MFD_EXEC|MFD_NOEXEC_SEAL)`, "EINVAL"},
	{`memfd_create(NULL, 0)`, "EFAULT"},
	{`name_to_handle_at(AT_FDCWD, "f", {handle_bytes=0}, 0x1000, 0)`, "EOVERFLOW"},
	{`name_to_handle_at(AT_FDCWD, "f", {handle_bytes=128}, 0x1000, 0)`, "-"},
	{`name_to_handle_at(AT_FDCWD, "f", {handle_bytes=129}, 0x1000, 0)`, "EINVAL"},
	{`name_to_handle_at(AT_FDCWD, "none", {handle_bytes=0}, 0x1000, 0)`, "ENOENT"},
	{`name_to_handle_at(AT_FDCWD, "f", {handle_bytes=0}, 0x1000, AT_SYMLINK_NOFOLLOW)`, "EINVAL"},
	{`name_to_handle_at(AT_FDCWD, "d700/f", {handle_bytes=128}, 0x1000, 0)`, "- EACCES - EACCES"},
	{`name_to_handle_at(901, "", {handle_bytes=128}, 0x1000, AT_EMPTY_PATH)`, "-"},
	{`name_to_handle_at(AT_FDCWD, "f", NULL, 0x1000, 0)`, "EFAULT"},
	{`open_by_handle_at(905, {handle_bytes=0}, O_RDONLY)`, "EINVAL"}, // the handle is read first since 6.17
	{`open_by_handle_at(905, {handle_bytes=129}, O_RDONLY)`, "EINVAL"},
	{`open_by_handle_at(905, NULL, O_RDONLY)`, "EFAULT"},
	{`open_by_handle_at(99, {handle_bytes=8, handle_type=1}, O_RDONLY)`, "EBADF"},
	{`open_by_handle_at(905, {handle_bytes=8, handle_type=1}, O_RDONLY)`, "ESTALE EPERM EPERM EPERM"},
	{`open_by_handle_at(905, {handle_bytes=8, handle_type=1}, O_RDONLY|O_DIRECTORY)`, "ESTALE EPERM EPERM EPERM"},
	{`inotify_init1(1)`, "EINVAL"},
	{`inotify_add_watch(99, "f", IN_OPEN)`, "EBADF"},
	{`inotify_add_watch(901, "f", IN_OPEN)`, "EINVAL"},
	{`inotify_add_watch(99, "f", 0)`, "EINVAL"},
	{`inotify_add_watch(99, "f", IN_MASK_ADD|IN_MASK_CREATE)`, "EBADF"},
	{`fanotify_init(FAN_CLASS_CONTENT, O_RDONLY)`, "- EPERM EPERM EPERM"},
	{`fanotify_init(FAN_CLASS_NOTIF, O_RDONLY)`, "- EPERM EPERM EPERM"},
	{`fanotify_init(FAN_REPORT_FID, O_RDONLY)`, "-"},
	{`fanotify_init(FAN_REPORT_NAME, O_RDONLY)`, "EINVAL"},
	{`fanotify_init(FAN_REPORT_FID|FAN_CLASS_CONTENT, O_RDONLY)`, "EINVAL EPERM EPERM EPERM"},
	{`fanotify_mark(99, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f")`, "EBADF"},
	{`fanotify_mark(901, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f")`, "EINVAL"},
	{`ioctl(901, FICLONE, 902)`, "EOPNOTSUPP"},
	{`ioctl(901, FICLONE, 913)`, "EXDEV"},
	{`ioctl(902, FICLONE, 902)`, "EBADF"},
	{`ioctl(901, FICLONE, 99)`, "EBADF"},
	{`ioctl(901, FIONCLEX)`, "-"},
	{`ioctl(901, TCGETS, 0x1000)`, "ENOTTY"},
}

func opsLab(l *lab) {
	l.bind("", "ro", world.MountReadOnly)
	l.bind("noexec", "noexec", world.MountNoExec)
	l.ext4("e", "file f 644 1000:1000\nfile imm 644 1000:1000")
	l.open(901, "f", unix.O_RDWR)
	l.open(902, "f", unix.O_RDONLY)
	l.open(903, "f", unix.O_PATH)
	l.open(904, "f", unix.O_WRONLY)
	l.open(905, "d", unix.O_RDONLY)
	l.open(906, "fifo", unix.O_RDWR)
	l.open(907, "null", unix.O_RDWR)
	l.open(908, "app", unix.O_RDWR|unix.O_APPEND)
	l.open(909, "big", unix.O_RDONLY)
	l.open(910, "f", unix.O_WRONLY|unix.O_APPEND)
	l.open(911, "noexec/x", unix.O_RDONLY)
	l.open(912, "suid", unix.O_WRONLY)
	l.open(913, "e/f", unix.O_RDWR)
	l.open(914, "e/imm", unix.O_RDWR)
	l.open(915, "imm", unix.O_RDWR)
	l.open(916, "big", unix.O_RDWR)
	for _, p := range []string{"e/imm", "imm"} {
		l.must(setFlags(l.path(p), 0x10))
		l.FS.I(l.place(l.root, p).Dentry).Attr |= world.AttrImmutable
	}
}

func TestKernelFileOps(t *testing.T) {
	if dir, in := isolated(t); in {
		l := newLab(t, dir, opsFiles)
		opsLab(l)
		l.run(opsTasks, opsCases)
		// What succeeds changes what the others meet: those who are refused come first.
		l.run(opsTasks[1:2], []row{{`fcntl(902, F_SETFL, O_NOATIME)`, "EPERM"}})
		l.run(opsTasks[1:], []row{{`mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)`, "EPERM"}})
		l.run(opsTasks[2:3], []row{{`fcntl(902, F_SETFL, O_NOATIME)`, "-"}})
	}
}

// TestKernelFileSize: a file grows up to RLIMIT_FSIZE.
func TestKernelFileSize(t *testing.T) {
	if dir, in := isolated(t); in {
		signal.Ignore(unix.SIGXFSZ)
		l := newLab(t, dir, opsFiles)
		l.open(901, "f", unix.O_RDWR)
		l.open(902, "big", unix.O_WRONLY|unix.O_APPEND)
		var old unix.Rlimit
		l.must(unix.Prlimit(0, unix.RLIMIT_FSIZE, nil, &old))
		l.must(unix.Prlimit(0, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 50, Max: old.Max}, nil))
		l.Task.Rlimits[unix.RLIMIT_FSIZE] = world.Given(world.Rlimit{Cur: 50, Max: old.Max}, l.at)
		l.run(opsTasks[:1], []row{
			{`truncate("f", 50)`, "-"},
			{`truncate("f", 51)`, "EFBIG"},
			{`truncate("big", 99)`, "-"}, // it shrinks
			{`ftruncate(901, 51)`, "EFBIG"},
			{`pwrite64(901, "x", 1, 49)`, "-"},
			{`pwrite64(901, "x", 1, 50)`, "EFBIG"},
			{`pwrite64(901, "xxx", 3, 49)`, "-"}, // cut short
			{`pwrite64(901, "x", 0, 50)`, "-"},
			{`write(902, "x", 1)`, "EFBIG"},
			{`fallocate(901, 0, 0, 51)`, "EFBIG"},
			{`fallocate(901, FALLOC_FL_KEEP_SIZE, 0, 51)`, "EFBIG"}, // tmpfs asks all the same
		})
		l.must(unix.Prlimit(0, unix.RLIMIT_FSIZE, &old, nil))
	}
}
