package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// VM is a running machine.
type VM struct {
	Port    net.Conn // the guest's serial port
	monitor *monitor
	process *os.Process
	console tail
	words   tail // the emulator's own
	ended   chan struct{}
	err     error // how the emulator ended, behind ended
	closing sync.Once
}

// Start starts a machine from its kernel. The console is also written to console, where that is not nil. When ctx is
// done the machine is.
func Start(ctx context.Context, c *Config, mem Memory, console io.Writer) (*VM, error) {
	return launch(ctx, c.args(mem, false), console)
}

// launch starts the emulator and connects to its monitor.
func launch(ctx context.Context, args []string, console io.Writer) (*VM, error) {
	monitorOurs, monitorTheirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer monitorTheirs.Close()
	portOurs, portTheirs, err := socketPair()
	if err != nil {
		monitorOurs.Close()
		return nil, err
	}
	defer portTheirs.Close()

	vm := &VM{Port: portOurs, ended: make(chan struct{})}
	vm.console.also = console
	cmd := exec.CommandContext(ctx, Program, args...)
	cmd.Stdout, cmd.Stderr = &vm.console, &vm.words
	cmd.ExtraFiles = []*os.File{monitorTheirs, portTheirs} // become monitorFD and portFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := vm.supervise(cmd); err != nil {
		monitorOurs.Close()
		portOurs.Close()
		if errors.Is(err, exec.ErrNotFound) {
			err = &MissingError{err}
		}
		return nil, err
	}
	if vm.monitor, err = connect(monitorOurs); err != nil {
		err = vm.explain(fmt.Errorf("the emulator's monitor does not answer: %w", err))
		monitorOurs.Close()
		vm.Close()
		return nil, err
	}
	return vm, nil
}

// supervise starts the emulator and waits for it, both on one thread that does nothing else: the emulator is killed when
// the thread that has made it ends, which Go's threads may do at any time.
func (vm *VM) supervise(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		if err == nil {
			vm.process = cmd.Process
		}
		started <- err
		if err == nil {
			vm.err = cmd.Wait()
			close(vm.ended)
		}
	}()
	return <-started
}

// socketPair returns a connection, and the file to hand to another process that is its other end.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	ours := os.NewFile(uintptr(fds[0]), "socket")
	defer ours.Close()
	theirs := os.NewFile(uintptr(fds[1]), "socket")
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

// Ended is closed when the emulator has ended, also because the guest has switched itself off or its kernel panicked.
func (vm *VM) Ended() <-chan struct{} { return vm.ended }

// Console returns the last lines of the guest's console.
func (vm *VM) Console(lines int) string { return vm.console.lines(lines) }

// explain adds to an error what the emulator has said, where it has said something.
func (vm *VM) explain(err error) error {
	if words := vm.words.lines(5); words != "" {
		return fmt.Errorf("%w; %s says: %s", err, Program, strings.ReplaceAll(words, "\n", "; "))
	}
	return err
}

// Words is what the emulator itself has said.
func (vm *VM) Words() string { return vm.words.lines(5) }

// Close kills the machine and waits until it is gone.
func (vm *VM) Close() error {
	vm.closing.Do(func() {
		vm.process.Kill()
		<-vm.ended
		vm.Port.Close()
		if vm.monitor != nil {
			vm.monitor.conn.Close()
		}
	})
	return nil
}
