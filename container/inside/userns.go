package inside

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// outer makes the filesystems of a container that has a user namespace of its own, and starts the process that goes on in it.
func (f *first) outer(spec *os.File, report int) (int, error) {
	hold, err := f.holder()
	if err != nil {
		return 0, err
	}
	defer hold()
	if err := f.filesystems(); err != nil {
		return 0, err
	}
	if err := f.root(); err != nil {
		return 0, err
	}
	done := map[int]bool{}
	for _, m := range f.spec.Mounts {
		if !m.IDMapped || m.Tree < 0 || done[m.Tree] {
			continue
		}
		done[m.Tree] = true
		n := strconv.Itoa(m.Tree)
		if err := f.idmapped(f.path("tree"+n), f.path("mapped"+n)); err != nil {
			return 0, err
		}
	}
	f.do("start the container's own root")
	cmd := f.self(innerStep)
	cmd.ExtraFiles = []*os.File{spec, os.NewFile(uintptr(report), "report")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
			return 128 + int(ws.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// self is this program once more, in a new user namespace with the container's id maps. It ends with this process.
func (f *first) self(step string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{os.Args[0], step}
	cmd.Env = os.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: unix.SIGKILL, GidMappingsEnableSetgroups: true, Credential: &syscall.Credential{}}
	for _, m := range f.spec.UIDs {
		cmd.SysProcAttr.UidMappings = append(cmd.SysProcAttr.UidMappings, syscall.SysProcIDMap{ContainerID: m.Inside, HostID: m.Outside, Size: m.Count})
	}
	for _, m := range f.spec.GIDs {
		cmd.SysProcAttr.GidMappings = append(cmd.SysProcAttr.GidMappings, syscall.SysProcIDMap{ContainerID: m.Inside, HostID: m.Outside, Size: m.Count})
	}
	return cmd
}

// holder opens a user namespace with the container's maps, for mounts that are mapped with it.
func (f *first) holder() (func(), error) {
	f.do("make a user namespace for mapped mounts")
	cmd := f.self(Hold)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f.userNS, err = unix.Open(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	in.Close()
	cmd.Wait()
	if err != nil {
		return nil, err
	}
	return func() { unix.Close(f.userNS) }, nil
}

// idmapped mounts a directory once more at a place of its own, with the container's id map.
func (f *first) idmapped(source, target string) error {
	f.do("mount " + source + " with the user namespace's id map")
	if err := unix.Mkdir(target, 0o755); err != nil {
		return err
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open_tree: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(f.userNS)}); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}

// adopt makes the root, which was mounted outside of the user namespace, one that this process may change the root to.
func (f *first) adopt() error {
	f.do("take over the container's root")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	unix.Umask(0)
	return unix.Mount(f.path("root"), f.path("root"), "", unix.MS_BIND|unix.MS_REC, "")
}

// waitForMaps waits until somebody with the right has written the user namespace's maps, and becomes its root.
func waitForMaps() error {
	gate := os.NewFile(5, "maps")
	io.Copy(io.Discard, gate)
	gate.Close()
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := syscall.Setresgid(0, 0, 0); err != nil {
		return fmt.Errorf("setresgid: %w", err)
	}
	if err := syscall.Setresuid(0, 0, 0); err != nil {
		return fmt.Errorf("setresuid: %w", err)
	}
	return nil
}
