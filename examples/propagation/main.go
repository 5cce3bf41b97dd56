// Command propagation performs the scenes of docs/propagation.md: a mount that the host makes after a container has started, under
// mountPropagation None, HostToContainer and Bidirectional, the same the other way round, and what a unit file with MountFlags=slave or
// PrivateTmp=yes makes of it. Before each the model says what will happen.
//
//	go run ./examples/propagation
//
// It needs root and changes nothing: the "host" is a mount namespace of its own, in which everything is shared, as on a machine with systemd.
// A service is a process in a copy of it, made by unshare(2) and mount(2) with the flags that systemd uses (no systemd is
// asked); a container is one in a copy of that, made with the mounts that runc makes. TestKernelRuntime in package mounts does the same with runc and crun.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "propagation:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		return outside()
	case args[0] == "host":
		return host(args[1], os.Stdout)
	case args[0] == "service":
		return service(args[1], args[2], args[3])
	case args[0] == "container":
		return container(args[1], args[2])
	}
	return fmt.Errorf("%q: it takes no arguments", args)
}

// again runs this program in a mount namespace that is a copy of its own.
func again(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func outside() error {
	if os.Getuid() != 0 {
		return fmt.Errorf("it makes mounts: run it as root")
	}
	dir, err := os.MkdirTemp("", "propagation")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return again("host", dir).Run()
}

// host performs the scenes one after another and says where model and kernel differ.
func host(dir string, out io.Writer) error {
	if err := becomeHost(dir); err != nil {
		return err
	}
	wrong := 0
	for i := range scenes {
		s := &scenes[i]
		foretold, err := s.foretell(dir + "/data")
		if err != nil {
			return err
		}
		done, err := s.perform(dir, foretold.Refused != "")
		if err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
		fmt.Fprintf(out, "%d. %s\n   foretold: %s\n", i+1, s.title, foretold)
		if foretold.Refused == "" {
			fmt.Fprintf(out, "   done:     %s\n", done)
		} else {
			fmt.Fprintf(out, "   looked:   in the engine's namespace %s\n", done.Refused)
		}
		fmt.Fprintf(out, "   since %s\n\n", s.why)
		if foretold.Refused == "" && done != foretold || foretold.Refused != "" && done.Refused == "" {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("in %d scenes the kernel has done something else than was foretold", wrong)
	}
	return nil
}

// becomeHost makes this mount namespace one like a host's, with /data in it.
func becomeHost(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, d := range []string{"/data", "/rootfs"} {
		if err := os.Mkdir(dir+d, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return err
	}
	if err := unix.Mount("data", dir+"/data", "tmpfs", 0, ""); err != nil { // shared, as what it is mounted on
		return err
	}
	for _, d := range []string{"/data/disk", "/data/inside"} {
		if err := os.Mkdir(dir+d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// perform starts the container, lets the host and then the container mount something, and looks.
func (s *scene) perform(dir string, refused bool) (result, error) {
	if refused { // the engine's check, made where the engine would make it
		cmd := again("service", s.final, "look", dir)
		cmd.Stdout = nil
		out, err := cmd.Output()
		fields := strings.TrimSpace(string(out))
		if err != nil || strings.Contains(fields, "shared:") {
			return result{}, err
		}
		return result{Refused: "the mount has " + fields}, nil
	}
	c, err := start(s, dir)
	if err != nil {
		return result{}, err
	}
	defer c.stop()
	var r result
	if err := unix.Mount("disk", dir+"/data/disk", "tmpfs", 0, ""); err != nil {
		return r, err
	}
	defer unix.Unmount(dir+"/data/disk", unix.MNT_DETACH)
	answer, err := c.ask("look /data/disk")
	if err != nil {
		return r, err
	}
	r.In = answer == "mounted"
	if _, err := c.ask("mount /data/inside"); err != nil {
		return r, err
	}
	defer unix.Unmount(dir+"/data/inside", unix.MNT_DETACH)
	r.Out = isMounted(dir + "/data/inside")
	return r, nil
}
