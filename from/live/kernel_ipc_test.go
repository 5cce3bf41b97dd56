//go:build linux

package live

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// ipcObjects are made by the first process of an IPC namespace; each kind's numbers count from 0.
var ipcObjects = []string{
	"shmget(0x10, 8192, IPC_CREAT|0640)", "shmget(0x11, 4096, IPC_CREAT|0666)", "shmget(IPC_PRIVATE, 4096, IPC_CREAT|0)", "shmget(0x13, 4096, IPC_CREAT|0600)", "shmctl(3, IPC_RMID, NULL)",
	"msgget(0x20, IPC_CREAT|0600)", "msgget(0x21, IPC_CREAT|0666)", `msgsnd(1, {mtype=1, mtext="x"}, 1, 0)`,
	"semget(0x30, 3, IPC_CREAT|0600)", "semget(0x31, 1, IPC_CREAT|0644)", "semctl(0, 1, SETVAL, 5)",
}

var ipcAsked = []string{
	"shmget(0x10, 8192, 0)", "shmget(0x10, 8193, 0)", "shmget(0x10, 0, 0600)", "shmget(0x10, 0, 0004)", "shmget(0x10, 4096, IPC_CREAT|IPC_EXCL|0600)", "shmget(0x12, 4096, 0)", "shmget(0x11, 100, 0666)", "shmget(0x13, 1, 0)",
	"shmat(0, NULL, 0)", "shmat(0, NULL, SHM_RDONLY)", "shmat(1, NULL, 0)", "shmat(2, NULL, SHM_RDONLY)", "shmat(3, NULL, 0)", "shmat(77, NULL, 0)", "shmat(0, 0x1001, 0)",
	"shmctl(0, IPC_STAT, 0x1)", "shmctl(1, IPC_STAT, NULL)", "shmctl(77, IPC_RMID, NULL)",
	"msgget(0x20, 0)", "msgget(0x20, 0600)", "msgget(0x21, 0006)", "msgget(0x22, 0)", "msgget(0x21, IPC_CREAT|IPC_EXCL)", `msgsnd(0, {mtype=1, mtext="x"}, 1, IPC_NOWAIT)`, `msgsnd(0, {mtype=0, mtext="x"}, 1, 0)`, `msgsnd(9, {mtype=1, mtext="x"}, 1, 0)`,
	"msgrcv(0, 0x1, 0, 0, IPC_NOWAIT|MSG_NOERROR)", "msgrcv(1, 0x1, 0, 0, MSG_NOERROR)", "msgrcv(9, 0x1, 0, 0, 0)", "msgctl(0, IPC_RMID, NULL)", "msgctl(7, IPC_STAT, NULL)",
	"semget(0x30, 3, 0)", "semget(0x30, 4, 0)", "semget(0x31, 0, 0044)", "semget(0x32, 0, 0)", "semop(0, [{sem_num=1, sem_op=-5, sem_flg=IPC_NOWAIT}], 1)", "semop(0, [{sem_num=0, sem_op=-1, sem_flg=IPC_NOWAIT}], 1)", "semop(0, [{sem_num=3, sem_op=1, sem_flg=0}], 1)", "semop(1, [{sem_num=0, sem_op=1, sem_flg=0}], 1)", "semop(1, [{sem_num=0, sem_op=0, sem_flg=IPC_NOWAIT}], 1)",
	"semop(5, [{sem_num=0, sem_op=1, sem_flg=0}], 1)", "semctl(0, 0, GETVAL)", "semctl(1, 0, GETVAL)", "semctl(1, 1, GETVAL)", "semctl(1, 0, SETVAL, 1)", "semctl(0, 0, IPC_RMID)", "shmctl(1, IPC_RMID, NULL)", "msgctl(1, IPC_RMID, NULL)",
}

// TestKernelLiveIPC: objects of System V that were there before anybody has read the process.
func TestKernelLiveIPC(t *testing.T) {
	tree(t)
	owned := func() *syscall.SysProcAttr {
		a := maps(t)
		a.Cloneflags |= syscall.CLONE_NEWIPC
		return a
	}
	plain := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWIPC}
	for name, c := range map[string]struct {
		attr *syscall.SysProcAttr
		set  []string
	}{
		"root":                        {plain, nil},
		"user":                        {plain, []string{"setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)"}},
		"group":                       {plain, []string{"setresuid(1000, 1000, 1000)"}},
		"without capabilities":        {plain, []string{"caps 0"}},
		"root of a user namespace":    {owned(), nil},
		"user of a user namespace":    {owned(), []string{"setresgid(7, 7, 7)", "setresuid(7, 7, 7)"}},
		"user with the IPC_OWNER bit": {plain, []string{"keepcaps", "setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)", "caps 8000"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.attr).set(ipcObjects...).set(c.set...)
			s.open = []string{"securebits"}
			s.compare(ipcAsked)
		})
	}
}

// TestLiveNamespaced: settings of network and IPC namespaces are those of the process's, in a snapshot too.
func TestLiveNamespaced(t *testing.T) {
	tree(t)
	s := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET}).set("shmget(0x10, 8192, IPC_CREAT|0600)")
	done := make(chan error, 1)
	apart(func() {
		for _, name := range []string{"net", "ipc"} {
			fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/%s", s.pid, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err == nil {
				err = unix.Setns(fd, 0)
			}
			if err != nil {
				done <- err
				return
			}
		}
		err := os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("77"), 0)
		if err == nil {
			err = os.WriteFile("/proc/sys/kernel/msgmax", []byte("99"), 0)
		}
		done <- err
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := s.predict("shmat(0, NULL, 0)"); got != "-" {
		t.Error(got)
	}
	var text bytes.Buffer
	if err := s.read.WriteSnapshot(&text); err != nil {
		t.Fatal(err)
	}
	w, err := world.ReadSnapshot(&text)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*world.World{s.read, w} {
		if port, most := w.Sysctl(kernel.IPUnprivilegedPortStart), w.Sysctl(kernel.MsgMax); port.V != 77 || most.V != 99 || !port.Known() || !most.Known() {
			t.Errorf("%+v, %+v", port, most)
		}
	}
	j, err := explain.Bind(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := syscalls.Parse(syscalls.X8664, "shmget(0x10, 8192, IPC_CREAT|IPC_EXCL|0600)")
	if st := j.Story(c); st.Errno == nil || *st.Errno != "EEXIST" {
		t.Errorf("%+v", st)
	}
}

// TestIPCLine reads what /proc/sysvipc shows.
func TestIPCLine(t *testing.T) {
	for line, want := range map[string]string{
		"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime": "",
		"        16          0   640                  8192   900   901      0     1     2     3     4          0": "{0 16 0 640 8192 0 0} 1 2 3 4",
		"        -1          7  1600                  8192   900   901      0     0     0     0     0          0": "{0 -1 7 600 8192 0 0} 0 0 0 0",
		"        16          0   640                  8192   900":                                                 "error",
		"        16          0   9x0                  8192   900   901      0     1     2     3     4          0": "error",
	} {
		o, ok, err := ipcLine(world.IPCShm, strings.Fields(line))
		got := fmt.Sprintf("{%d %d %d %o %d %d %d} %d %d %d %d", o.o.Kind, o.o.Key, o.o.ID, o.o.Mode, o.o.Size, o.o.Used, o.o.Messages, o.uid, o.gid, o.cuid, o.cgid)
		switch {
		case err != nil:
			got = "error"
		case !ok:
			got = ""
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
