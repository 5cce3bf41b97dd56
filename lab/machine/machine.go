// Package machine makes virtual machines of Debian's kernels, in which programs run as root with nothing between them and
// the kernel: the lab, in which the model is held against other releases than this machine's own.
//
// A machine boots once to the point where its first process waits for work, and is saved; later ones resume there, in a
// fraction of a second, until kernel, tools, guest, emulator or arguments change. Nothing is installed on this machine and
// no root is needed.
package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"syscallstory/lab/debian"
	"syscallstory/lab/image"
	"syscallstory/lab/qemu"
	"syscallstory/lab/wire"
)

// Spec says which machine. Zero fields take the defaults.
type Spec struct {
	Series   string       // of the kernel: one of Series
	Append   string       // more of the kernel's command line: "lsm=landlock,selinux,bpf selinux=1"
	Files    []image.File // more files of the guest's root, as a policy
	CPUs     int
	MemoryMB int
	Cold     bool      // boot it, and neither use nor leave a saved machine
	Console  io.Writer // gets the console's output too
}

// Patience for a boot; software emulation on a busy machine is slow.
const bootPatience = 8 * time.Minute

// cmdline is what every kernel gets: its console, nothing that is not worth a line, no mitigations of faults that an
// emulated processor does not have, and an end instead of a halt when it panics. The second line is for a computer that has
// more to do: the kernel must not take a timer that comes late for a broken one, an idle watch for a hang, and grace periods
// that wait for many ticks take most of the time of mounts and namespaces. The third leaves out the security modules of
// which only a policy tells what they allow (AppArmor, TOMOYO): a later lsm= in Append has the last word.
const cmdline = "console=ttyS0 quiet panic=-1 mitigations=off rdinit=/init " +
	"no_timer_check tsc=reliable nowatchdog rcupdate.rcu_cpu_stall_suppress=1 rcupdate.rcu_expedited=1 " +
	"lsm=landlock,lockdown,yama,bpf"

func (s *Spec) config(k *kernel, initrd string) *qemu.Config {
	c := &qemu.Config{Kernel: k.image(), Initrd: initrd, Cmdline: strings.TrimSpace(cmdline + " " + s.Append), CPUs: s.CPUs, MemoryMB: s.MemoryMB}
	if c.CPUs == 0 {
		c.CPUs = 1 // each is a thread here, and a guest that waits for one that this machine does not run burns the time of the other
	}
	if c.MemoryMB == 0 {
		c.MemoryMB = 2048
	}
	return c
}

// Machine is a guest that waits for work.
type Machine struct {
	Hello   wire.Hello
	Resumed bool          // it was saved before; else it has booted
	Taken   time.Duration // until it waited
	vm      *qemu.VM
	conn    *wire.Conn
	series  string
}

// Failure is a machine that did not do what it was for, with the end of its console.
type Failure struct {
	Series  string
	What    string
	Console string
	Err     error
}

func (f *Failure) Error() string {
	text := fmt.Sprintf("the machine with Linux %s %s", f.Series, f.What)
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	if f.Console == "" {
		return text + "; its console is empty"
	}
	return text + "; the end of its console:\n    " + strings.ReplaceAll(f.Console, "\n", "\n    ")
}

func (f *Failure) Unwrap() error { return f.Err }

const consoleLines = 25

// Unavailable reports whether an error says that this computer lacks what the lab needs: a program or a package.
func Unavailable(err error) bool {
	var missing *qemu.MissingError
	var unknown *debian.NotFoundError
	return errors.As(err, &missing) || errors.As(err, &unknown) || errors.Is(err, exec.ErrNotFound)
}

// Fetch makes sure that the kernel of the series, the tools and a saved machine are there, and with update asks apt for
// newer packages. It returns the kernel's release.
func (l *Lab) Fetch(ctx context.Context, series string, update bool) (string, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	p, err := l.parts(ctx, &Spec{Series: series}, update)
	if err != nil {
		return "", err
	}
	_, err = l.snapshot(ctx, p)
	return p.kernel.Release, err
}

// Start returns a machine that waits for work. It lives until it is closed or ctx is done.
func (l *Lab) Start(ctx context.Context, spec Spec) (*Machine, error) {
	if !slices.Contains(Series, spec.Series) {
		return nil, fmt.Errorf("no kernel %q: %s exist", spec.Series, strings.Join(Series, " and "))
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	p, err := l.parts(ctx, &spec, false)
	if err != nil {
		return nil, err
	}
	if spec.Cold {
		return l.cold(ctx, p)
	}
	s, err := l.snapshot(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.resume(ctx, p)
}

// wait waits until the guest says that it is ready.
func (m *Machine) wait(ctx context.Context) error {
	late := time.AfterFunc(bootPatience, func() { m.vm.Close() })
	_, err := m.conn.Expect(wire.Ready, &m.Hello)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !late.Stop():
		return m.failure(fmt.Sprintf("was not ready within %s", bootPatience), nil)
	case err != nil:
		return m.failure("did not come up", err)
	}
	late.Stop()
	return nil
}

func (m *Machine) failure(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ended")
	}
	if words := m.vm.Words(); words != "" {
		err = fmt.Errorf("%s says: %s", qemu.Program, words)
	}
	return &Failure{Series: m.series, What: what, Console: m.vm.Console(consoleLines), Err: err}
}

// Close ends the machine.
func (m *Machine) Close() error { return m.vm.Close() }
