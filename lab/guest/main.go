//go:build linux

// Command guest is the first process of a guest of the lab. It loads the kernel's modules, moves onto a root of its own,
// mounts what a machine has mounted, and then runs the programs that the lab asks for over a virtio serial port.
//
// It is linked statically and is the only program that the guest needs. Everything that it has to say before the port is
// there goes to the console.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"syscallstory/lab/wire"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest is the first process of a virtual machine; nothing else may start it")
		os.Exit(2)
	}
	err := live()
	fmt.Println("lab: the guest ends:", err)
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// live boots and serves; it returns only if that goes wrong.
func live() error {
	g := &guest{}
	if err := g.mountEarly(); err != nil {
		return err
	}
	if err := g.loadModules("/lab/modules"); err != nil {
		return err
	}
	if err := moveRoot(); err != nil {
		return err
	}
	g.mountRest()
	g.miss("the SELinux policy", loadPolicy("/etc/selinux/policy"))
	g.settle()
	port, err := openPort(wire.PortName)
	if err != nil {
		return err
	}
	return g.serve(wire.NewConn(port))
}

// guest is what has been found out while it came up.
type guest struct {
	modules []string
	absent  []string // what could not be had, with the reason
}

// miss notes something that runs can do without.
func (g *guest) miss(what string, err error) {
	if err != nil {
		g.absent = append(g.absent, fmt.Sprintf("%s: %v", what, err))
		fmt.Printf("lab: %s: %v\n", what, err)
	}
}
