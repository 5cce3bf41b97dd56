package gates

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"syscallstory/lsm"
	"syscallstory/probe"
	"syscallstory/seccomp"
	"syscallstory/seccomp/docker"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// Refuse is a rule of a seccomp filter.
type Refuse struct {
	Call  string
	Errno uint16     // 0: the process is killed
	Arg   *Condition `json:",omitempty"` // it holds for one register
}

// Condition is one of seccomp's comparisons.
type Condition struct {
	Index    uint
	Op       string // SCMP_CMP_*
	Value    uint64
	ValueTwo uint64 `json:",omitempty"`
}

// Profile is a filter on top of the task's first.
type Profile struct {
	Docker bool     `json:",omitempty"` // Docker's default, and nothing else
	Refuse []Refuse `json:",omitempty"`
}

// Ruleset is one of Landlock's, over files below places and over TCP ports.
type Ruleset struct {
	FS     uint64
	Net    uint64  `json:",omitempty"`
	Scoped uint64  `json:",omitempty"`
	Below  []Below `json:",omitempty"`
}

// Below grants rights below a path.
type Below struct {
	Path   string
	Access uint64
}

// profiles are the task's filters, the oldest first.
func (t *Task) profiles() []Profile {
	if len(t.Filter) == 0 {
		return t.Filters
	}
	return append([]Profile{{Refuse: t.Filter}}, t.Filters...)
}

// text is the profile as the engines read it.
func (p *Profile) text() []byte {
	if p.Docker {
		return dockerDefault()
	}
	type arg struct {
		Index    uint   `json:"index"`
		Value    uint64 `json:"value"`
		ValueTwo uint64 `json:"valueTwo"`
		Op       string `json:"op"`
	}
	type rule struct {
		Names    []string `json:"names"`
		Action   string   `json:"action"`
		ErrnoRet *uint16  `json:"errnoRet,omitempty"`
		Args     []arg    `json:"args,omitempty"`
	}
	var out struct {
		DefaultAction string   `json:"defaultAction"`
		Architectures []string `json:"architectures"`
		Syscalls      []rule   `json:"syscalls"`
	}
	out.DefaultAction, out.Architectures = "SCMP_ACT_ALLOW", []string{"SCMP_ARCH_X86_64"}
	for _, r := range p.Refuse {
		one := rule{Names: []string{r.Call}, Action: "SCMP_ACT_KILL_PROCESS"}
		if r.Errno != 0 {
			one.Action, one.ErrnoRet = "SCMP_ACT_ERRNO", &r.Errno
		}
		if c := r.Arg; c != nil {
			one.Args = []arg{{c.Index, c.Value, c.ValueTwo, c.Op}}
		}
		out.Syscalls = append(out.Syscalls, one)
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return b
}

var dockerDefault = sync.OnceValue(func() []byte {
	b, err := docker.Default()
	if err != nil {
		panic(err)
	}
	return b
})

var compiled sync.Map // of Docker's default: it is the same for every task

// filters are the task's filters as programs.
func (t *Task) filters(m *machine) ([]probe.Filter, error) {
	var out []probe.Filter
	for _, p := range t.profiles() {
		if f, ok := compiled.Load(p.Docker); ok && p.Docker {
			out = append(out, f.(probe.Filter))
			continue
		}
		parsed, err := seccomp.Parse("filter.json", p.text())
		if err != nil {
			return nil, err
		}
		prog, err := parsed.Resolve(seccomp.Target{ABI: syscalls.X8664, Kernel: m.release}).Compile()
		if err != nil {
			return nil, err
		}
		out = append(out, prog.Raw())
		if p.Docker {
			compiled.Store(true, probe.Filter(prog.Raw()))
		}
	}
	return out, nil
}

// filter puts filters over the model's task.
func (b *model) filter(t *Task) {
	s := world.Seccomp{At: b.at}
	for i, p := range t.profiles() {
		s.Mode = world.SeccompFilters
		s.Filters = append(s.Filters, world.Filter{Name: fmt.Sprintf("the scene's filter %d", i+1), File: "filter.json", JSON: p.text(), At: b.at})
	}
	b.Task.Seccomp = s
}

// restrict puts the model's task under its rulesets.
func (b *model) restrict(t *Task) error {
	for _, r := range t.Landlock {
		l := world.LandlockLayer{FS: r.FS, Net: r.Net, Scoped: r.Scoped, At: b.at}
		for _, h := range r.Below {
			p, err := b.place(b.root, h.Path)
			if err != nil {
				return err
			}
			l.Rules = append(l.Rules, world.LandlockRule{Inode: b.FS.D(p.Dentry).Inode, Access: h.Access})
		}
		b.Task.Landlock = append(b.Task.Landlock, l)
	}
	return nil
}

// confine gives some tasks filters and rulesets.
func (g *gen) confine(t *Task) {
	if g.one(5) {
		t.NoNewPrivs = true
		for range 1 + g.IntN(3) {
			t.Filter = append(t.Filter, g.refuse())
		}
		for g.one(3) && len(t.Filters) < 3 {
			p := Profile{}
			for range 1 + g.IntN(2) {
				p.Refuse = append(p.Refuse, g.refuse())
			}
			t.Filters = append(t.Filters, p)
		}
	}
	if g.one(14) {
		t.NoNewPrivs = true
		t.Filters = append(t.Filters, Profile{Docker: true})
	}
	if g.m.landlock && g.one(6) {
		t.NoNewPrivs = true
		for range 1 + g.IntN(2) {
			t.Landlock = append(t.Landlock, g.ruleset())
		}
	}
}

// numbered are calls with registers that are always given and hold no address.
var numbered = []struct {
	call string
	args []uint
}{{"socket", []uint{0, 1, 2}}, {"setuid", []uint{0}}, {"setresuid", []uint{0, 1, 2}}, {"umask", []uint{0}}, {"clone", []uint{0}}, {"unshare", []uint{0}}, {"kill", []uint{1}}, {"chmod", []uint{1}}, {"fchmod", []uint{1}},
	{"ftruncate", []uint{1}}, {"open", []uint{1}}, {"openat", []uint{2}}, {"mkdir", []uint{1}}, {"mknod", []uint{1}}, {"access", []uint{1}}, {"setpriority", []uint{0, 2}}, {"mount", []uint{3}}, {"umount2", []uint{1}},
	{"fallocate", []uint{1, 2, 3}}, {"mmap", []uint{1, 2, 3}}, {"chown", []uint{1, 2}}, {"unlinkat", []uint{2}}, {"linkat", []uint{4}}, {"setns", []uint{1}}, {"ptrace", []uint{0}}, {"prctl", []uint{0}}, {"reboot", []uint{0, 2}}, {"ioctl", []uint{1}}, {"fcntl", []uint{1}}}

func (g *gen) refuse() Refuse {
	r := Refuse{Call: pick(g, routeNames...), Errno: pick[uint16](g, 1, 13, 38, 0)}
	if g.one(3) {
		r.Call = pick(g, hurtingNames...)
	}
	if g.one(4) { // the other registers hold addresses, or nothing that the call says
		n := pick(g, numbered...)
		r.Call = n.call
		r.Arg = &Condition{Index: pick(g, n.args...), Op: pick(g, "SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_GE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ"), Value: pick[uint64](g, 0, 1, 2, 0x40, 0x1000, 1000)}
		if r.Arg.Op == "SCMP_CMP_MASKED_EQ" {
			r.Arg.ValueTwo = r.Arg.Value & pick[uint64](g, 0, ^uint64(0))
		}
	}
	if r.Call == "exit" || r.Call == "exit_group" { // a program that is executed could not end, so that nobody would know that it ran
		return Refuse{Call: "uname", Errno: r.Errno}
	}
	return r
}

// ruleset grants a part of what it handles below some places.
func (g *gen) ruleset() Ruleset {
	const all = 1<<16 - 1
	rights := []uint64{all, lsm.FSReadFile | lsm.FSReadDir | lsm.FSExecute, lsm.FSWriteFile | lsm.FSTruncate, lsm.FSMakeReg | lsm.FSMakeDir | lsm.FSRemoveFile, lsm.FSRefer | lsm.FSMakeReg | lsm.FSRemoveFile, lsm.FSReadFile}
	r := Ruleset{FS: pick(g, rights...)}
	if g.one(6) {
		r.Net = 3
	}
	if g.one(6) {
		r.Scoped = 2
	}
	for range g.IntN(4) {
		at := pick(g, g.dirs...)
		if g.veiled(at) || slices.ContainsFunc(r.Below, func(b Below) bool { return b.Path == at }) {
			continue // root may not open what has no id there
		}
		if a := pick(g, rights...) & r.FS; a != 0 {
			r.Below = append(r.Below, Below{at, a})
		}
	}
	return r
}
