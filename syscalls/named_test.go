package syscalls_test

import (
	"testing"

	"syscallstory/syscalls"
)

// TestNamedRegisters reads constants as strace prints them of calls that have no types here.
func TestNamedRegisters(t *testing.T) {
	for _, c := range []struct {
		call    string
		regs    [4]uint64
		unknown uint8
	}{
		{"socket(AF_VSOCK, SOCK_STREAM, 0)", [4]uint64{40, 1}, 0},
		{"socket(AF_NETLINK, 3, 0)", [4]uint64{16, 3, 0}, 0},
		{"personality(PER_LINUX|0x20000)", [4]uint64{0x20000}, 0x3e},
		{"prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)", [4]uint64{38, 1}, 0},
		{"mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)", [4]uint64{0, 8192, 3, 0x22}, 0},
	} {
		call, err := syscalls.Parse(syscalls.X8664, c.call)
		if err != nil {
			t.Fatal(err)
		}
		regs, unknown := call.Registers()
		for i, want := range c.regs {
			if unknown>>i&1 == 0 && regs[i] != want {
				t.Errorf("%s: register %d is %#x, not %#x", c.call, i, regs[i], want)
			}
		}
		if unknown != c.unknown {
			t.Errorf("%s: registers %#b are not known, not %#b", c.call, unknown, c.unknown)
		}
	}
}

// TestCutOff: of data that is written, strace prints the beginning only.
func TestCutOff(t *testing.T) {
	c, err := syscalls.Parse(syscalls.X8664, `write(1, "bin\nboot\ndev"..., 151)`)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.String(); got != `write(1, "bin\nboot\ndev"..., 151)` || !c.Args[1].Cut {
		t.Errorf("%s %+v", got, c.Args[1])
	}
	if _, err := syscalls.Parse(syscalls.X8664, `open("/x"..., O_RDONLY)`); err == nil {
		t.Error("a path that is cut off is taken")
	}
}
