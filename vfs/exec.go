package vfs

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/namei"
	"syscallstory/story"
	"syscallstory/world"
)

// AtExecveCheck is execveat's AT_EXECVE_CHECK.
const AtExecveCheck = 0x10000

// maxScripts is how many interpreters may be scripts, one after another (exec_binprm).
const maxScripts = 5

// ExecArgs are the arguments and the environment of an execve, as far as they are known.
type ExecArgs struct {
	Strings  int  // how many there are
	Bytes    int  // of all of them, with their ends
	Longest  int  // bytes of the longest one, with its end
	Empty    bool // there is not one argument
	Fault    bool // an address leads nowhere
	NotKnown bool // where an address leads is not known
}

// exec is an execve under way, the kernel's struct linux_binprm.
type exec struct {
	Target
	args ExecArgs
	file world.Path // the program, or the interpreter that is found at its end
}

// Execve is do_execveat_common: the flag of too many processes, the program, the arguments, the formats, the credentials.
func Execve(c *check.Check, t Target, args ExecArgs) story.Errno {
	x := exec{Target: t, args: args}
	if e := namei.GetName(c, t.Path, t.Null, t.Flags&AtEmptyPath != 0); e != 0 {
		return e
	}
	if e := tooMany(c); e != 0 {
		return e
	}
	first := c.K.Has(kernel.ExecOpensFirst) != kernel.No
	if !first {
		if e := x.arguments(c); e != 0 {
			return e
		}
	}
	if e := x.program(c); e != 0 {
		return e
	}
	if first {
		if e := x.arguments(c); e != 0 {
			return e
		}
	}
	if e := c.LSM.Hook(c, story.HookBprmCredsForExec, x.file, story.OpExec); e != 0 {
		return e
	}
	if t.Flags&AtExecveCheck != 0 {
		c.Pass(story.Step{Code: story.ExecCheckOnly, Op: story.OpExec, Obj: x.file.Ref()})
		return 0
	}
	program := x.file
	if e := x.handlers(c); e != 0 {
		return e
	}
	for _, p := range [...]world.Path{program, x.file} {
		if e := c.LSM.Hook(c, story.HookMmapFile, p, story.OpExec); e != 0 {
			return e
		}
		if x.file == program {
			break
		}
	}
	c.Became.Exec = true
	if c.Recording() {
		c.Effect(story.Effect{Kind: "executed", Path: c.W.PathText(program)})
	}
	e := x.credentials(c)
	c.Became.Exe = x.file
	return e
}

// tooMany is PF_NPROC_EXCEEDED: set*uid has found too many processes of its user, and execve looks whether they still are.
func tooMany(c *check.Check) story.Errno {
	f := c.W.Task.TooMany
	if f.At == 0 || f.Known() && !f.V {
		return 0
	}
	s := story.Step{Code: story.ExecTooMany, Errno: story.EAGAIN, Op: story.OpExec, Fact: [3]story.Origin{f.At}}
	if f.Known() {
		return c.Deny(s)
	}
	c.Unknown(s)
	return 0
}

// program is do_open_execat for the program itself: its flags come first.
func (x *exec) program(c *check.Check) story.Errno {
	known := uint64(AtSymlinkNofollow | AtEmptyPath)
	s := story.Step{Code: story.ExecFlags, Errno: story.EINVAL, Op: story.OpExec, Fact: [3]story.Origin{c.W.KernelAt}, Val: [3]uint64{x.Flags}}
	check := c.K.Has(kernel.ExecCheck)
	if check != kernel.No {
		known |= AtExecveCheck
	}
	switch {
	case x.Flags&^known != 0:
		return c.Refuse(s)
	case x.Flags&AtExecveCheck != 0 && check == kernel.NotKnown:
		c.Unknown(s)
	}
	lookup := namei.Follow
	if x.Flags&AtSymlinkNofollow != 0 {
		lookup = 0
	}
	return x.open(c, x.DFD, x.Path, lookup)
}

// open is do_open_execat: an opening with MAY_EXEC, and nobody may have the file open for writing.
func (x *exec) open(c *check.Check, dfd int, path string, lookup namei.Flags) story.Errno {
	o := open{acc: check.MayExec, lookup: lookup}
	e := o.pathOpenat(c, How{DFD: dfd, Path: path})
	x.file = c.Opened.Path
	c.Opened = check.Opened{}
	if e != 0 {
		return e
	}
	return denyWriting(c, x.file)
}

// denyWriting is deny_write_access.
func denyWriting(c *check.Check, p world.Path) story.Errno {
	fs := c.W.FS
	ino := fs.I(p.Dentry)
	s := story.Step{Code: story.ExecWritten, Errno: story.ETXTBSY, Op: story.OpExec, Obj: p.Ref(), Fact: [3]story.Origin{ino.At}}
	written := kernel.No
	if ino.Attr&world.AttrWriting != 0 {
		written = kernel.Yes
	}
	for _, open := range [...][]world.FD{c.W.Task.FDs, c.W.Task.Mapped} {
		for i := range open {
			f := &open[i]
			if f.Path.Dentry == 0 || fs.D(f.Path.Dentry).Inode != fs.D(p.Dentry).Inode || written == kernel.Yes {
				continue
			}
			switch s.Fact[0] = f.At; {
			case f.FlagsAt&story.Missing != 0:
				s.Fact[0], written = f.FlagsAt, kernel.NotKnown
			case f.Flags&OPath == 0 && (f.Flags+1)&2 != 0:
				written = kernel.Yes
			}
		}
	}
	takes := c.K.Has(kernel.ExecTakesWritten)
	switch {
	case written == kernel.No || takes == kernel.Yes:
		return 0
	case written == kernel.NotKnown || takes == kernel.NotKnown:
		s.Fact[1] = c.W.KernelAt
		c.Unknown(s)
		return 0
	}
	return c.Deny(s)
}

// Limits of arguments: MAX_ARG_STRLEN, ARG_MAX, three quarters of _STK_LIM.
const (
	maxArgString = 128 << 10
	leastArgs    = 128 << 10
	mostArgs     = 6 << 20
	rlimitStack  = 3
)

// arguments is count, bprm_stack_limits and copy_strings.
func (x *exec) arguments(c *check.Check) story.Errno {
	a := &x.args
	s := story.Step{Code: story.ExecArguments, Errno: story.E2BIG, Op: story.OpExec}
	stack := c.W.Task.Rlimits[rlimitStack]
	limit := uint64(mostArgs)
	if stack.Known() {
		limit = max(min(limit, stack.V.Cur/4), leastArgs)
		s.Fact[0] = stack.At
	}
	strings := a.Strings
	if a.Empty {
		strings++ // a task always gets one argument
	}
	switch total := uint64(8*strings + a.Bytes + len(x.Path) + 1); {
	case a.Fault:
		s.Errno, s.Val[0] = story.EFAULT, c.Word("an address leads nowhere")
		return c.Refuse(s)
	case a.NotKnown:
		s.Errno = story.EFAULT
		c.Unknown(s)
	case a.Longest > maxArgString:
		s.Val[0] = c.Word("one string has more than 128 KiB")
		return c.Refuse(s)
	case total > limit:
		s.Val[0] = c.Word("all of them together are more than the stack's limit allows")
		return c.Refuse(s)
	case total > leastArgs && !stack.Known():
		s.Fact[0] = c.W.Miss("the limit of the stack is not known", "--pid of a live process")
		c.Unknown(s)
	}
	return 0
}

// handlers is exec_binprm's loop: a script leads to its interpreter, which is opened and looked at in turn.
func (x *exec) handlers(c *check.Check) story.Errno {
	for depth := 0; ; depth++ {
		if depth > maxScripts {
			return c.Refuse(story.Step{Code: story.ExecDepth, Errno: story.ELOOP, Op: story.OpExec, Obj: x.file.Ref()})
		}
		if e := c.LSM.Hook(c, story.HookBprmCheck, x.file, story.OpExec); e != 0 {
			return e
		}
		ino := c.W.FS.I(x.file.Dentry)
		p := ino.Program
		switch {
		case p == nil:
			return x.notKnown(c, "its contents were not given", story.ENOENT, story.EACCES)
		case p.Kind == world.ProgramELF:
			return x.elf(c, p)
		case p.Kind == world.ProgramOther:
			return x.noFormat(c, p)
		}
		if e := x.script(c, p, depth); e != 0 {
			return e
		}
	}
}

// notKnown goes on as if the program were taken, without knowing whose credentials count.
func (x *exec) notKnown(c *check.Check, why string, more ...story.Errno) story.Errno {
	c.Unknown(story.Step{Code: story.ExecFormat, Errno: story.ENOEXEC, Op: story.OpExec, Obj: x.file.Ref(), Fact: [3]story.Origin{c.W.FS.I(x.file.Dentry).At}, Val: [3]uint64{c.Word(why)}})
	for _, e := range more {
		c.MayEnd(e)
	}
	c.Became.Unsure = true
	return 0
}

// noFormat ends where the kernel's own handlers do not take a file: one that is registered may (load_misc_binary).
func (x *exec) noFormat(c *check.Check, p *world.Program) story.Errno {
	why := p.Why
	if why == "" {
		why = "it begins neither like a script nor like an ELF program"
	}
	if handlers := c.W.Binfmts; !handlers.Known() || handlers.V {
		s := story.Step{Code: story.ExecFormat, Errno: story.ENOEXEC, Op: story.OpExec, Obj: x.file.Ref(), Fact: [3]story.Origin{handlers.At}}
		if s.Val[0] = c.Word("whether a handler of binfmt_misc takes it"); !handlers.Known() {
			s.Fact[0] = handlers.At | story.Missing
		}
		c.Unknown(s)
		c.MayEnd(story.ENOENT)
		c.Became.Unsure = true
		return 0
	}
	return c.Refuse(story.Step{Code: story.ExecFormat, Errno: story.ENOEXEC, Op: story.OpExec, Obj: x.file.Ref(), Fact: [3]story.Origin{c.W.FS.I(x.file.Dentry).At}, Val: [3]uint64{c.Word(why)}})
}

// script is load_script.
func (x *exec) script(c *check.Check, p *world.Program, depth int) story.Errno {
	if depth == 0 {
		if e := x.inaccessible(c); e != 0 {
			return e
		}
	}
	at := c.W.FS.I(x.file.Dentry).At
	c.Pass(story.Step{Code: story.ExecScript, Op: story.OpExec, Obj: x.file.Ref(), Fact: [3]story.Origin{at}, Val: [3]uint64{c.Word(p.Interp), c.Word(p.Arg)}})
	return x.interpreter(c, p.Interp)
}

// interpreter is open_exec.
func (x *exec) interpreter(c *check.Check, path string) story.Errno {
	if e := namei.GetName(c, path, false, false); e != 0 {
		return e
	}
	return x.open(c, namei.AtFDCWD, path, namei.Follow)
}

// inaccessible refuses a script that only a descriptor leads to which the execve closes (BINPRM_FLAGS_PATH_INACCESSIBLE).
func (x *exec) inaccessible(c *check.Check) story.Errno {
	if x.DFD == namei.AtFDCWD || len(x.Path) > 0 && x.Path[0] == '/' {
		return 0
	}
	f := c.W.Task.FDByNumber(x.DFD)
	s := story.Step{Code: story.ExecInaccessible, Errno: story.ENOENT, Op: story.OpExec, Obj: x.file.Ref(), Val: [3]uint64{uint64(x.DFD)}}
	switch {
	case f == nil || f.FlagsAt&story.Missing != 0:
		c.Unknown(s)
	case f.Flags&OCloexec != 0:
		s.Fact[0] = f.At
		return c.Refuse(s)
	}
	return 0
}

// machines are the ELF machines of an architecture (elf_check_arch) and of the older one that it may run too.
func machines(arch string) (own, other uint16) {
	switch arch {
	case "arm64", "aarch64":
		return 183, 40
	}
	return 62, 3
}

// elf is load_elf_binary up to begin_new_exec.
func (x *exec) elf(c *check.Check, p *world.Program) story.Errno {
	own, other := machines(c.W.Arch)
	s := story.Step{Code: story.ExecFormat, Errno: story.ENOEXEC, Op: story.OpExec, Obj: x.file.Ref(), Fact: [3]story.Origin{c.W.FS.I(x.file.Dentry).At}}
	switch {
	case p.Errno == story.ENOEXEC:
		return x.noFormat(c, p)
	case p.Machine == other || p.Machine == own && p.Bits == 32:
		return x.notKnown(c, "whether this kernel runs programs of 32 bits", story.ENOENT, story.EACCES)
	case p.Machine != own:
		q := *p
		q.Why = "it is an ELF program of another machine"
		return x.noFormat(c, &q)
	case p.Errno != 0:
		s.Errno, s.Val[0] = p.Errno, c.Word(p.Why)
		return c.Refuse(s)
	}
	program := x.file
	if !p.Dynamic {
		s.Val[0] = c.Word("a static ELF program")
		c.Pass(s)
		return 0
	}
	c.Pass(story.Step{Code: story.ExecLoader, Op: story.OpExec, Obj: program.Ref(), Fact: s.Fact, Val: [3]uint64{c.Word(p.Interp)}})
	if e := x.interpreter(c, p.Interp); e != 0 {
		return e
	}
	loader := x.file
	x.file = program // its credentials count, not the loader's
	ino := c.W.FS.I(loader.Dentry)
	bad := story.Step{Code: story.ExecBadLoader, Errno: story.ELIBBAD, Op: story.OpExec, Obj: loader.Ref(), Fact: [3]story.Origin{ino.At}}
	switch l := ino.Program; {
	case l != nil && l.Short:
		bad.Errno, bad.Val[0] = story.EIO, c.Word("it is shorter than a header")
	case l == nil, l.Kind == world.ProgramELF && l.Errno != 0 && l.Machine == own:
		c.Unknown(bad)
		c.MayEnd(story.EIO)
		return 0
	case l.Kind != world.ProgramELF:
		bad.Val[0] = c.Word("it is no ELF program")
	case l.Machine != own:
		bad.Val[0] = c.Word("it is for another machine")
	default:
		return 0
	}
	return c.Refuse(bad)
}
