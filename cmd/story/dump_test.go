package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filtered loads the program of a file for all its threads, says so and waits for the end of its input.
func filtered(file string) {
	prog, err := os.ReadFile(file)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	if err == nil {
		fprog := struct {
			n uint16
			p unsafe.Pointer
		}{uint16(len(prog) / 8), unsafe.Pointer(&prog[0])}
		if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, 1, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog))); e != 0 {
			err = e
		}
	}
	fmt.Println("ready", err)
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// TestKernelDump: the filter of a live process is what was compiled, in every form, and is compared with its profile.
func TestKernelDump(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("reading a process's filters needs root")
	}
	story := func(code int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(args, strings.NewReader(""), &out, &errs); got != code {
			t.Fatalf("story %s ends with %d, not %d: %s", strings.Join(args, " "), got, code, errs.String())
		}
		return out.String()
	}
	raw := story(0, "seccomp", "compile", "docker", "-o", "raw")
	file := t.TempDir() + "/docker.bpf"
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe)
	child.Env = append(os.Environ(), "STORY_FILTERED="+file)
	in, _ := child.StdinPipe()
	out, _ := child.StdoutPipe()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); child.Wait() }()
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready <nil>\n" {
		t.Fatal(line)
	}
	pid := fmt.Sprint(child.Process.Pid)
	if got := story(0, "seccomp", "dump", "--pid", pid, "-o", "raw"); got != raw {
		t.Error("the live program is not the one that was loaded")
	}
	if got, want := story(0, "seccomp", "dump", "--pid", pid), "; process "+pid+", filter 0 of 1, "; !strings.HasPrefix(got, want) || !strings.Contains(got, " instructions, no_new_privs\n") {
		t.Errorf("%.100s, want %s", got, want)
	}
	if got := story(0, "seccomp", "dump", "--pid", pid, "-o", "json"); !strings.HasPrefix(got, `{"pid":`+pid+`,"noNewPrivs":true,"otherThreads":[],"filters":[{"index":0,"log":false,"program":[{"code":32,`) {
		t.Errorf("JSON: %.200s", got)
	}
	if got := story(0, "seccomp", "diff", "pid:"+pid, "docker"); !strings.Contains(got, "answer every call alike") {
		t.Errorf("the live filter differs from its profile: %s", got)
	}
	if got := story(0, "seccomp", "eval", "pid:"+pid, "add_key(0, 0, 0, 0, 0)"); !strings.Contains(got, "ERRNO(1)   filter 0, instruction") {
		t.Error(got)
	}
	story(2, "seccomp", "dump", "--pid", pid, "--filter", "1")
	story(2, "seccomp", "dump", "--pid", "999999999")
}
