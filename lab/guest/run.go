//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"syscallstory/lab/wire"
)

// guestEnv is what every program gets.
var guestEnv = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root", "LANG=C.UTF-8", "TERM=dumb"}

// workDir is where programs start.
const workDir = "/root"

// run runs the program to its end, passes its input and output on, and leaves no other process behind.
func run(c *wire.Conn, req *wire.Request, stdin *os.File) wire.Exit {
	began := uptime()
	path, err := findProgram(req.Args)
	if err != nil {
		return wire.Exit{Code: 127, Error: err.Error()}
	}
	var output sync.WaitGroup
	stdout, err := collect(c.Writer(wire.Stdout), &output)
	if err != nil {
		return wire.Exit{Code: 125, Error: err.Error()}
	}
	stderr, err := collect(c.Writer(wire.Stderr), &output)
	if err != nil {
		stdout.Close()
		return wire.Exit{Code: 125, Error: err.Error()}
	}
	pid, err := start(path, req, []*os.File{stdin, stdout, stderr})
	for _, f := range []*os.File{stdin, stdout, stderr} {
		f.Close()
	}
	if err != nil {
		return wire.Exit{Code: 126, Error: err.Error()}
	}
	status, err := waitFor(pid)
	unix.Kill(-1, unix.SIGKILL) // whoever still holds the pipes: the output ends with the program
	output.Wait()
	reap()
	exit := wire.Exit{Code: status.ExitStatus(), Taken: uptime() - began}
	switch {
	case err != nil:
		exit.Code, exit.Error = 125, err.Error()
	case status.Signaled():
		exit.Signal = int(status.Signal())
		exit.Code = 128 + exit.Signal
	}
	return exit
}

// collect returns the end of a pipe to write into, and passes on what arrives until the last one who holds it is gone.
func collect(to io.Writer, done *sync.WaitGroup) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	done.Go(func() {
		defer r.Close()
		io.Copy(to, r)
	})
	return w, nil
}

// findProgram looks for a name without a slash in PATH.
func findProgram(args []string) (string, error) {
	if len(args) == 0 {
		return "", errors.New("no program was given")
	}
	if strings.Contains(args[0], "/") {
		return args[0], nil
	}
	path, _ := strings.CutPrefix(guestEnv[0], "PATH=")
	for _, dir := range filepath.SplitList(path) {
		p := filepath.Join(dir, args[0])
		if unix.Access(p, unix.X_OK) == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("the guest has no program %q", args[0])
}

// start starts the program. The context of its exec belongs to a thread, so thread and fork must be one.
func start(path string, req *wire.Request, files []*os.File) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if req.Label != "" {
		const attr = "/proc/thread-self/attr/exec"
		if err := os.WriteFile(attr, []byte(req.Label), 0); err != nil {
			return 0, fmt.Errorf("the label %q cannot be given: %w", req.Label, err)
		}
		defer os.WriteFile(attr, nil, 0)
	}
	attr := &syscall.ProcAttr{Dir: workDir, Env: append(guestEnv[:len(guestEnv):len(guestEnv)], req.Env...), Sys: &syscall.SysProcAttr{Setsid: true}}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	pid, err := syscall.ForkExec(path, req.Args, attr)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pid, nil
}

// waitFor waits for one child. As the first process this one inherits every orphan, and waits for those too.
func waitFor(pid int) (syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("waiting for process %d: %w", pid, err)
		case got == pid:
			return status, nil
		}
	}
}

// reap waits for everything else that has been killed.
func reap() {
	for {
		if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}
