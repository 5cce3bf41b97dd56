package gates

import (
	"maps"
	"slices"
	"strings"

	"syscallstory/explain"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// hurting are calls that are made only where they are refused, with what they would do otherwise.
var hurting = map[string]string{
	"reboot":          "it stops the machine",
	"clock_settime":   "it changes the machine's clock",
	"settimeofday":    "it changes the machine's clock",
	"clock_adjtime":   "with a mode it changes the machine's clock; reading is performed",
	"adjtimex":        "with a mode it changes the machine's clock; reading is performed",
	"swapon":          "it changes the machine's swap areas",
	"swapoff":         "it changes the machine's swap areas",
	"acct":            "it changes the accounting of the machine",
	"vhangup":         "it hangs up the terminal of whoever started the run",
	"init_module":     "it changes the running kernel",
	"finit_module":    "it changes the running kernel",
	"delete_module":   "it changes the running kernel",
	"kexec_load":      "it loads another kernel",
	"kexec_file_load": "it loads another kernel",
	"iopl":            "it opens the machine's I/O ports to the task",
	"ioperm":          "it opens the machine's I/O ports to the task",
	"sethostname":     "it renames the namespace in which later scenes are played",
	"setdomainname":   "it renames the namespace in which later scenes are played",
	"pivot_root":      "it moves the root of every task in the mount namespace, also of who builds the scenes",
	"exit":            "the task that makes the calls would end",
	"exit_group":      "the task that makes the calls would end",
	"rt_sigreturn":    "it takes registers from the stack, where no signal has put any",
	"pause":           "nothing wakes it before its time is up",
	"sync":            "it waits for every disk of the machine",
	"vfork":           "its child would run on the stack of the task that makes the calls",
}

// hurtingNames are their names in a fixed order.
var hurtingNames = slices.Sorted(maps.Keys(hurting))

// reachable are the calls that have a route, with the reason for each that is made only where it is refused.
func reachable() map[string]string {
	all := map[string]string{}
	for _, name := range explain.Routes() {
		all[name] = hurting[name]
	}
	return all
}

// hurts reports whether a call that succeeds changes what outlasts the scene: it is made only where it is refused.
func hurts(call *syscalls.Call) bool {
	switch call.Name {
	case "clock_adjtime", "adjtimex":
		return !strings.Contains(call.String(), "modes=0")
	}
	return hurting[call.Name] != ""
}

// still are calls that leave world and task as they were, whatever they answer.
var still = func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(`getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat statfs fstatfs getpriority getpgid
		name_to_handle_at stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat getpid gettid getppid getuid geteuid getgid getegid getpgrp
		getresuid getresgid getsid sched_yield uname sysinfo times time gettimeofday getcpu clock_gettime clock_getres getrandom getrusage sched_get_priority_max
		sched_get_priority_min sched_getscheduler sched_getparam sched_getattr sched_rr_get_interval sched_getaffinity ioprio_get getrlimit capget file_getattr kcmp
		get_robust_list adjtimex clock_adjtime fsync fdatasync syncfs sync munlock statmount listmount
		` + everydayStill) {
		all[name] = true
	}
	return all
}()

// changes reports whether a call that succeeds leaves the world or the task other than it was.
func changes(call *syscalls.Call) bool {
	switch call.Name {
	case "open", "openat", "openat2":
		const oCreat, oTrunc, oTmpfile = 0o100, 0o1000, 0o20000000
		for i := range call.Args {
			if a := &call.Args[i]; a.Kind == syscalls.Open && a.Val&(oCreat|oTrunc|oTmpfile) != 0 || a.Kind == syscalls.How && a.How[0]&(oCreat|oTrunc|oTmpfile) != 0 {
				return true
			}
		}
		return strings.Contains(call.String(), "O_WRONLY") || strings.Contains(call.String(), "O_RDWR") // an overlay copies up
	}
	return !still[call.Name]
}

// unsure says why a story has no certain end.
func unsure(s *story.Story) string {
	if len(s.Missing) > 0 {
		return s.Missing[0].Text
	}
	for i := range s.Steps {
		if s.Steps[i].Outcome == story.Unknown.String() {
			return s.Steps[i].Text
		}
	}
	return "no reason"
}

// exceptions are what the model does not know of a scene that is known whole, by call: part of the reason that the story names.
// Anything else that it does not know is a defect.
var exceptions = map[string][]string{
	"connect":            {"whether somebody answers at the other end"},
	"copy_file_range":    {"what a copy within the file comes to"},
	"fcntl":              {"who else has"},
	"file_getattr":       {"keeps these attributes"},
	"file_setattr":       {"keeps these attributes"},
	"fsopen":             {"whether the kernel has a filesystem"}, // it may be a module
	"ioctl":              {"keeps these attributes"},
	"map_shadow_stack":   {"whether the processor has shadow stacks"},
	"mount":              {"whether the kernel has a filesystem"},
	"mq_unlink":          {"may remove the queue"},
	"open_by_handle_at":  {"what the handle leads to"},
	"open_tree_attr":     {"attributes of a copy"},
	"pidfd_getfd":        {"which descriptors the process has"},
	"process_madvise":    {"what lies at these addresses"},
	"process_vm_readv":   {"what lies at these addresses"},
	"process_vm_writev":  {"what lies at these addresses"},
	"sched_setattr":      {"has time for real-time tasks"},
	"sched_setparam":     {"has time for real-time tasks"},
	"sched_setscheduler": {"has time for real-time tasks"},
	"shmctl":             {"how much memory the task may lock"},
}

func mayBeUnsure(call, why string) bool {
	return slices.ContainsFunc(exceptions[call], func(part string) bool { return strings.Contains(why, part) })
}
