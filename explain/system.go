package explain

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// Routes of calls that change what the whole machine shares.

var _ = add(map[string]Route{"settimeofday": settimeofday, "clock_settime": clockSettime, "clock_adjtime": clockAdjtime, "adjtimex": adjtimex, "reboot": reboot,
	"init_module": initModule, "finit_module": finitModule, "delete_module": deleteModule, "kexec_load": kexecLoad, "kexec_file_load": kexecFileLoad, "syslog": syslog,
	"swapon": swapon, "swapoff": swapoff, "acct": acct, "quotactl": quotactl, "quotactl_fd": quotactlFD, "iopl": iopl, "ioperm": ioperm, "vhangup": vhangup})

// part is a member of a structure.
func part(a *syscalls.Arg, name string) int64 {
	f, _ := a.Field(name)
	return int64(f.Val)
}

// setTime is cap_settime, which asks in the initial user namespace: a time namespace does not help.
func setTime(c *check.Check) story.Errno {
	if e := vfs.CapableHost(c, kernel.CapSysTime, story.OpSystem); e != 0 {
		return e
	}
	return c.LSM.Hook(c, story.HookSettime, world.Path{}, story.OpSystem)
}

// maxSeconds is TIME_SETTOD_SEC_MAX: thirty years before the nanoseconds overflow.
const maxSeconds = 1<<63/1000000000 - 30*365*24*3600

// settimeofday looks at the values first.
func settimeofday(c *check.Check, call *syscalls.Call) story.Errno {
	tv, tz := &call.Args[0], &call.Args[1]
	given := !isNull(tv)
	if given {
		switch {
		case tv.Fault:
			return vfs.Fault(c)
		case part(tv, "tv_usec") < 0 || part(tv, "tv_usec") > 1000000:
			return vfs.Invalid(c, story.EINVAL, "there are less than 1000000 microseconds")
		}
	}
	zone := !tz.Absent && !isNull(tz)
	if zone && tz.Fault {
		return vfs.Fault(c)
	}
	if given && !validTime(part(tv, "tv_sec"), part(tv, "tv_usec")*1000) {
		return vfs.Invalid(c, story.EINVAL, "the time is before 1970 or after 2232")
	}
	if e := setTime(c); e != 0 {
		return e
	}
	if west := int32(part(tz, "tz_minuteswest")); zone && (west > 15*60 || west < -15*60) {
		return vfs.Invalid(c, story.EINVAL, "a time zone is at most 15 hours away")
	}
	if given {
		return early(c)
	}
	return 0
}

func validTime(sec, nsec int64) bool { return sec >= 0 && sec < maxSeconds && nsec >= 0 && nsec < 1e9 }

// early: the clock is not set to before the machine was started.
func early(c *check.Check) story.Errno {
	return vfs.NotKnown(c, "for how long the machine has been up", story.EINVAL)
}

func clockSettime(c *check.Check, call *syscalls.Call) story.Errno {
	id, tp := int32(call.Args[0].Val), &call.Args[1]
	switch {
	case id < 0:
		return vfs.NotKnown(c, "the clock of a process or a device", story.EINVAL, story.EPERM, story.EACCES, story.EBADF, story.EOPNOTSUPP, story.EFAULT)
	case id >= 16 && id < 24 && c.K.AtLeast(6, 17) != kernel.No:
		return vfs.NotKnown(c, "whether the auxiliary clock is there", story.EINVAL, story.EPERM, story.ENODEV)
	case id != 0:
		return vfs.Invalid(c, story.EINVAL, "of the clocks CLOCK_REALTIME can be set")
	case tp.Fault:
		return vfs.Fault(c)
	case !validTime(part(tp, "tv_sec"), part(tp, "tv_nsec")):
		return vfs.Invalid(c, story.EINVAL, "the time is not valid")
	}
	if e := setTime(c); e != 0 {
		return e
	}
	return early(c)
}

func clockAdjtime(c *check.Check, call *syscalls.Call) story.Errno {
	id := int32(call.Args[0].Val)
	switch {
	case call.Args[1].Fault:
		return vfs.Fault(c)
	case id < 0 || id >= 16:
		return vfs.NotKnown(c, "the clock of a process or a device", story.EINVAL, story.EPERM, story.EOPNOTSUPP, story.EBADF, story.ENODEV)
	case id == 10 || id > 11:
		return vfs.Invalid(c, story.EINVAL, "there is no such clock")
	case id != 0:
		return vfs.Invalid(c, story.EOPNOTSUPP, "of the clocks CLOCK_REALTIME can be adjusted")
	}
	return adjust(c, &call.Args[1])
}

func adjtimex(c *check.Check, call *syscalls.Call) story.Errno {
	if call.Args[0].Fault {
		return vfs.Fault(c)
	}
	return adjust(c, &call.Args[0])
}

// adjust is timekeeping_validate_timex: without modes it only reads.
func adjust(c *check.Check, tx *syscalls.Arg) story.Errno {
	modes := uint64(uint32(part(tx, "modes")))
	const single, read = 0x8000, 0x2000
	switch {
	case tx.Cut && modes == 0:
		return vfs.NotKnown(c, "which modes the structure holds", story.EPERM, story.EINVAL)
	case modes == 0:
		return vfs.Unchecked(c, "reading the clock's adjustment")
	case modes&single != 0 && modes&1 == 0:
		return vfs.Invalid(c, story.EINVAL, "ADJ_OFFSET_SINGLESHOT stands alone")
	case modes&single != 0 && modes&read != 0:
		return 0
	}
	if e := vfs.CapableHost(c, kernel.CapSysTime, story.OpSystem); e != 0 {
		return e
	}
	return vfs.NotKnown(c, "what the clock takes", story.EINVAL)
}

// reboot asks before it looks at the magic numbers; the user namespace is the owner of the task's PID namespace, in which a
// reboot ends only that namespace.
func reboot(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := vfs.CapableIn(c, world.PIDNS, kernel.CapSysBoot); e != 0 {
		return e
	}
	cmd := uint32(a[2].Val)
	magic2 := uint32(a[1].Val)
	if uint32(a[0].Val) != 0xfee1dead || magic2 != 0x28121969 && magic2 != 0x05121996 && magic2 != 0x16041998 && magic2 != 0x20112000 {
		return vfs.Invalid(c, story.EINVAL, "the magic numbers are others")
	}
	ns := c.W.Namespace(world.PIDNS)
	switch {
	case !ns.At.Known():
		return vfs.NotKnown(c, "in which PID namespace the task is", story.EINVAL)
	case ns.Initial:
		return vfs.NotKnown(c, "what the machine does", story.EINVAL, story.EFAULT, story.EBUSY)
	}
	switch cmd {
	case 0x01234567, 0xa1b2c3d4, 0xcdef0123, 0x4321fedc:
		return 0
	}
	return vfs.Invalid(c, story.EINVAL, "a PID namespace knows restart, halt and power off")
}

// mayLoad is may_init_module.
func mayLoad(c *check.Check, f kernel.Feature) story.Errno {
	if e := vfs.Has(c, f, story.ENOSYS); e != 0 {
		return e
	}
	if e := vfs.CapableHost(c, kernel.CapSysModule, story.OpSystem); e != 0 {
		return e
	}
	return vfs.SettingForbids(c, kernel.ModulesDisabled)
}

func initModule(c *check.Check, call *syscalls.Call) story.Errno {
	if e := mayLoad(c, kernel.Modules); e != 0 {
		return e
	}
	if call.Args[1].Val < 64 {
		return vfs.Invalid(c, story.ENOEXEC, "a module has at least an ELF header")
	}
	return module(c)
}

// module: what is loaded is not known, nor who has signed it.
func module(c *check.Check) story.Errno {
	return vfs.NotKnown(c, "the module, its signature and what lockdown says of it", story.ENOEXEC, story.EPERM, story.EFAULT, story.EEXIST, story.ENOENT, story.EINVAL)
}

func finitModule(c *check.Check, call *syscalls.Call) story.Errno {
	if e := mayLoad(c, kernel.Modules); e != 0 {
		return e
	}
	if call.Args[2].Val&^7 != 0 {
		return vfs.Invalid(c, story.EINVAL, "finit_module does not know these flags")
	}
	vfs.NotKnown(c, "what the descriptor leads to", story.EBADF)
	return module(c)
}

func deleteModule(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.ModuleUnload, story.ENOSYS); e != 0 {
		return e
	}
	if e := mayLoad(c, kernel.Modules); e != 0 {
		return e
	}
	switch name := &call.Args[0]; {
	case name.Fault:
		return vfs.Fault(c)
	case name.Str == "":
		return vfs.Invalid(c, story.ENOENT, "a module has a name")
	}
	return vfs.NotKnown(c, "which modules are loaded and in use", story.ENOENT, story.EAGAIN, story.EBUSY)
}

// mayKexec is kexec_load_permitted.
func mayKexec(c *check.Check, f kernel.Feature) story.Errno {
	if e := vfs.Has(c, f, story.ENOSYS); e != 0 {
		return e
	}
	if e := vfs.CapableHost(c, kernel.CapSysBoot, story.OpSystem); e != 0 {
		return e
	}
	return vfs.SettingForbids(c, kernel.KexecLoadDisabled)
}

func kexecLoad(c *check.Check, call *syscalls.Call) story.Errno {
	if e := mayKexec(c, kernel.Kexec); e != 0 {
		return e
	}
	if e := c.LSM.Hook(c, story.HookKernelLoadData, world.Path{}, story.OpSystem); e != 0 {
		return e
	}
	if e := vfs.LockedDown(c, check.LockdownKexec); e != 0 {
		return e
	}
	return vfs.NotKnown(c, "the image", story.EINVAL, story.EFAULT, story.EBUSY, story.EADDRNOTAVAIL)
}

func kexecFileLoad(c *check.Check, call *syscalls.Call) story.Errno {
	if e := mayKexec(c, kernel.KexecFile); e != 0 {
		return e
	}
	if call.Args[4].Val&^0x1f != 0 {
		return vfs.Invalid(c, story.EINVAL, "kexec_file_load does not know these flags")
	}
	return vfs.NotKnown(c, "the image and its signature", story.EBADF, story.ENOEXEC, story.EPERM, story.EINVAL, story.EBUSY)
}

// syslog is do_syslog with check_syslog_permissions.
func syslog(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Printk, story.ENOSYS); e != 0 {
		return e
	}
	typ, length := int32(call.Args[0].Val), int32(call.Args[2].Val)
	strict, or := c.K.Has(kernel.SyslogStrict), kernel.CapSyslog
	switch {
	case strict == kernel.No:
		or = kernel.CapSysAdmin
	case strict == kernel.NotKnown && vfs.HeldInHost(c, kernel.CapSysAdmin) && !vfs.HeldInHost(c, kernel.CapSyslog):
		return vfs.NotKnown(c, "whether the kernel still takes CAP_SYS_ADMIN for CAP_SYSLOG", story.EPERM, story.EINVAL)
	}
	readable := typ == 3 || typ == 10 // READ_ALL and SIZE_BUFFER
	if readable {
		if e := vfs.SettingNeeds(c, kernel.DmesgRestrict, 0, kernel.CapSyslog, or, story.EPERM); e != 0 {
			return e
		}
	} else if strict == kernel.No {
		if e := vfs.HoldsEither(c, kernel.CapSyslog, or, story.EPERM); e != 0 {
			return e
		}
	} else if e := vfs.CapableHost(c, kernel.CapSyslog, story.OpSystem); e != 0 {
		return e
	}
	if e := c.LSM.OnSystem(c, story.HookSyslog, uint64(uint32(typ))); e != 0 {
		return e
	}
	switch typ {
	case 2, 3, 4:
		if isNull(&call.Args[1]) || length < 0 {
			return vfs.Invalid(c, story.EINVAL, "a buffer is needed")
		}
		if typ == 2 && length > 0 {
			c.MayBlock()
			return vfs.NotKnown(c, "whether there are messages to read", story.EFAULT)
		}
	case 8:
		if length < 1 || length > 8 {
			return vfs.Invalid(c, story.EINVAL, "the console's level is 1 to 8")
		}
	}
	if typ < 0 || typ > 10 {
		return vfs.Invalid(c, story.EINVAL, "syslog does not know this action")
	}
	return 0
}

// area is what a path of swapon, swapoff and acct must lead to.
func area(c *check.Check, a *syscalls.Arg, what string) story.Errno {
	switch {
	case a.Fault:
		return vfs.Fault(c)
	case a.Str == "":
		return vfs.Invalid(c, story.ENOENT, "the path is empty")
	}
	return vfs.NotKnown(c, what, story.ENOENT, story.EACCES, story.EINVAL, story.EBUSY, story.EROFS, story.EPERM, story.ENOTDIR, story.ELOOP)
}

func swapon(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Swap, story.ENOSYS); e != 0 {
		return e
	}
	if call.Args[1].Val&^0x7ffff != 0 {
		return vfs.Invalid(c, story.EINVAL, "swapon does not know these flags")
	}
	if e := vfs.CapableHost(c, kernel.CapSysAdmin, story.OpSystem); e != 0 {
		return e
	}
	return area(c, &call.Args[0], "whether the file is a swap area that can be used")
}

func swapoff(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Swap, story.ENOSYS); e != 0 {
		return e
	}
	if e := vfs.CapableHost(c, kernel.CapSysAdmin, story.OpSystem); e != 0 {
		return e
	}
	return area(c, &call.Args[0], "whether the file is a swap area in use")
}

func acct(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Accounting, story.ENOSYS); e != 0 {
		return e
	}
	if e := vfs.CapableHost(c, kernel.CapSysPacct, story.OpSystem); e != 0 {
		return e
	}
	if isNull(&call.Args[0]) {
		return 0
	}
	return area(c, &call.Args[0], "whether the file takes accounts")
}

// quotactl looks for the filesystem before it asks who may; which device has quotas is not known.
func quotactl(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Quota, story.ENOSYS); e != 0 {
		return e
	}
	cmd, special := uint32(call.Args[0].Val), &call.Args[1]
	const sync = 0x800001
	switch {
	case cmd&0xff >= 3:
		return vfs.Invalid(c, story.EINVAL, "there are quotas of users, groups and projects")
	case isNull(special) && cmd>>8 == sync:
		return c.LSM.Hook(c, story.HookQuotactl, world.Path{}, story.OpSystem)
	case isNull(special):
		return vfs.Invalid(c, story.ENODEV, "a device is needed")
	case special.Fault:
		return vfs.Fault(c)
	case special.Str == "":
		return vfs.Invalid(c, story.ENOENT, "the path is empty")
	}
	return quotas(c)
}

func quotas(c *check.Check) story.Errno {
	return vfs.NotKnown(c, "which filesystem has quotas", story.ENOENT, story.ENOTBLK, story.ENODEV, story.ENOSYS, story.EPERM, story.ESRCH, story.EINVAL, story.EACCES, story.ENOTDIR, story.EROFS)
}

func quotactlFD(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.Quota, story.ENOSYS); e != 0 {
		return e
	}
	if fd := dfd(&call.Args[0]); c.W.Task.FDByNumber(fd) == nil && (fd < 0 || c.W.Task.FDsAt.Known()) {
		return vfs.OtherDescriptor(c, fd, "file", story.EBADF)
	}
	if uint32(call.Args[1].Val)&0xff >= 3 {
		return vfs.Invalid(c, story.EINVAL, "there are quotas of users, groups and projects")
	}
	return quotas(c)
}

// rawIO is what I/O ports ask for.
func rawIO(c *check.Check) story.Errno {
	if e := vfs.CapableHost(c, kernel.CapSysRawio, story.OpSystem); e != 0 {
		return e
	}
	return vfs.LockedDown(c, check.LockdownIOPort)
}

// iopl: a task that execve has just left has the level of its parent, which is 0 unless somebody raised it.
func iopl(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.IOPLPermission, story.ENOSYS); e != 0 {
		return e
	}
	switch level := uint32(call.Args[0].Val); {
	case level > 3:
		return vfs.Invalid(c, story.EINVAL, "levels are 0 to 3")
	case level == 0:
		return 0
	}
	return rawIO(c)
}

func ioperm(c *check.Check, call *syscalls.Call) story.Errno {
	if e := vfs.Has(c, kernel.IOPLPermission, story.ENOSYS); e != 0 {
		return e
	}
	from, num := call.Args[0].Val, call.Args[1].Val
	if from+num <= from || from+num > 65536 {
		return vfs.Invalid(c, story.EINVAL, "there are 65536 ports")
	}
	if uint32(call.Args[2].Val) == 0 {
		return 0
	}
	return rawIO(c)
}

func vhangup(c *check.Check, _ *syscalls.Call) story.Errno {
	return vfs.CapableHost(c, kernel.CapSysTtyConfig, story.OpSystem)
}
