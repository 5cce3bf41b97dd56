//go:build linux && amd64

package live

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// opens has the child make a call that opens descriptors, and returns the last.
func (s *server) opens(call string) (last int) {
	s.t.Helper()
	before := map[string]bool{}
	list := func() []os.DirEntry {
		all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
		if err != nil {
			s.t.Fatal(err)
		}
		return all
	}
	for _, e := range list() {
		before[e.Name()] = true
	}
	s.set(call)
	for _, e := range list() {
		if n, _ := strconv.Atoi(e.Name()); !before[e.Name()] {
			last = max(last, n)
		}
	}
	s.judge = nil
	return last
}

// TestKernelLiveDescriptors: what descriptors of a process that runs lead to is read from outside: sockets in every state, namespaces,
// pidfds, and where the links of /proc to its program and its namespaces lead.
func TestKernelLiveDescriptors(t *testing.T) {
	const any = `{sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("127.0.0.1")}`
	for _, uid := range []int{0, 1000} {
		t.Run(fmt.Sprint("uid", uid), func(t *testing.T) {
			s := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
			s.whole = true
			on := t.TempDir()
			for _, name := range []string{"net", "mnt", "user", "pid_for_children", "cgroup", "file"} {
				if err := os.WriteFile(on+"/"+name, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s.set(`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`)
			fds := map[string]int{}
			for name, call := range map[string]string{"TCP": "socket(AF_INET, SOCK_STREAM, 0)", "LISTENS": "socket(AF_INET, SOCK_STREAM, 0)", "UDP": "socket(AF_INET, SOCK_DGRAM, 0)", "UNIX": "socket(AF_UNIX, SOCK_STREAM, 0)",
				"DGRAM": "socket(AF_UNIX, SOCK_DGRAM, 0)", "PAIR": "socketpair(AF_UNIX, SOCK_STREAM, 0, 0x1000)", "NETLINK": "socket(AF_NETLINK, SOCK_RAW, 0)", "BOUND": "socket(AF_INET6, SOCK_STREAM, 0)",
				"NET": "keep /proc/self/ns/net", "MNT": "keep /proc/self/ns/mnt", "USER": "keep /proc/self/ns/user", "PIDNS": "keep /proc/self/ns/pid",
				"PIDFD": fmt.Sprintf("pidfd_open(%d, 0)", s.pid), "FILE": "keep " + on + "/file", "PIPE": "pipe2(0x1000, 0)"} {
				if call == "pipe2(0x1000, 0)" || strings.HasPrefix(call, "socketpair") {
					s.set("mmap(0x10000, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)")
					call = strings.ReplaceAll(call, "0x1000", "0x10000")
				}
				fds[name] = s.opens(call)
			}
			s.set(fmt.Sprintf("bind(%d, %s, 16)", fds["LISTENS"], any), fmt.Sprintf("listen(%d, 5)", fds["LISTENS"]), fmt.Sprintf("connect(%d, %s, 16)", fds["UDP"], strings.Replace(any, "htons(0)", "htons(9)", 1)),
				fmt.Sprintf(`bind(%d, {sa_family=AF_INET6, sin6_port=htons(0), sin6_addr=inet_pton(AF_INET6, "::1"), sin6_flowinfo=0, sin6_scope_id=0}, 28)`, fds["BOUND"]))
			if uid != 0 {
				s.set(fmt.Sprintf("setresgid(%d, %[1]d, %[1]d)", uid), fmt.Sprintf("setresuid(%d, %[1]d, %[1]d)", uid))
			}
			var all []string
			for _, c := range []string{
				`setsockopt(FD, SOL_SOCKET, SO_MARK, [1], 4)`, `setsockopt(FD, SOL_SOCKET, SO_REUSEADDR, [1], 4)`, `listen(FD, 1)`, `read(FD, 0x10000, 0)`, `setns(FD, CLONE_NEWUTS)`, `setns(FD, CLONE_NEWUSER)`, `setns(FD, CLONE_NEWNET)`,
				`bind(FD, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16)`, `pidfd_send_signal(FD, 0, NULL, 0)`, `fchdir(FD)`, `lseek(FD, 0, SEEK_SET)`,
				`mmap(NULL, 4096, PROT_READ, MAP_SHARED, FD, 0)`, `fsetxattr(FD, "user.x", "1", 1, 0)`, `fstat(FD, 0x10000)`,
			} {
				for _, name := range []string{"TCP", "LISTENS", "UDP", "UNIX", "DGRAM", "PAIR", "NETLINK", "BOUND", "NET", "MNT", "USER", "PIDNS", "PIDFD", "FILE"} {
					socket := map[string]bool{"TCP": true, "LISTENS": true, "UDP": true, "UNIX": true, "DGRAM": true, "PAIR": true, "NETLINK": true, "BOUND": true}[name]
					switch { // what the model leaves open of sockets and pidfds, which its own tests know
					case (socket || name == "PIDFD") && (strings.HasPrefix(c, "read") || strings.HasPrefix(c, "lseek") || strings.HasPrefix(c, "mmap") || strings.HasPrefix(c, "fsetxattr")):
						continue
					case name == "PIDFD" && strings.HasPrefix(c, "fchdir"):
						continue
					case name == "NETLINK" && strings.HasPrefix(c, "bind"), name == "NETLINK" && strings.HasPrefix(c, "setsockopt"):
						continue
					}
					all = append(all, strings.ReplaceAll(c, "FD", fmt.Sprint(fds[name])))
				}
			}
			all = append(all, fmt.Sprintf("connect(%d, %s, 16)", fds["LISTENS"], any), fmt.Sprintf("accept(%d, NULL, NULL)", fds["NETLINK"]), fmt.Sprintf("accept(%d, NULL, NULL)", fds["UDP"]), fmt.Sprintf("accept(%d, NULL, NULL)", fds["PAIR"]))
			for _, ns := range []string{"net", "mnt", "user", "pid_for_children", "cgroup"} {
				for _, c := range []string{`open("NS", O_RDONLY)`, `open("NS", O_WRONLY)`, `open("NS", O_RDWR)`, `open("NS", O_RDONLY|O_TRUNC)`, `open("NS", O_RDONLY|O_DIRECT)`, `open("NS", O_RDONLY|O_NOATIME)`, `open("NS", O_RDONLY|O_DIRECTORY)`,
					`chmod("NS", 0777)`, `chown("NS", 1000, 1000)`, `utimensat(AT_FDCWD, "NS", NULL, 0)`, `truncate("NS", 0)`, `setxattr("NS", "user.x", "1", 1, 0)`, `getxattr("NS", "user.x", 0x10000, 10)`, `access("NS", W_OK)`,
					`access("NS", R_OK)`, `stat("NS", 0x10000)`, `execve("NS", ["x"], [])`, `unlink("NS")`, `readlink("NS", 0x10000, 10)`, `chdir("NS")`} {
					for _, who := range []string{"self", fmt.Sprint(os.Getpid())} {
						if ns == "pid_for_children" && who != "self" { // of others it is not read
							continue
						}
						all = append(all, strings.ReplaceAll(c, "NS", "/proc/"+who+"/ns/"+ns))
					}
				}
				all = append(all, fmt.Sprintf(`mount("/proc/self/ns/%s", %q, NULL, MS_BIND, NULL)`, ns, on+"/"+ns))
			}
			s.compare(all)
		})
	}
	for _, set := range [][]string{nil, {"setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)"}} {
		s := newServer(t, nil).set(set...)
		s.whole = true
		calls := []string{`open("/proc/self/exe", O_RDONLY)`, `open("/proc/self/exe", O_RDWR)`, `readlink("/proc/self/exe", 0x10000, 10)`, `truncate("/proc/self/exe", 0)`, `open("/proc/thread-self/exe", O_RDONLY)`,
			`chmod("/proc/self/exe", 0755)`, `open("/proc/self/exe", O_RDONLY|O_NOFOLLOW)`, `unlink("/proc/self/exe")`,
			`access("/proc/self", W_OK)`, `access("/proc/self/task/self", W_OK)`, `rmdir("/proc/self/task")`, `access("/proc/self/fd", W_OK)`, `access("/proc/self/map_files", W_OK)`, `access("/proc/self/fdinfo", W_OK)`, `access("/proc/self/task", W_OK)`,
			`access("/proc/self/net", W_OK)`, `open("/proc/self/fdinfo/0", O_RDONLY)`, `open("/proc/OTHER/fdinfo/0", O_RDONLY)`, `open("/proc/OTHER/fdinfo", O_RDONLY)`, `access("/proc/OTHER/map_files", R_OK)`, `access("/proc/OTHER", W_OK)`,
			`chmod("/proc/self", 0700)`, `chown("/proc/self", 1000, 1000)`, `utimensat(AT_FDCWD, "/proc/self", NULL, 0)`, `chmod("/proc/self/status", 0700)`, `open("/proc/self/task/OWN/fd", O_RDONLY)`, `access("/proc/self/task/OWN/fd", W_OK)`}
		for i := range calls {
			calls[i] = strings.NewReplacer("OTHER", fmt.Sprint(os.Getpid()), "OWN", fmt.Sprint(s.pid)).Replace(calls[i])
		}
		s.compare(calls)
	}
}

// TestKernelLiveAnonymous: descriptors of files without a name, of which the model says what it knows.
func TestKernelLiveAnonymous(t *testing.T) {
	for _, uid := range []int{0, 1000} {
		s := newServer(t, nil)
		s.open = []string{""} // what such a file answers is mostly its own; never anything else than what the model says it may
		s.set("mmap(0x10000, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)")
		var fds []int
		for _, call := range []string{"eventfd2(0, 0)", "epoll_create1(0)", "inotify_init1(0)", `memfd_create("x", 0)`, "timerfd_create(CLOCK_MONOTONIC, 0)", "pipe2(0x10000, 0)", "fanotify_init(0, 0)", "userfaultfd(0)", "socket(AF_PACKET, SOCK_RAW, 0)", fmt.Sprintf("pidfd_open(%d, 0)", s.pid)} {
			fds = append(fds, s.opens(call))
		}
		if uid != 0 {
			s.set(fmt.Sprintf("setresgid(%d, %[1]d, %[1]d)", uid), fmt.Sprintf("setresuid(%d, %[1]d, %[1]d)", uid))
		}
		var all []string
		for _, c := range []string{`fchmod(FD, 0600)`, `fchown(FD, -1, -1)`, `fchown(FD, 0, 0)`, `ftruncate(FD, 0)`, `fsetxattr(FD, "user.x", "1", 1, 0)`, `fsetxattr(FD, "trusted.x", "1", 1, 0)`, `fgetxattr(FD, "user.x", 0x10000, 10)`, `fstat(FD, 0x10000)`, `fchdir(FD)`,
			`lseek(FD, 0, SEEK_SET)`, `mmap(NULL, 4096, PROT_READ, MAP_SHARED, FD, 0)`, `setns(FD, CLONE_NEWNET)`, `fsync(FD)`, `listen(FD, 1)`, `flock(FD, LOCK_SH)`, `futimesat(FD, NULL, NULL)`, `fallocate(FD, 0, 0, 1)`, `pread64(FD, 0x10000, 1, 0)`,
			`fcntl(FD, F_GETFL)`, `fcntl(FD, F_GETPIPE_SZ)`, `pidfd_send_signal(FD, 0, NULL, 0)`, `fstatfs(FD, 0x10000)`, `syncfs(FD)`, `openat(FD, "x", O_RDONLY)`, `fexecve(FD)`, `write(FD, NULL, 0)`, `fadvise64(FD, 0, 0, 0)`, `readahead(FD, 0, 0)`, `sync_file_range(FD, 0, 0, 0)`} {
			for _, fd := range fds {
				if c != "fexecve(FD)" {
					all = append(all, strings.ReplaceAll(c, "FD", fmt.Sprint(fd)))
				}
			}
		}
		s.compare(all)
	}
}
