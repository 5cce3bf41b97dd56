package node

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"syscallstory/kernel"
)

// Local reads the facts of this machine. Engine and kubelet are not among them: which one starts a Pod is not to be seen
// from the kernel.
func Local() (*Node, error) {
	n := &Node{local: map[string]string{}, Sysctls: map[string]Setting{}, Features: map[string]bool{}}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	n.Kernel.Release, n.Kernel.Version, n.Kernel.Arch = unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Version[:]), unix.ByteSliceToString(uts.Machine[:])
	if _, err := kernel.ParseRelease(n.Kernel.Release); err != nil {
		return nil, err
	}
	n.local["kernel.release"] = "uname"
	if text, err := os.ReadFile("/sys/kernel/security/lsm"); err == nil {
		n.LSM.Active = strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == '\n' })
		n.local["lsm.active"] = "/sys/kernel/security/lsm"
	} else if names, ok := listModules(); ok {
		n.LSM.Active = names
		n.local["lsm.active"] = "lsm_list_modules"
	}
	if text, err := os.ReadFile("/sys/kernel/security/lockdown"); err == nil {
		for _, mode := range strings.Fields(string(text)) {
			if m, on := strings.CutPrefix(mode, "["); on {
				n.LSM.Lockdown, n.local["lsm.lockdown"] = strings.TrimSuffix(m, "]"), "/sys/kernel/security/lockdown"
			}
		}
	}
	if text, err := os.ReadFile("/sys/kernel/security/evm"); err == nil {
		key := strings.TrimSpace(string(text)) != "0"
		n.LSM.EVMKey, n.local["lsm.evmKey"] = &key, "/sys/kernel/security/evm"
	}
	if names, ok := lsmPrograms(); ok {
		n.LSM.BPFPrograms = names
		n.local["lsm.bpfPrograms"] = "BPF_PROG_GET_NEXT_ID"
	}
	if text, err := os.ReadFile("/proc/filesystems"); err == nil {
		n.Filesystems = []string{}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 0 {
				n.Filesystems = append(n.Filesystems, f[len(f)-1])
			}
		}
		n.local["filesystems"] = "/proc/filesystems"
	}
	if n.Binfmts = binfmts(); n.Binfmts != nil {
		n.local["binfmtMisc"] = "/proc/sys/fs/binfmt_misc"
	}
	for s := range kernel.NumSysctls {
		file := s.File()
		if text, err := os.ReadFile(file); err == nil {
			if v, err := s.ParseValue(string(text)); err == nil {
				n.Sysctls[s.String()] = Setting(v)
				n.local["sysctls["+quote(s.String())+"]"] = file
			}
		} else if s.Optional() && os.IsNotExist(err) {
			n.Sysctls[s.String()] = kernel.NotThere
			n.local["sysctls["+quote(s.String())+"]"] = file + ", which is not there"
		}
	}
	n.configuration()
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("/proc/self/mountinfo: %w", err)
	}
	for _, m := range mounts {
		prop := "private"
		switch {
		case strings.Contains(m.Optional, "shared:"):
			prop = "shared"
		case strings.Contains(m.Optional, "master:"):
			prop = "slave"
		case strings.Contains(m.Optional, "unbindable"):
			prop = "unbindable"
		}
		n.Mounts = append(n.Mounts, Mount{Point: m.Mountpoint, Type: m.FSType, Options: strings.Split(m.Options, ","), Propagation: prop, Source: m.Source})
	}
	n.local["mounts"] = "/proc/self/mountinfo"
	return n, nil
}

// binfmts reports whether binfmt_misc has handlers; nil where it is there, but not mounted.
func binfmts() *bool {
	const dir = "/proc/sys/fs/binfmt_misc"
	any := false
	list, err := os.ReadDir(dir)
	switch {
	case os.IsNotExist(err):
		return &any // the kernel has none
	case err != nil || len(list) == 0:
		return nil
	}
	for _, f := range list {
		any = any || f.Name() != "register" && f.Name() != "status"
	}
	if text, err := os.ReadFile(dir + "/status"); err == nil && strings.TrimSpace(string(text)) == "disabled" {
		any = false
	}
	return &any
}

// moduleNames are the ids of linux/lsm.h.
var moduleNames = map[uint64]string{100: "capability", 101: "selinux", 102: "smack", 103: "tomoyo", 104: "apparmor", 105: "yama", 106: "loadpin", 107: "safesetid", 108: "lockdown", 109: "bpf",
	110: "landlock", 111: "ima", 112: "evm", 113: "ipe"}

// listModules asks the kernel itself, which needs no securityfs (since Linux 6.8).
func listModules() ([]string, bool) {
	var ids [64]uint64
	size := uint32(unsafe.Sizeof(ids))
	count, _, e := unix.Syscall(unix.SYS_LSM_LIST_MODULES, uintptr(unsafe.Pointer(&ids[0])), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 || int(count) > len(ids) {
		return nil, false
	}
	var names []string
	for _, id := range ids[:count] {
		name, ok := moduleNames[id]
		if !ok {
			name = fmt.Sprintf("lsm%d", id)
		}
		names = append(names, name)
	}
	return names, true
}
