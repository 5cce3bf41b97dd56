package syscalls

// Calls on namespaces: unshare and setns stand among the first signatures.

// cloneflags are clone's flags, whose low eight bits are the signal that the child ends with.
var _ = defineSet("cloneflags", &flagSet{mask: 0xff, enum: []flag{{"SIGCHLD", 17}, {"SIGUSR1", 10}, {"SIGUSR2", 12}, {"SIGTERM", 15}, {"SIGKILL", 9}}, flags: append(append([]flag{}, withoutTime()...), moreClone...)})

// moreClone are flags of clone and clone3 that unshare does not know.
var moreClone = []flag{{"CLONE_PIDFD", 0x1000}, {"CLONE_PARENT", 0x8000}, {"CLONE_SETTLS", 0x80000}, {"CLONE_PARENT_SETTID", 0x100000}, {"CLONE_CHILD_CLEARTID", 0x200000},
	{"CLONE_DETACHED", 0x400000}, {"CLONE_UNTRACED", 0x800000}, {"CLONE_CHILD_SETTID", 0x1000000}, {"CLONE_IO", 0x80000000}}

// withoutTime leaves CLONE_NEWTIME out, which is among the bits of clone's signal.
func withoutTime() []flag {
	var out []flag
	for _, f := range cloneFlags.flags {
		if f.name != "CLONE_NEWTIME" {
			out = append(out, f)
		}
	}
	return out
}

var clone3Flags = defineSet("clone3flags", &flagSet{flags: append(append(append([]flag{}, cloneFlags.flags...), moreClone...), flag{"CLONE_CLEAR_SIGHAND", 1 << 32}, flag{"CLONE_INTO_CGROUP", 2 << 32})})

var exitSignal = defineEnum("exitsignal", flag{"0", 0}, flag{"SIGCHLD", 17}, flag{"SIGUSR1", 10}, flag{"SIGUSR2", 12}, flag{"SIGTERM", 15}, flag{"SIGKILL", 9})

// clone3's structure, struct clone_args.
var _ = defineStruct("cloneargs", 88, member{"flags", 0, 8, clone3Flags}, member{"pidfd", 8, 8, Int}, member{"child_tid", 16, 8, Int}, member{"parent_tid", 24, 8, Int},
	member{"exit_signal", 32, 8, exitSignal}, member{"stack", 40, 8, Int}, member{"stack_size", 48, 8, Int}, member{"tls", 56, 8, Int}, member{"set_tid", 64, 8, Int},
	member{"set_tid_size", 72, 8, Int}, member{"cgroup", 80, 8, Int})

var _ = defineCalls(map[string]string{"clone": "cloneflags ptr? ptr? ptr? ptr?", "clone3": "cloneargs int?", "fork": "", "vfork": "", "sethostname": "text int", "setdomainname": "text int"})

// argNames are the names that strace prints before the arguments of a call, in the order of the registers. It prints clone's
// flags behind the stack.
var argNames = map[string][]string{"clone": {"flags", "child_stack", "parent_tid", "child_tidptr", "tls"}}

// named reads the name before the i-th argument of a call for which strace prints them, and returns the register that it is.
func (p *parser) named(c *Call, i int) (int, bool) {
	names := argNames[c.Name]
	start := p.pos
	w := p.word(isName)
	if names == nil || w == "" || !p.accept("=") {
		p.pos = start
		return 0, false
	}
	if i == 0 {
		for _, k := range signature(c.Name) {
			c.Args = append(c.Args, Arg{Kind: k &^ optional, Absent: true})
		}
	}
	for k, n := range names {
		if n == w && k < len(c.Args) {
			if p.abi == ARM64 && k > 2 { // tls stands before child_tidptr there
				k = 7 - k
			}
			return k, true
		}
	}
	p.fail(start, Near(w, names), "%s has no argument %s", c.Name, w)
	return 0, false
}

// written reports whether one of the arguments was given.
func written(args []Arg) bool {
	for i := range args {
		if !args[i].Absent {
			return true
		}
	}
	return false
}
