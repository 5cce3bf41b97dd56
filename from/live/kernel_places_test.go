//go:build linux

package live

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"syscallstory/explain"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// TestKernelLivePlaces: links of /proc into other processes, in mount namespaces, roots and user namespaces of their own.
func TestKernelLivePlaces(t *testing.T) {
	type target struct {
		name string
		attr *syscall.SysProcAttr
		set  []string
	}
	for _, at := range []target{
		{"beside", nil, []string{`chdir("DIR/d")`, `keep DIR/d/root`, `keep DIR/closed`}},
		{"beside as an ordinary user", nil, []string{`chdir("DIR/d")`, `keep DIR/d/secret`, "setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)", "prctl(PR_SET_DUMPABLE, 1)"}},
		{"in a chroot", nil, []string{`keep DIR/d/root`, `chroot("DIR")`, `chdir("/d")`}},
		{"in a mount namespace", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, []string{`mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)`, `mount("tmpfs", "DIR/m", "tmpfs", 0, "mode=755")`, `mkdir("DIR/m/d", 0755)`, `mount("DIR/d", "DIR/m/d", NULL, MS_BIND, NULL)`,
			`mount(NULL, "DIR/m/d", NULL, MS_BIND|MS_REMOUNT|MS_RDONLY, NULL)`, `chroot("DIR/m")`, `chdir("/d")`, `keep /d/own`}},
		{"in a user namespace", maps(t), []string{`mount("tmpfs", "DIR/m", "tmpfs", 0, NULL)`, `mkdir("DIR/m/d", 0700)`, `chdir("DIR/m/d")`, `keep DIR/d/root`}},
	} {
		for _, who := range []string{"root", "user", "other"} {
			t.Run(at.name+" by "+who, func(t *testing.T) {
				dir := tree(t)
				a := newServer(t, at.attr)
				for _, l := range at.set {
					a.set(strings.ReplaceAll(l, "DIR", dir))
				}
				b := newServer(t, nil)
				b.whole = true
				switch who {
				case "user":
					b.set("groups 50", "setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)")
				case "other":
					b.set("setresgid(7, 7, 7)", "setresuid(7, 7, 7)")
				}
				var calls []string
				for _, c := range []string{
					`readlink("P/exe", 0x1, 100)`, `readlink("P/root", 0x1, 100)`, `readlink("P/cwd", 0x1, 100)`, `readlink("P/fd/3", 0x1, 100)`, `stat("P/root", 0x1)`, `stat("P/cwd/own", 0x1)`, `stat("P/exe", 0x1)`,
					`open("P/root", O_RDONLY)`, `open("P/root/etc/passwd", O_RDONLY)`, `open("P/root/etc/passwd", O_WRONLY)`, `open("P/root/etc/shadow", O_RDONLY)`, `open("P/root/nowhere/x", O_RDONLY)`, `open("P/root/DIR/d/own", O_RDWR)`,
					`open("P/root/d/own", O_RDONLY)`, `open("P/root/d/own", O_WRONLY)`, `open("P/root/DIR/m/d", O_RDONLY)`, `open("P/root/DIR/closed/in", O_RDONLY)`, `open("P/root/../etc", O_RDONLY)`,
					`open("P/cwd/own", O_RDONLY)`, `open("P/cwd/own", O_WRONLY)`, `open("P/cwd/secret", O_RDONLY)`, `open("P/cwd/../d/group", O_RDONLY)`, `open("P/cwd/root", O_WRONLY)`, `open("P/cwd/prog", O_RDONLY)`, `access("P/cwd/prog", X_OK)`,
					`open("P/exe", O_RDONLY)`, `open("P/exe", O_WRONLY)`, `open("P/fd/3", O_RDONLY)`, `open("P/fd/99", O_RDONLY)`, `open("P/task/PID/root/etc/passwd", O_RDONLY)`, `open("P/task/PID/cwd/own", O_RDONLY)`,
					`unlink("P/cwd/own2")`, `mkdir("P/root/DIR/open/x", 0700)`, `rmdir("P/root/DIR/open/x")`, `open("P/root/proc/self/status", O_RDONLY)`, `open("P/map_files", O_RDONLY)`, `chdir("P/cwd")`, `open("own", O_RDONLY)`,
				} {
					calls = append(calls, strings.NewReplacer("P/", fmt.Sprintf("/proc/%d/", a.pid), "PID", fmt.Sprint(a.pid), "/DIR", dir).Replace(c))
				}
				for n := 4; n < 12; n++ { // which descriptors the kept files have the runtime decides
					calls = append(calls, fmt.Sprintf(`open("/proc/%d/fd/%d", O_RDONLY)`, a.pid, n))
				}
				b.open = []string{"it is \"", "map_files"}
				b.compare(calls)
			})
		}
	}
}

// TestKernelLiveKernelThread: a thread of the kernel executes no program.
func TestKernelLiveKernelThread(t *testing.T) {
	if !kernelThread("/proc/2") {
		t.Skip("process 2 is no thread of the kernel here")
	}
	tree(t)
	for _, id := range []string{"0", "1000"} {
		b := newServer(t, nil)
		if b.whole = true; id != "0" {
			b.set("setresgid(1000, 1000, 1000)", "setresuid(1000, 1000, 1000)")
		}
		b.compare([]string{`readlink("/proc/2/exe", 0x1, 100)`, `open("/proc/2/exe", O_RDONLY)`, `readlink("/proc/2/root", 0x1, 100)`, `open("/proc/2/root/etc/passwd", O_RDONLY)`, `open("/proc/2/cwd", O_RDONLY)`, `open("/proc/2/fd/0", O_RDONLY)`})
	}
}

// TestLivePlacesSnapshot: where a link has led is in a snapshot, too.
func TestLivePlacesSnapshot(t *testing.T) {
	dir := tree(t)
	a := newServer(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}).set(fmt.Sprintf("chroot(%q)", dir), `chdir("/closed")`)
	b := newServer(t, nil)
	b.whole = true
	for _, call := range []string{fmt.Sprintf(`open("/proc/%d/root/d/own", O_RDONLY)`, a.pid), fmt.Sprintf(`open("/proc/%d/cwd/none", O_RDONLY)`, a.pid), fmt.Sprintf(`readlink("/proc/%d/exe", 0x1, 9)`, a.pid)} {
		b.judge = nil
		want := b.predict(call)
		var text bytes.Buffer
		if err := b.read.WriteSnapshot(&text); err != nil {
			t.Fatal(err)
		}
		w, err := world.ReadSnapshot(&text)
		if err != nil {
			t.Fatal(err)
		}
		j, err := explain.Bind(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := syscalls.Parse(syscalls.X8664, call)
		st, got := j.Story(c), "-"
		if st.Errno != nil {
			got = *st.Errno
		}
		if st.Verdict == "undetermined" || got != want {
			t.Errorf("%s: %s %s from the snapshot, %s of the process", call, st.Verdict, got, want)
		}
	}
}
