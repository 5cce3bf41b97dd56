package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// guest is a container that waits for orders.
type guest struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start makes the container of a scene, below a service with a mount namespace of its own where its unit asks for one.
func start(s *scene, dir string) (*guest, error) {
	if s.final == "" {
		if err := unix.Mount("root", dir+"/rootfs", "tmpfs", 0, ""); err != nil {
			return nil, err
		}
	}
	cmd := again("container", s.mode, dir)
	if s.final != "" {
		cmd = again("service", s.final, s.mode, dir)
	}
	cmd.Stdin, cmd.Stdout = nil, nil
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	g := &guest{cmd, in, bufio.NewReader(out)}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if answer, err := g.ask("hello"); err != nil || answer != "hello" {
		g.stop()
		return nil, fmt.Errorf("the container does not come up: %q %v", answer, err)
	}
	if s.final == "" {
		return g, unix.Unmount(dir+"/rootfs", unix.MNT_DETACH)
	}
	return g, nil
}

func (g *guest) ask(what string) (string, error) {
	if _, err := fmt.Fprintln(g.in, what); err != nil {
		return "", err
	}
	line, err := g.out.ReadString('\n')
	line = strings.TrimSpace(line)
	if problem, bad := strings.CutPrefix(line, "error: "); bad {
		return "", fmt.Errorf("in the container: %s", problem)
	}
	return line, err
}

func (g *guest) stop() {
	g.in.Close()
	g.cmd.Wait()
}

var kinds = map[string]uintptr{"private": unix.MS_PRIVATE, "slave": unix.MS_SLAVE, "shared": unix.MS_SHARED}

// service is what systemd's setup_namespace does for a unit that has a mount namespace of its own: everything becomes a slave, then
// what MountFlags= says. Then it is an engine: it mounts the container's root and starts the container, or looks at its own mount of /data.
func service(final, mode, dir string) error {
	for _, kind := range []uintptr{unix.MS_SLAVE, kinds[final]} {
		if err := unix.Mount("", "/", "", unix.MS_REC|kind, ""); err != nil {
			return err
		}
	}
	if mode == "look" {
		fmt.Println(propagation(dir + "/data"))
		return nil
	}
	if err := unix.Mount("root", dir+"/rootfs", "tmpfs", 0, ""); err != nil {
		return err
	}
	return again("container", mode, dir).Run()
}

// container is what runc does: prepareRoot, the volume, pivot_root (docs/propagation.md).
func container(mode, dir string) error {
	root := dir + "/rootfs"
	whole, volume := uintptr(unix.MS_SLAVE), uintptr(unix.MS_PRIVATE)
	switch mode {
	case "HostToContainer":
		volume = unix.MS_SLAVE
	case "Bidirectional":
		whole, volume = unix.MS_SHARED, unix.MS_SHARED
	}
	steps := []struct {
		from, to string
		flags    uintptr
	}{
		{"", "/", unix.MS_REC | whole},
		{"", root, unix.MS_PRIVATE}, // or what is mounted in the container's root would be seen elsewhere
		{root, root, unix.MS_BIND | unix.MS_REC},
		{dir + "/data", root + "/data", unix.MS_BIND | unix.MS_REC},
		{"", root + "/data", unix.MS_REC | volume},
		{"/proc", root + "/proc", unix.MS_BIND | unix.MS_REC},
	}
	for i, s := range steps {
		if i == 3 { // in the container's root, which is what it was bound from
			for _, d := range []string{"/data", "/proc"} {
				if err := os.MkdirAll(root+d, 0o755); err != nil {
					return err
				}
			}
		}
		if err := unix.Mount(s.from, s.to, "", s.flags, ""); err != nil {
			return fmt.Errorf("mount(%q, %q, %#x): %w", s.from, s.to, s.flags, err)
		}
	}
	if err := pivot(root); err != nil {
		return err
	}
	return obey()
}

// pivot stacks the old root on the new one and takes it away.
func pivot(root string) error {
	old, err := os.Open("/")
	if err != nil {
		return err
	}
	defer old.Close()
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := old.Chdir(); err != nil {
		return err
	}
	if err := unix.Mount("", ".", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil { // or the host would lose its mounts too
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Chdir("/")
}

// obey does what it is told until nobody tells it anything any more.
func obey() error {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		word, path, _ := strings.Cut(in.Text(), " ")
		switch word {
		case "hello":
			fmt.Println("hello")
		case "look":
			fmt.Println(map[bool]string{true: "mounted", false: "not mounted"}[isMounted(path)])
		case "mount":
			if err := unix.Mount("inside", path, "tmpfs", 0, ""); err != nil {
				fmt.Println("error:", err)
				continue
			}
			fmt.Println("done")
		}
	}
	return nil
}

// isMounted reports whether a directory is the root of a mount of its own, by the device numbers.
func isMounted(path string) bool {
	var at, up unix.Stat_t
	return unix.Stat(path, &at) == nil && unix.Stat(path+"/..", &up) == nil && at.Dev != up.Dev
}

// propagation returns the optional fields of a mount in /proc/self/mountinfo: shared:N, master:N.
func propagation(point string) string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "error: " + err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 6 && f[4] == point {
			head, _, _ := strings.Cut(strings.Join(f[6:], " "), "-")
			return strings.TrimSpace(head)
		}
	}
	return ""
}
