package filters

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// profile is a seccomp profile as its JSON has it. What it means is worked out here once more, from these fields and the
// documentation alone, for the model to be compared with.
type profile struct {
	Default  string    `json:"defaultAction"`
	ErrnoRet *uint16   `json:"defaultErrnoRet,omitempty"`
	ArchMap  []archMap `json:"archMap,omitempty"`
	Arches   []string  `json:"architectures,omitempty"`
	Syscalls []rule    `json:"syscalls"`
}

type archMap struct {
	Arch string   `json:"architecture"`
	Sub  []string `json:"subArchitectures"`
}

type rule struct {
	Names    []string   `json:"names"`
	Action   string     `json:"action"`
	ErrnoRet *uint16    `json:"errnoRet,omitempty"`
	Args     []arg      `json:"args,omitempty"`
	Includes *condition `json:"includes,omitempty"`
	Excludes *condition `json:"excludes,omitempty"`
}

type arg struct {
	Index    int    `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo,omitempty"`
	Op       string `json:"op"`
}

type condition struct {
	Caps      []string `json:"caps,omitempty"`
	Arches    []string `json:"arches,omitempty"`
	MinKernel string   `json:"minKernel,omitempty"`
}

// target is what a profile is resolved against.
type target struct {
	abi    syscalls.ABI
	caps   world.CapSet
	kernel [2]int
}

func (t target) model() seccomp.Target {
	r, err := kernel.ParseRelease(fmt.Sprintf("%d.%d", t.kernel[0], t.kernel[1]))
	if err != nil {
		panic(err)
	}
	return seccomp.Target{ABI: t.abi, Caps: t.caps, Kernel: r}
}

func (p *profile) text() []byte {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		panic(err)
	}
	return b
}

// strictest is the kernel's order of precedence (seccomp(2), "return values").
var strictest = []string{"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_LOG", "SCMP_ACT_ALLOW"}

// values32 is the value that stands for each in a filter (linux/seccomp.h).
var values32 = []uint32{0x80000000, 0, 0x30000, 0x50000, 0x7fc00000, 0x7ff00000, 0x7ffc0000, 0x7fff0000}

func rank(action string) int {
	if action == "SCMP_ACT_KILL" {
		action = "SCMP_ACT_KILL_THREAD"
	}
	return slices.Index(strictest, action)
}

// word is an action as a filter answers it, with its data.
func word(action string, errno *uint16) uint32 {
	w := values32[rank(action)]
	if action == "SCMP_ACT_ERRNO" || action == "SCMP_ACT_TRACE" {
		if errno == nil {
			return w | 1 // EPERM
		}
		w |= uint32(*errno)
	}
	return w
}

// listed reports whether the profile judges calls of an ABI.
func (p *profile) listed(t target, abi syscalls.ABI) bool {
	names := map[syscalls.ABI]string{syscalls.X8664: "SCMP_ARCH_X86_64", syscalls.I386: "SCMP_ARCH_X86", syscalls.X32: "SCMP_ARCH_X32", syscalls.ARM64: "SCMP_ARCH_AARCH64", syscalls.ARM: "SCMP_ARCH_ARM"}
	if abi == t.abi || slices.Contains(p.Arches, names[t.abi]) && slices.Contains(p.Arches, names[abi]) {
		return true
	}
	return slices.ContainsFunc(p.ArchMap, func(m archMap) bool { return m.Arch == names[t.abi] && slices.Contains(m.Sub, names[abi]) })
}

// means is the answer to a call, as docs/seccomp.md says it: of the rules that are in force and match, the strictest, among
// equals the first; else the default. An ABI that is not listed ends the thread.
func (p *profile) means(t target, abi syscalls.ABI, name string, args *[6]uint64) uint32 {
	if !p.listed(t, abi) {
		return 0
	}
	best := -1
	for i := range p.Syscalls {
		r := &p.Syscalls[i]
		if !slices.Contains(r.Names, name) || !r.inForce(t) || !r.matches(args) {
			continue
		}
		if best < 0 || rank(r.Action) < rank(p.Syscalls[best].Action) {
			best = i
		}
	}
	if best < 0 {
		return word(p.Default, p.ErrnoRet)
	}
	return word(p.Syscalls[best].Action, p.Syscalls[best].ErrnoRet)
}

func (r *rule) inForce(t target) bool {
	met := func(c *condition, every bool) bool { // every: all that is named must hold; else one is enough
		var holds []bool
		for _, name := range c.Caps {
			k, ok := kernel.ParseCap(name)
			holds = append(holds, ok && t.caps.Has(k))
		}
		if len(c.Arches) > 0 {
			holds = append(holds, slices.Contains(c.Arches, map[syscalls.ABI]string{syscalls.X8664: "amd64", syscalls.ARM64: "arm64"}[t.abi]))
		}
		if c.MinKernel != "" {
			var major, minor int
			fmt.Sscanf(c.MinKernel, "%d.%d", &major, &minor)
			holds = append(holds, t.kernel[0] > major || t.kernel[0] == major && t.kernel[1] >= minor)
		}
		if every {
			return !slices.Contains(holds, false)
		}
		return slices.Contains(holds, true)
	}
	return (r.Includes == nil || met(r.Includes, true)) && (r.Excludes == nil || !met(r.Excludes, false))
}

func (r *rule) matches(args *[6]uint64) bool {
	per := [6]int{}
	for _, a := range r.Args {
		per[a.Index]++
	}
	twice := slices.Max(per[:]) > 1
	all, one := true, false
	for _, a := range r.Args {
		v, h := args[a.Index], false
		switch a.Op[len("SCMP_CMP_"):] {
		case "NE":
			h = v != a.Value
		case "LT":
			h = v < a.Value
		case "LE":
			h = !(v > a.Value)
		case "EQ":
			h = v == a.Value
		case "GE":
			h = !(v < a.Value)
		case "GT":
			h = v > a.Value
		case "MASKED_EQ":
			h = (v&a.Value)^a.ValueTwo == 0
		}
		all, one = all && h, one || h
	}
	if twice {
		return one
	}
	return all
}

// harmless are calls that take no argument, change nothing and never return 0, on every ABI.
var harmless = []string{"getpid", "gettid", "getppid", "getpgrp"}

var others = []string{"openat", "read", "ioctl", "clone", "mmap", "socketcall", "renameat"}

var edges = []uint64{0, 1, 2, 3, 0x7f, 0x80, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 1 << 32, 1<<32 + 1, 0x1ffffffff, 0x7fffffff00000000, 0x7fffffffffffffff, 1 << 63, 1<<63 + 1, 0xffffffff00000000, 0xffffffff7fffffff, ^uint64(0) - 1, ^uint64(0)}

// value is a 64-bit number that is likely to matter: an edge, one of the given, a neighbour of either, or halves of two.
func value(rng *rand.Rand, known []uint64) uint64 {
	pick := func() uint64 {
		if len(known) > 0 && rng.IntN(2) == 0 {
			return known[rng.IntN(len(known))]
		}
		return edges[rng.IntN(len(edges))]
	}
	switch rng.IntN(8) {
	case 0:
		return pick() + 1
	case 1:
		return pick() - 1
	case 2:
		return pick()&0xffffffff | pick()<<32
	case 3:
		return pick()>>32<<32 | pick()>>32
	case 4:
		return pick() ^ 1<<rng.IntN(64)
	case 5:
		if rng.IntN(4) == 0 {
			return rng.Uint64()
		}
	}
	return pick()
}

func one[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// randomProfile makes a profile with up to six rules on a few calls, so that they meet.
func randomProfile(rng *rand.Rand) (*profile, target) {
	t := target{abi: syscalls.X8664, kernel: [2]int{6, 18}}
	if rng.IntN(8) == 0 {
		t.abi = syscalls.ARM64
	}
	for _, c := range []kernel.Cap{kernel.CapSysAdmin, kernel.CapSysPtrace, kernel.CapNetAdmin} {
		if rng.IntN(2) == 0 {
			t.caps = t.caps.With(c)
		}
	}
	action := func() string {
		if rng.IntN(12) == 0 {
			return "SCMP_ACT_KILL"
		}
		return strictest[max(0, 7-rng.IntN(10))]
	}
	errno := func() *uint16 {
		e := one(rng, []uint16{0, 1, 2, 11, 13, 38, 133, 512, 4094, 4095, 4096, 5000, 0x7fff, 0xffff})
		if rng.IntN(4) == 0 {
			return nil
		}
		return &e
	}
	p := &profile{Default: action(), ErrnoRet: errno()}
	// A default that kills leaves little to compare.
	if rank(p.Default) < 2 && rng.IntN(3) > 0 {
		p.Default = "SCMP_ACT_ERRNO"
	}
	switch rng.IntN(4) {
	case 0:
		p.ArchMap = []archMap{{"SCMP_ARCH_AARCH64", []string{"SCMP_ARCH_ARM"}}, {"SCMP_ARCH_X86_64", []string{"SCMP_ARCH_X86", "SCMP_ARCH_X32"}[rng.IntN(2):]}}
	case 1:
		p.ArchMap = []archMap{{"SCMP_ARCH_X86_64", []string{"SCMP_ARCH_X86"}}}
	case 2:
		p.Arches = []string{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}[:1+rng.IntN(3)]
	}
	calls := []string{harmless[rng.IntN(4)], harmless[rng.IntN(4)], one(rng, others)}
	var known []uint64
	for range rng.IntN(7) {
		r := rule{Names: calls[rng.IntN(3):][:1], Action: action(), ErrnoRet: errno()}
		if rng.IntN(5) == 0 {
			r.Names = append(slices.Clone(r.Names), one(rng, harmless))
		}
		for range rng.IntN(5) {
			a := arg{Index: rng.IntN(1 + rng.IntN(6)), Value: value(rng, known), Op: "SCMP_CMP_" + one(rng, []string{"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"})}
			known = append(known, a.Value)
			if a.Op == "SCMP_CMP_MASKED_EQ" {
				if a.ValueTwo = value(rng, known); rng.IntN(4) > 0 {
					a.ValueTwo &= a.Value // else no value matches
				}
				known = append(known, a.ValueTwo)
			}
			r.Args = append(r.Args, a)
		}
		cond := func() *condition {
			if rng.IntN(6) > 0 {
				return nil
			}
			c := &condition{}
			switch rng.IntN(3) {
			case 0:
				c.Caps = []string{"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN"}[rng.IntN(3):]
			case 1:
				c.Arches = []string{"amd64", "arm64", "s390"}[rng.IntN(3):]
			case 2:
				c.MinKernel = one(rng, []string{"4.8", "6.17", "6.18", "6.19", "7.0"})
			}
			return c
		}
		r.Includes, r.Excludes = cond(), cond()
		p.Syscalls = append(p.Syscalls, r)
	}
	if p.Syscalls == nil {
		p.Syscalls = []rule{}
	}
	return p, t
}

// values are the numbers that the rules compare with.
func (p *profile) values() []uint64 {
	var out []uint64
	for _, r := range p.Syscalls {
		for _, a := range r.Args {
			out = append(out, a.Value, a.ValueTwo, a.Value|a.ValueTwo, a.ValueTwo&^a.Value)
		}
	}
	return out
}

// call is what a filter judges, with the name of the number in its ABI.
type call struct {
	abi  syscalls.ABI
	nr   uint32
	name string
	args [6]uint64
}

func (c *call) data() seccomp.Data {
	return seccomp.Data{NR: c.nr, Arch: c.abi.Audit(), Args: c.args}
}

// randomCall makes a call, mostly one that the profile names.
func (p *profile) randomCall(rng *rand.Rand, t target, known []uint64) call {
	c := call{abi: t.abi}
	if t.abi == syscalls.X8664 {
		c.abi = one(rng, []syscalls.ABI{syscalls.X8664, syscalls.X8664, syscalls.X8664, syscalls.I386, syscalls.X32})
	}
	if len(p.Syscalls) > 0 && rng.IntN(8) > 0 {
		c.name = one(rng, one(rng, p.Syscalls).Names)
	} else {
		c.name = one(rng, harmless)
	}
	nr, ok := syscalls.Lookup(c.abi, c.name)
	if !ok || rng.IntN(12) == 0 {
		c.nr = unused(rng)
		if c.abi = syscalls.X8664; t.abi == syscalls.ARM64 {
			c.abi, c.nr = syscalls.ARM64, c.nr&0xffff
		}
		if c.nr >= syscalls.X32Bit && t.abi == syscalls.X8664 {
			c.abi = syscalls.X32
		}
		c.name, _ = syscalls.Name(c.abi, c.nr)
	} else {
		c.nr = nr
	}
	for i := range c.args {
		c.args[i] = value(rng, known)
	}
	return c
}

// taken are the arguments that the call itself takes: of i386 the lower halves, although int $0x80 shows filters whole registers.
func (c *call) taken() *[6]uint64 {
	args := c.args
	if c.abi == syscalls.I386 {
		for i := range args {
			args[i] &= 0xffffffff
		}
	}
	return &args
}

// unused returns a number that no ABI gives to a call. 335 and 336 are left out: the kernel lets these two pass every filter.
func unused(rng *rand.Rand) uint32 {
	switch rng.IntN(4) {
	case 0:
		return one(rng, []uint32{1000, 0x3fffffff, 0x40001000, 0x7fffffff, 0x80001000, 0xbffffffe, 0xfffffffe, 0xffffffff})
	case 1:
		return 0x40000000 | (5000 + rng.Uint32N(1<<20))
	}
	return 5000 + rng.Uint32N(1<<20)
}
