package explain_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// job is a call as a process performs it: ids as its own user namespace counts.
type job struct {
	Dir, Root, Cwd string
	CwdFD          int
	MountNS        string
	Effective      uint64
	Permitted      uint64
	UID, GID       [2]uint32 // real, effective
	Groups         []uint32
	NoFile         int
	Memlock        *uint64
	Landlock       []ruleset
	Call           string
	Forked         bool         // in a process of its own
	More           *credentials // ids as the process's user namespace counts

	// What a child does beside performing calls.
	Open   *openFD
	Mount  *mountArgs
	Umount string
	Scene  *sceneJob
	Write  [2]string // a file, and what is written to it
	Files  string    // a list for makeFiles, in Dir
	Spawn  *uint32   // the uid of a process that waits
	PidFD  [2]int    // a descriptor and the process that it gets
}

// mountArgs are mount(2)'s.
type mountArgs struct {
	Source, Target, Type, Data string
	Flags                      uintptr
}

// perform makes the call in the kernel, in the process that is in the task's user namespace.
func (l *lab) perform(task who, text string) string {
	j := l.job(task, text)
	if task.ns == 0 {
		return j.perform()
	}
	c := l.children[task.ns-1]
	if c.mountNS == l.mountNS {
		j.MountNS = ""
	}
	return c.ask(j)
}

// job is what a call as a task is for the process that makes it.
func (l *lab) job(task who, text string) job {
	j := job{Dir: l.dir, Root: task.root, Cwd: task.cwd, CwdFD: task.cwdFD, MountNS: l.mountNS, Effective: uint64(task.caps), Permitted: uint64(task.caps | task.idle),
		NoFile: task.noFile, Memlock: task.memlock, Landlock: task.landlock, Call: text, Forked: l.forked}
	ns := &l.UserNS[task.ns]
	in := func(m world.IDMap, k uint32) uint32 {
		id, ok := m.Up(k)
		if !ok {
			l.t.Fatalf("%s: id %d is not mapped", task.name, k)
		}
		return id
	}
	j.UID = [2]uint32{in(ns.UIDs, task.uid), in(ns.UIDs, task.uid)}
	j.GID = [2]uint32{in(ns.GIDs, task.gid), in(ns.GIDs, task.gid)}
	if task.real != nil {
		j.UID[0], j.GID[0] = in(ns.UIDs, task.real[0]), in(ns.GIDs, task.real[1])
	}
	for _, g := range task.groups {
		j.Groups = append(j.Groups, in(ns.GIDs, g))
	}
	if task.more != nil {
		m := *task.more
		for _, ids := range []**[2]uint32{&m.Saved, &m.Files} {
			if *ids != nil {
				*ids = &[2]uint32{in(ns.UIDs, (*ids)[0]), in(ns.GIDs, (*ids)[1])}
			}
		}
		j.More = &m
	}
	return j
}

// perform does the job on a thread of its own, which ends with its credentials and its root.
func (j job) perform() string {
	if j.Forked {
		return j.inProcess()
	}
	type result struct {
		text string
		fd   int
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked
		text, fd := j.onThread()
		done <- result{text, fd}
	}()
	r := <-done
	if r.fd >= 0 {
		// What a call made is removed again: names of new files begin with new.
		if name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", r.fd)); err == nil && strings.HasPrefix(filepath.Base(name), "new") && strings.Contains(strings.ToLower(j.Call), "creat") {
			if j.MountNS != "" {
				name = filepath.Join(strings.TrimSuffix(j.MountNS, "ns/mnt")+"root", name)
			}
			if err := os.Remove(name); err != nil {
				r.text = err.Error()
			} else {
				r.text = "+"
			}
		}
		unix.Close(r.fd)
	}
	return r.text
}

// onThread becomes the task and makes the call.
func (j job) onThread() (string, int) {
	step := func(what string, err error) string {
		if err != nil && err != syscall.Errno(0) {
			return what + ": " + err.Error()
		}
		return ""
	}
	fail := step("unshare", unix.Unshare(unix.CLONE_FS))
	if j.MountNS != "" && fail == "" {
		fd, err := unix.Open(j.MountNS, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if fail = step("open "+j.MountNS, err); fail == "" {
			fail = step("setns", unix.Setns(fd, unix.CLONE_NEWNS))
			unix.Close(fd)
		}
	}
	if fail == "" {
		fail = step("chroot", unix.Chroot(filepath.Join(j.Dir, j.Root)))
	}
	if fail == "" {
		fail = step("chdir", unix.Chdir("/"+j.Cwd))
	}
	if j.CwdFD != 0 && fail == "" {
		fail = step("fchdir", unix.Fchdir(j.CwdFD))
	}
	if fail == "" {
		fail = j.become(step)
	}
	for i := range j.Landlock {
		if fail == "" {
			fail = step("landlock", j.Landlock[i].restrict())
		}
	}
	if fail != "" {
		return fail, -1
	}
	call, err := syscalls.Parse(syscalls.X8664, j.Call)
	if err != nil {
		return err.Error(), -1
	}
	var old unix.Rlimit
	if j.NoFile != 0 {
		if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
			return err.Error(), -1
		}
		unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(j.NoFile), Max: old.Max}, nil)
	}
	if strings.HasPrefix(call.Name, "execve") {
		return executed(call), -1
	}
	r, e := rawCall(call)
	if reports[call.Name] && e == 0 {
		return "- " + threadStatus(), -1
	}
	unix.Chdir("/") // the thread may end later than this: let go of what it was in
	if j.NoFile != 0 {
		unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil)
	}
	switch {
	case e != 0:
		return story.Errno(e).String(), -1
	case strings.HasPrefix(call.Name, "open") || call.Name == "creat" || call.Name == "fsopen" || call.Name == "fspick" || call.Name == "fsmount":
		return "-", int(r)
	}
	return "-", -1
}

// become takes the ids and capabilities; the raw calls change this thread alone.
func (j job) become(step func(string, error) string) string {
	raw := func(nr uintptr, a ...uintptr) syscall.Errno {
		a = append(a, 0, 0, 0)
		_, _, e := syscall.RawSyscall(nr, a[0], a[1], a[2])
		return e
	}
	unix.Umask(0)
	groups := append(append([]uint32{}, j.Groups...), 0)
	if s := step("setgroups", raw(unix.SYS_SETGROUPS, uintptr(len(j.Groups)), addressOf(&groups[0]))); s != "" {
		return s
	}
	raw(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1)
	saved := [2]uint32{j.UID[1], j.GID[1]}
	if j.More != nil && j.More.Saved != nil {
		saved = *j.More.Saved
	}
	if s := step("setresgid", raw(unix.SYS_SETRESGID, uintptr(j.GID[0]), uintptr(j.GID[1]), uintptr(saved[1]))); s != "" {
		return s
	}
	if s := step("setresuid", raw(unix.SYS_SETRESUID, uintptr(j.UID[0]), uintptr(j.UID[1]), uintptr(saved[0]))); s != "" {
		return s
	}
	if j.More != nil {
		return j.credentials(step)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: uint32(j.Effective), Permitted: uint32(j.Permitted)}, {Effective: uint32(j.Effective >> 32), Permitted: uint32(j.Permitted >> 32)}}
	return step("capset", unix.Capset(&hdr, &data[0]))
}

// child is a process in a user namespace of its own, which performs jobs.
type child struct {
	t       *testing.T
	cmd     *exec.Cmd
	in      *json.Encoder
	out     *json.Decoder
	mountNS string // its mount namespace, where it has one of its own
	userNS  string
	end     func() // ends it
}

// child starts a process in a new user namespace that maps count ids from 0 to outside, and adds the namespace to the world.
func (l *lab) child(outside, count uint32, newMounts bool) *child {
	l.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "STORY_KERNEL_CHILD=serve")
	cmd.Stderr = os.Stderr
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(outside), Size: int(count)}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{}}
	if newMounts {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNS | l.also
	}
	in, err := cmd.StdinPipe()
	l.must(err)
	out, err := cmd.StdoutPipe()
	l.must(err)
	l.must(cmd.Start())
	c := &child{t: l.t, cmd: cmd, in: json.NewEncoder(in), out: json.NewDecoder(out)}
	c.end = sync.OnceFunc(func() {
		in.Close()
		cmd.Wait()
	})
	l.t.Cleanup(c.end)
	proc := fmt.Sprintf("/proc/%d/", cmd.Process.Pid)
	c.userNS = proc + "ns/user"
	if newMounts {
		c.mountNS = proc + "ns/mnt"
	}
	l.children = append(l.children, c)
	m := world.IDMap{{Inside: 0, Outside: outside, Count: count}}
	l.UserNS = append(l.UserNS, world.UserNS{Level: 1, UIDs: m, GIDs: m, Name: fmt.Sprintf("child %d", len(l.children))})
	for i := range l.fds {
		c.do(job{Open: &l.fds[i]})
	}
	return c
}

// ask lets the child do a job and returns what it says.
func (c *child) ask(j job) string {
	c.t.Helper()
	var answer string
	if err := c.in.Encode(j); err != nil {
		c.t.Fatal(err)
	}
	if err := c.out.Decode(&answer); err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// do is ask for what must succeed.
func (c *child) do(j job) {
	c.t.Helper()
	if s := c.ask(j); s != "-" {
		c.t.Fatal(s)
	}
}

// root returns a path as the child's mount namespace has it.
func (c *child) root(p string) string { return fmt.Sprintf("/proc/%d/root%s", c.cmd.Process.Pid, p) }

// serve is the child.
func serve() {
	unix.Umask(0)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var j job
		if err := in.Decode(&j); err != nil {
			return
		}
		var err error
		answer := "-"
		switch {
		case j.Open != nil:
			err = j.Open.open()
		case j.Mount != nil:
			m := j.Mount
			err = unix.Mount(m.Source, m.Target, m.Type, m.Flags, m.Data)
		case j.Umount != "":
			err = unix.Unmount(j.Umount, 0)
		case j.Spawn != nil:
			answer, err = spawn(*j.Spawn)
		case j.PidFD[0] != 0:
			err = openPidfd(j.PidFD)
		case j.Files != "":
			err = makeFiles(j.Dir, j.Files)
		case j.Write[0] != "":
			err = os.WriteFile(j.Write[0], []byte(j.Write[1]), 0)
		case j.Scene != nil:
			answer = j.scene()
		default:
			answer = j.perform()
		}
		if err != nil {
			answer = err.Error()
		}
		out.Encode(answer)
	}
}
