// Package qemu starts virtual machines under qemu's software emulation, which needs no /dev/kvm, and saves and resumes
// them over its monitor protocol (QMP).
//
// No file and no socket of a machine has a name: console, monitor and the guest's serial port are inherited descriptors,
// and the kernel kills the emulator when the thread that has started it ends. The two files of a saved machine are its
// caller's.
package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"

	"syscallstory/lab/wire"
)

// Program is the emulator.
const Program = "qemu-system-x86_64"

// Config is a machine. Machines resumed from a saved one must have its Config.
type Config struct {
	Kernel   string // the kernel's image
	Initrd   string // its initial ramfs
	Cmdline  string // its command line
	CPUs     int
	MemoryMB int
}

// Memory is the file that holds the guest's memory; the zero Memory is none, and the memory the emulator's own.
type Memory struct {
	Path  string
	Share bool // what the guest writes goes into the file; else each machine keeps it to itself
}

// Descriptors that the emulator inherits behind the standard ones.
const monitorFD, portFD = 3, 4

// args are the emulator's arguments. Incoming machines wait for a state.
func (c *Config) args(mem Memory, incoming bool) []string {
	ram := fmt.Sprintf("memory-backend-ram,id=ram,size=%dM", c.MemoryMB)
	if mem.Path != "" {
		share := map[bool]string{false: "off", true: "on"}[mem.Share]
		ram = fmt.Sprintf("memory-backend-file,id=ram,size=%dM,mem-path=%s,share=%s", c.MemoryMB, escape(mem.Path), share)
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-machine", "q35,memory-backend=ram", "-accel", "tcg", "-cpu", "max",
		"-smp", strconv.Itoa(c.CPUs), "-m", strconv.Itoa(c.MemoryMB),
		"-object", ram,
		"-kernel", c.Kernel, "-initrd", c.Initrd, "-append", c.Cmdline,
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", monitorFD), "-mon", "chardev=monitor,mode=control",
		"-chardev", fmt.Sprintf("socket,id=port,fd=%d", portFD),
		"-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,name=" + wire.PortName,
	}
	if incoming {
		args = append(args, "-incoming", "defer")
	}
	return args
}

// escape doubles commas, which separate a value's fields.
func escape(path string) string {
	var b bytes.Buffer
	for _, c := range []byte(path) {
		if b.WriteByte(c); c == ',' {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Fingerprint is what a saved state depends on beside kernel and initial ramfs: everything about the machine but its paths.
func (c *Config) Fingerprint() string {
	anywhere := Config{Cmdline: c.Cmdline, CPUs: c.CPUs, MemoryMB: c.MemoryMB}
	return fmt.Sprint(anywhere.args(Memory{}, false))
}

// MissingError says that there is no emulator.
type MissingError struct{ Err error }

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed (Debian's package qemu-system-x86)", Program)
}

func (e *MissingError) Unwrap() error { return e.Err }

// Version returns the emulator's version line.
func Version(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, Program, "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", &MissingError{err}
	}
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", Program, err)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return string(line), nil
}
