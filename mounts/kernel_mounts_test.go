//go:build linux

package mounts

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/from/live"
	"syscallstory/kernel"
)

// TestKernelWhatIf makes three mount namespaces beside its own, says what a mount would do in each, mounts, and looks.
func TestKernelWhatIf(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it makes mounts: run it as root")
	}
	dir := os.Getenv("STORY_MOUNTS_TEST")
	if dir == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKernelWhatIf$", "-test.v")
		cmd.Env = append(os.Environ(), "STORY_MOUNTS_TEST="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	must(unix.Mount("", dir, "", unix.MS_SHARED, ""))
	must(os.Mkdir(dir+"/x", 0o755))
	pids := []int{os.Getpid()}
	for _, kind := range []string{"shared", "rslave", "rprivate"} {
		cmd := exec.Command("/bin/sh", "-c", "mount --make-"+kind+" "+dir+" && echo ready && read end")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		in, err := cmd.StdinPipe()
		must(err)
		out, err := cmd.StdoutPipe()
		must(err)
		must(cmd.Start())
		t.Cleanup(func() { in.Close(); cmd.Wait() })
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatalf("%q %v", line, err)
		}
		pids = append(pids, cmd.Process.Pid)
	}
	read := func() []live.MountTable {
		tables, skipped, err := live.MountTables(pids)
		must(err)
		if len(skipped) > 0 || len(tables) != len(pids) {
			t.Fatalf("%d tables, skipped %v", len(tables), skipped)
		}
		return tables
	}
	before := read()
	m := New(before, kernel.Release{Major: 6, Minor: 18})
	all, err := m.WhatIf(0, []string{"mount " + dir + "/x", "umount " + dir, "make-private " + dir, "move " + dir + "/x " + dir + "/y"})
	must(err)
	var want []string
	for _, c := range all[0].Changes {
		want = append(want, c.NS+" "+c.Point)
	}
	must(unix.Mount("new", dir+"/x", "tmpfs", 0, ""))
	var got []string
	for i, tab := range read() {
		for _, mnt := range tab.Mounts {
			if !slices.ContainsFunc(before[i].Mounts, func(o live.TableMount) bool { return o.ID == mnt.ID }) {
				got = append(got, m.NSText(i)+" "+mnt.Point)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) || len(got) != 3 {
		t.Errorf("foretold %q, mounted %q", want, got)
	}
	if len(all[0].Not) != 1 || !strings.Contains(all[0].Not[0].What, "private") || all[0].Not[0].NS != m.NSText(3) {
		t.Errorf("who gets nothing: %+v", all[0].Not)
	}
	if all[1].Errno != "EBUSY" || all[2].Errno != "" || all[3].Errno != "" {
		t.Errorf("%+v", all[1:])
	}
	var text strings.Builder
	must(m.Text(&text))
	if n := strings.Count(text.String(), fmt.Sprintf("→ %s in", dir)); n != 4 { // each of two peers sends to the other and to the slave
		t.Errorf("%d receivers in\n%s", n, text.String())
	}
	must(DOT(&text, m.Tree()))
}
