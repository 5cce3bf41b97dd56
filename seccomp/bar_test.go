package seccomp_test

import (
	"testing"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// executed counts the instructions that a program runs for a call.
func executed(p seccomp.Program, nr uint32, args [6]uint64) int {
	return len(p.Path(&seccomp.Data{NR: nr, Arch: syscalls.X8664.Audit(), Args: args}))
}

// TestCompilerBar holds the size and the length of the paths of Docker's default filter for x86_64 with its 14 capabilities.
func TestCompilerBar(t *testing.T) {
	caps := world.Caps(kernel.CapChown, kernel.CapDacOverride, kernel.CapFsetid, kernel.CapFowner, kernel.CapMknod, kernel.CapNetRaw, kernel.CapSetgid, kernel.CapSetuid, kernel.CapSetfcap,
		kernel.CapSetpcap, kernel.CapNetBindService, kernel.CapSysChroot, kernel.CapKill, kernel.CapAuditWrite)
	r := dockerDefault(t).Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: caps, Kernel: linux("6.18")})
	r.ABIs = []syscalls.ABI{syscalls.X8664}
	p, err := r.Compile()
	if err != nil {
		t.Fatal(err)
	}
	sum, n, worst := 0, 0, 0
	for _, name := range syscalls.Names(syscalls.X8664) {
		nr, _ := syscalls.Lookup(syscalls.X8664, name)
		sum += executed(p, nr, [6]uint64{})
		n++
		for _, v := range []uint64{0, 1, 2, 3, 8, 16, 40, 41, 0x20000, 0x20008, 0x7e020000, 0xffffffff, 1 << 32, ^uint64(0)} {
			worst = max(worst, executed(p, nr, [6]uint64{v, v, v, v, v, v}))
		}
	}
	mean := float64(sum) / float64(n)
	t.Logf("%d instructions; executed with zero arguments %.2f on average, at most %d with any", len(p), mean, worst)
	if len(p) > 106 || mean > 10.5 || worst > 22 {
		t.Error("at most 106 instructions, 10.5 on average and 22 at worst are wanted")
	}
}
