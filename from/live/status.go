//go:build linux

package live

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// status is what /proc/PID/status says of a task. Ids are as the reader's user namespace sees them.
type status struct {
	name               string
	state              byte
	kthread            bool // since Linux 6.8
	tgid, pid, tracer  int
	nspid              []int     // its ids from the reader's PID namespace down to its own
	nstgid             []int     // the same of its process
	nssid              []int     // of its session
	nspgid             []int     // of its process group
	ppid               int       // of its parent, as the reader's PID namespace counts
	uid, gid           [4]uint32 // real, effective, saved, filesystem
	groups             []uint32
	umask              int // -1: it has no more
	threads            int
	inh, prm, eff, bnd uint64
	amb                uint64
	mode, count        int // of seccomp; count is -1 before Linux 5.9
	noNewPrivs         bool
}

func readStatus(path string) (status, error) {
	text, err := os.ReadFile(path)
	st := status{count: -1, umask: -1}
	if err != nil {
		return st, err
	}
	return st, st.parse(text)
}

// parse reads the file. Fields that are not known here are left alone, as each release adds some.
func (st *status) parse(text []byte) (err error) {
	for line := range bytes.Lines(text) {
		key, val, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		val = strings.TrimSpace(val)
		number := func(base, bits int) uint64 {
			n, e := strconv.ParseUint(val, base, bits)
			if e != nil && err == nil {
				err = fmt.Errorf("%s: %q is not a number", key, val)
			}
			return n
		}
		list := func() (ids []uint32) {
			for _, f := range strings.Fields(val) {
				n, e := strconv.ParseUint(f, 10, 32)
				if e != nil && err == nil {
					err = fmt.Errorf("%s: %q is not a number", key, f)
				}
				ids = append(ids, uint32(n))
			}
			return ids
		}
		four := func() (ids [4]uint32) {
			l := list()
			if len(l) != 4 && err == nil {
				err = fmt.Errorf("%s: four ids are expected", key)
			}
			copy(ids[:], l)
			return ids
		}
		switch key {
		case "Name":
			st.name = val
		case "State":
			if val != "" {
				st.state = val[0]
			}
		case "Kthread":
			st.kthread = val == "1"
		case "Tgid":
			st.tgid = int(number(10, 31))
		case "Pid":
			st.pid = int(number(10, 31))
		case "TracerPid":
			st.tracer = int(number(10, 31))
		case "NSpid":
			for _, n := range list() {
				st.nspid = append(st.nspid, int(n))
			}
		case "NStgid":
			for _, n := range list() {
				st.nstgid = append(st.nstgid, int(n))
			}
		case "PPid":
			st.ppid = int(number(10, 31))
		case "NSpgid":
			for _, n := range list() {
				st.nspgid = append(st.nspgid, int(n))
			}
		case "NSsid":
			for _, n := range list() {
				st.nssid = append(st.nssid, int(n))
			}
		case "Uid":
			st.uid = four()
		case "Gid":
			st.gid = four()
		case "Groups":
			st.groups = list()
		case "Umask":
			st.umask = int(number(8, 16))
		case "Threads":
			st.threads = int(number(10, 31))
		case "CapInh":
			st.inh = number(16, 64)
		case "CapPrm":
			st.prm = number(16, 64)
		case "CapEff":
			st.eff = number(16, 64)
		case "CapBnd":
			st.bnd = number(16, 64)
		case "CapAmb":
			st.amb = number(16, 64)
		case "Seccomp":
			st.mode = int(number(10, 31))
		case "Seccomp_filters":
			st.count = int(number(10, 31))
		case "NoNewPrivs":
			st.noNewPrivs = val == "1"
		}
	}
	return err
}

// same reports whether two tasks have the same credentials and the same number of filters.
func (st *status) same(o *status) bool {
	return st.uid == o.uid && st.gid == o.gid && slices.Equal(st.groups, o.groups) && st.inh == o.inh && st.prm == o.prm && st.eff == o.eff && st.bnd == o.bnd &&
		st.amb == o.amb && st.mode == o.mode && st.count == o.count && st.noNewPrivs == o.noNewPrivs
}
