package explain

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Routes of calls that install seccomp filters: kernel/seccomp.c.

// Operations and flags of seccomp(2).
const (
	seccompStrict     = 0
	seccompFilter     = 1
	seccompAvailable  = 2
	seccompSizes      = 3
	flagTsync         = 1
	flagNewListener   = 8
	flagTsyncEsrch    = 16
	flagWaitKillable  = 32
	knownSeccompFlags = 63
	maxInstructions   = 4096
)

// seccompCall is do_seccomp.
func seccompCall(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	op, flags, arg := a[0].Val, a[1].Val, &a[2]
	given := !arg.Absent && !(arg.Fault && arg.Val == 0) && !(arg.Kind == syscalls.Int && arg.Val == 0)
	switch op {
	case seccompStrict:
		if flags != 0 || given {
			return vfs.Invalid(c, story.EINVAL, "strict mode takes neither flags nor an address")
		}
		return seccompMode(c, world.SeccompStrict)
	case seccompFilter:
		return installFilter(c, flags, arg)
	case seccompAvailable, seccompSizes:
		switch {
		case flags != 0:
			return vfs.Invalid(c, story.EINVAL, "this operation takes no flags")
		case !given:
			return c.Refuse(story.Step{Code: story.ArgNotRead, Errno: story.EFAULT, Op: story.OpBecome})
		case op == seccompAvailable:
			c.Unknown(story.Step{Code: story.ArgNotRead, Errno: story.EOPNOTSUPP, Op: story.OpBecome})
		}
		return 0
	}
	return vfs.Invalid(c, story.EINVAL, "seccomp has no such operation")
}

// prctlSeccomp is prctl_set_seccomp.
func prctlSeccomp(c *check.Check, mode uint64, arg *syscalls.Arg) story.Errno {
	if e := c.LSM.Hook(c, story.HookTaskPrctl, world.Path{}, story.OpBecome); e != 0 {
		return e
	}
	switch mode {
	case 1:
		return seccompMode(c, world.SeccompStrict)
	case 2:
		return installFilter(c, 0, arg)
	}
	return vfs.Invalid(c, story.EINVAL, "the mode is SECCOMP_MODE_STRICT or SECCOMP_MODE_FILTER")
}

// installFilter is seccomp_set_mode_filter: flags, the address, the length, the privilege, the program, the mode.
func installFilter(c *check.Check, flags uint64, arg *syscalls.Arg) story.Errno {
	switch {
	case flags&^uint64(knownSeccompFlags) != 0:
		return vfs.Invalid(c, story.EINVAL, "there is no such flag")
	case flags&(flagTsync|flagNewListener|flagTsyncEsrch) == flagTsync|flagNewListener:
		return vfs.Invalid(c, story.EINVAL, "a listener of all threads needs SECCOMP_FILTER_FLAG_TSYNC_ESRCH")
	case flags&flagWaitKillable != 0 && flags&flagNewListener == 0:
		return vfs.Invalid(c, story.EINVAL, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a listener")
	case arg.Absent || arg.Fault && arg.Val == 0 || arg.Kind == syscalls.Int && arg.Val < mmapMin:
		return c.Refuse(story.Step{Code: story.ArgNotRead, Errno: story.EFAULT, Op: story.OpBecome})
	}
	length, known := arg.Field("len")
	if n := uint16(length.Val); known && (n == 0 || n > maxInstructions) {
		return c.Refuse(story.Step{Code: story.SeccompProgram, Errno: story.EINVAL, Op: story.OpBecome, Val: [3]uint64{c.Word("a program has 1 to 4096 instructions")}})
	}
	if !known {
		c.Unknown(story.Step{Code: story.SeccompProgram, Errno: story.EINVAL, Op: story.OpBecome, Val: [3]uint64{c.Word("its length was not given")}})
		c.MayEnd(story.EFAULT)
	}
	if e := mayInstall(c); e != 0 {
		return e
	}
	if known {
		if e := checkProgram(c, arg); e != 0 {
			return e
		}
	}
	return seccompMode(c, world.SeccompFilters)
}

// mayInstall is the privilege that a filter needs.
func mayInstall(c *check.Check) story.Errno {
	cr := c.Cred
	s := story.Step{Code: story.SeccompInstall, Errno: story.EACCES, Op: story.OpBecome, Fact: [3]story.Origin{cr.EffectiveAt, cr.NoNewAt}, Val: [3]uint64{uint64(cr.UserNS)}}
	if cr.NoNewPrivs {
		s.Val[1] = c.Word("no_new_privs is set")
		c.Pass(s)
		return 0
	}
	switch held := vfs.Holds(c, kernel.CapSysAdmin); {
	case held == kernel.Yes:
		s.Val[1] = c.Word("the task has CAP_SYS_ADMIN")
		c.Pass(s)
		if c.Recording() {
			c.Pass(story.Step{Code: story.CapNeeded, Op: story.OpBecome, Fact: [3]story.Origin{cr.EffectiveAt, 0, cr.EffectiveAt}, Val: [3]uint64{uint64(kernel.CapSysAdmin), uint64(cr.UserNS), uint64(cr.Effective)}})
		}
	case held == kernel.NotKnown:
		c.Unknown(s)
	default:
		return c.Deny(s)
	}
	return 0
}

// checkProgram looks at a program that is written out, as strace -v does: filter=[BPF_STMT(…), BPF_JUMP(…), …].
func checkProgram(c *check.Check, arg *syscalls.Arg) story.Errno {
	f, _ := arg.Field("filter")
	s := story.Step{Code: story.SeccompProgram, Errno: story.EINVAL, Op: story.OpBecome}
	switch {
	case f.Str == "" && f.Val < mmapMin:
		s.Code, s.Errno = story.ArgNotRead, story.EFAULT
		return c.Refuse(s)
	case f.Str == "":
		s.Val[0] = c.Word("its instructions were not given")
		c.Unknown(s)
		return 0
	}
	prog, err := seccomp.ReadProgram("the call", []byte(f.Str[1:len(f.Str)-1]), syscalls.X8664)
	if err != nil {
		s.Val[0] = c.Word("its instructions cannot be read: " + err.Error())
		c.Unknown(s)
		return 0
	}
	if err := prog.Check(); err != nil {
		s.Val[0] = c.Word(err.Error())
		return c.Refuse(s)
	}
	return 0
}

var modeNames = [...]string{"no", "strict", "filter"}

func modeName(m world.SeccompMode) string {
	if m == world.SeccompNotKnown {
		return "not known"
	}
	return modeNames[m]
}

// seccompMode is seccomp_may_assign_mode.
func seccompMode(c *check.Check, to world.SeccompMode) story.Errno {
	sec := &c.W.Task.Seccomp
	s := story.Step{Code: story.SeccompMode, Errno: story.EINVAL, Op: story.OpBecome, Fact: [3]story.Origin{sec.At}}
	switch {
	case sec.Mode == world.SeccompNotKnown:
		if to == world.SeccompStrict {
			c.Unknown(s)
		}
	case sec.Mode != world.SeccompOff && sec.Mode != to:
		s.Val[0] = c.Word(modeNames[sec.Mode])
		return c.Refuse(s)
	}
	if c.Recording() {
		c.Effect(story.Effect{Kind: "task", Name: "Seccomp", Before: modeName(sec.Mode), After: modeNames[to]})
	}
	return 0
}
