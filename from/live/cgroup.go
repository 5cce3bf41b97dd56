//go:build linux

package live

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"syscallstory/from/edits"
	"syscallstory/world"
)

// deviceFact is what is known of a process's devices cgroup.
type deviceFact struct {
	rules []world.DeviceRule
	all   bool
	from  string
	err   error // why it is not known
	need  string
}

// manager tells from the process's cgroup who has started it.
func (p *Process) manager() world.Manager {
	text, err := readAt(p.dir, "cgroup", 1<<16)
	if err != nil {
		return world.Manager{}
	}
	for line := range bytes.Lines(text) {
		if f := strings.SplitN(strings.TrimSpace(string(line)), ":", 3); len(f) == 3 {
			if m := edits.ManagerOf(f[2]); m.Name != "" {
				return m
			}
		}
	}
	return world.Manager{}
}

// readDevices reads the devices controller: the list of cgroup v1, and the programs of cgroup v2. Both may count at once.
func readDevices(base string) *deviceFact {
	text, err := os.ReadFile(base + "/cgroup")
	if err != nil {
		return &deviceFact{err: err}
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return &deviceFact{err: err}
	}
	mounts, err := parseMountinfo(table)
	if err != nil {
		return &deviceFact{err: err}
	}
	d := &deviceFact{all: true, from: base + "/cgroup"}
	for line := range bytes.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(f) != 3 {
			continue
		}
		v2 := f[0] == "0" && f[1] == ""
		if !v2 && !hasWord(f[1], "devices") {
			continue
		}
		dir, ok := cgroupDir(mounts, v2, f[2])
		if !ok && v2 && !anyMount(mounts, "cgroup2") && hasDevicesV1(text) {
			continue // cgroup v2 is not mounted anywhere here: nobody has attached a program through it
		}
		if !ok {
			return &deviceFact{err: fmt.Errorf("cgroup %s of hierarchy %s is mounted nowhere here", f[2], f[0])}
		}
		if v2 {
			n, err := devicePrograms(dir)
			if err != nil {
				return &deviceFact{err: err, need: "run as root to read them"}
			}
			if n > 0 {
				return &deviceFact{err: fmt.Errorf("%d BPF programs decide on devices in %s", n, dir)}
			}
			continue
		}
		list, err := os.ReadFile(dir + "/devices.list")
		if err != nil {
			return &deviceFact{err: err, need: "run as root to read it"}
		}
		if d.rules, d.all, err = parseDevices(list); err != nil {
			return &deviceFact{err: err}
		}
		d.from = dir + "/devices.list"
	}
	return d
}

func hasDevicesV1(text []byte) bool {
	for line := range bytes.Lines(text) {
		if f := strings.SplitN(string(line), ":", 3); len(f) == 3 && hasWord(f[1], "devices") {
			return true
		}
	}
	return false
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

func anyMount(mounts []mountLine, fstype string) bool {
	for i := range mounts {
		if mounts[i].fstype == fstype {
			return true
		}
	}
	return false
}

// cgroupDir finds the directory of a cgroup in the mounts that are here.
func cgroupDir(mounts []mountLine, v2 bool, name string) (string, bool) {
	for i := range mounts {
		m := &mounts[i]
		if v2 && m.fstype != "cgroup2" || !v2 && (m.fstype != "cgroup" || !hasWord(m.super, "devices")) {
			continue
		}
		rel, ok := strings.CutPrefix(name, strings.TrimSuffix(m.root, "/"))
		if !ok || strings.HasPrefix(name, "/..") {
			continue
		}
		dir := path.Join(m.point, rel)
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			return dir, true
		}
	}
	return "", false
}

// parseDevices reads devices.list of cgroup v1: type, major:minor and access of each rule.
func parseDevices(text []byte) (rules []world.DeviceRule, all bool, err error) {
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || len(f[0]) != 1 {
			return nil, false, fmt.Errorf("devices.list: %q is no rule", line)
		}
		if f[0] == "a" {
			return nil, true, nil
		}
		major, minor, _ := strings.Cut(f[1], ":")
		r := world.DeviceRule{Type: f[0][0], Major: -1, Minor: -1, Access: f[2]}
		for _, n := range []struct {
			text string
			into *int64
		}{{major, &r.Major}, {minor, &r.Minor}} {
			if n.text != "*" {
				if *n.into, err = strconv.ParseInt(n.text, 10, 64); err != nil {
					return nil, false, fmt.Errorf("devices.list: %q is no rule", line)
				}
			}
		}
		rules = append(rules, r)
	}
	return rules, false, nil
}

// devicePrograms counts the programs of BPF_CGROUP_DEVICE that count for a cgroup, those of its ancestors among them.
func devicePrograms(dir string) (int, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	const effective = 1 // BPF_F_QUERY_EFFECTIVE
	query := struct {
		target, kind, flags, attach uint32
		ids                         uint64
		count, pad                  uint32
		more                        [3]uint64
	}{target: uint32(fd), kind: unix.BPF_CGROUP_DEVICE, flags: effective}
	if _, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_QUERY, uintptr(unsafe.Pointer(&query)), unsafe.Sizeof(query)); e != 0 {
		if e == unix.EINVAL { // without CONFIG_CGROUP_BPF there are no programs
			return 0, nil
		}
		return 0, fmt.Errorf("BPF_PROG_QUERY of %s: %w", dir, e)
	}
	return int(query.count), nil
}
