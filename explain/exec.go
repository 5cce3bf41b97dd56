package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of calls that execute a program: fs/exec.c.

func execve(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Execve(c, cwd(&a[0]), execArgs(&a[1], &a[2]))
}

func execveat(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	t := at(dfd(&a[0]), &a[1])
	t.Flags = a[4].Val
	return vfs.Execve(c, t, execArgs(&a[2], &a[3]))
}

// mmapMin is the least address that can be mapped where vm.mmap_min_addr has its usual value.
const mmapMin = 4096

// execArgs adds up what is known of argv and envp. strace writes envp as an address that is good, argv as one that is not.
func execArgs(argv, envp *syscalls.Arg) vfs.ExecArgs {
	x := vfs.ExecArgs{Empty: argv.Fault && argv.Val == 0 || !argv.Fault && !argv.Absent && !argv.Cut && len(argv.Strs) == 0}
	for i, a := range [...]*syscalls.Arg{argv, envp} {
		if a.Fault && a.Val != 0 {
			x.Fault = x.Fault || a.Val < mmapMin
			x.NotKnown = x.NotKnown || i == 0
		}
		for _, s := range a.Strs {
			x.Strings++
			x.Bytes += len(s) + 1
			x.Longest = max(x.Longest, len(s)+1)
		}
	}
	return x
}
