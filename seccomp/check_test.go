package seccomp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"syscallstory/seccomp"
	"syscallstory/syscalls"
)

// checked returns the findings of a profile as "kind line: message".
func checked(t *testing.T, text string) []string {
	t.Helper()
	p, err := seccomp.Parse("p.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range p.Resolve(seccomp.Target{ABI: syscalls.X8664, Kernel: linux("6.18")}).Check() {
		out = append(out, fmt.Sprintf("%s %d: %s", f.Kind, f.At.Line, f.Msg))
	}
	return out
}

// TestFindings: each kind of finding has a profile that has it, and one beside it that does not.
func TestFindings(t *testing.T) {
	const start = `{"names": ["execve", "exit_group", "rt_sigreturn", "clone3", "openat2", "faccessat2", "statx", "close_range", "fchmodat2", "rseq"], "action": "SCMP_ACT_ALLOW"}`
	deny := func(rules string) string {
		return `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [` + start + ",\n" + rules + `]}`
	}
	allow := func(rules string) string {
		return `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": [` + "\n" + rules + `]}`
	}
	cond := func(name, action string, index int, op string, v uint64) string {
		return fmt.Sprintf(`{"names": [%q], "action": "SCMP_ACT_%s", "args": [{"index": %d, "op": "SCMP_CMP_%s", "value": %d}]}`, name, action, index, op, v)
	}
	for _, c := range []struct{ kind, with, without string }{
		{"unknown-name", deny(`{"names": ["raed"], "action": "SCMP_ACT_ALLOW"}`), deny(`{"names": ["read"], "action": "SCMP_ACT_ALLOW"}`)},
		{"default", deny(`{"names": ["read"], "action": "SCMP_ACT_ERRNO"}`), deny(`{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}`)},
		{"dead", deny(`{"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["read"], "action": "SCMP_ACT_LOG"}, {"names": ["read"], "action": "SCMP_ACT_LOG"}`), deny(`{"names": ["read"], "action": "SCMP_ACT_ALLOW"}`)},
		{"void", deny(`{"names": ["lseek"], "action": "SCMP_ACT_ALLOW"},` + cond("lseek", "LOG", 1, "EQ", 3)), deny(`{"names": ["lseek"], "action": "SCMP_ACT_ALLOW"}`)},
		{"overlap", deny(cond("lseek", "ALLOW", 1, "EQ", 3) + "," + cond("lseek", "LOG", 1, "LE", 3)), deny(cond("lseek", "ALLOW", 1, "EQ", 3) + "," + cond("lseek", "LOG", 1, "LT", 3))},
		{"pointer", deny(cond("open", "ALLOW", 0, "EQ", 4096)), deny(cond("open", "ALLOW", 1, "EQ", 0))},
		{"no-argument", deny(cond("close", "ALLOW", 1, "EQ", 1)), deny(cond("close", "ALLOW", 0, "EQ", 1))},
		{"half", allow(cond("socket", "ERRNO", 0, "EQ", 40)), deny(cond("socket", "ALLOW", 0, "EQ", 1))},
		{"half", allow(cond("socket", "ERRNO", 0, "EQ", 40)), allow(cond("lseek", "ERRNO", 1, "EQ", 40))},
		{"never-holds", deny(cond("lseek", "ALLOW", 1, "LT", 0)), deny(cond("lseek", "ALLOW", 1, "LT", 1))},
		{"always-holds", deny(cond("lseek", "ALLOW", 1, "GE", 0)), deny(cond("lseek", "ALLOW", 1, "GE", 1))},
		{"or", deny(`{"names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "op": "SCMP_CMP_GT", "value": 5}, {"index": 1, "op": "SCMP_CMP_LT", "value": 9}]}`), deny(cond("lseek", "ALLOW", 1, "LT", 9))},
		{"value-two", deny(`{"names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": 5, "valueTwo": 6}]}`), deny(`{"names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 7, "valueTwo": 6}]}`)},
		{"errno", deny(`{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000}`), deny(`{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4095}`)},
		{"trace", deny(`{"names": ["read"], "action": "SCMP_ACT_TRACE"}`), deny(`{"names": ["read"], "action": "SCMP_ACT_LOG"}`)},
		{"notify", deny(`{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}`), strings.Replace(deny(`{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}`), "{", `{"listenerPath": "/run/n.sock", `, 1)},
		{"door", allow(`{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}`), allow(`{"names": ["mount", "move_mount", "fsmount", "mount_setattr", "open_tree", "open_tree_attr"], "action": "SCMP_ACT_ERRNO"}`)},
		{"door", allow(cond("clone", "ERRNO", 0, "GE", 1)), allow(cond("clone", "ERRNO", 0, "GE", 1) + `, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}, {"names": ["unshare"], "action": "SCMP_ACT_ERRNO"}`)},
		{"door", allow(`{"names": ["socket", "socketpair"], "action": "SCMP_ACT_ERRNO"}, {"names": ["io_uring_setup"], "action": "SCMP_ACT_ERRNO"}`), allow(`{"names": ["socket", "socketpair", "socketcall"], "action": "SCMP_ACT_ERRNO"}, {"names": ["io_uring_setup"], "action": "SCMP_ACT_ERRNO"}`)},
		{"door", allow(`{"names": ["bind"], "action": "SCMP_ACT_ERRNO"}, {"names": ["socketcall"], "action": "SCMP_ACT_ERRNO"}`), allow(`{"names": ["bind", "socketcall", "io_uring_setup"], "action": "SCMP_ACT_ERRNO"}`)},
		{"abi", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}`, allow("")},
		{"architecture", strings.Replace(allow(""), "SCMP_ARCH_X32", "SCMP_ARCH_MIPS", 1), allow("")},
		{"enosys", strings.Replace(deny(`{"names": ["read"], "action": "SCMP_ACT_ALLOW"}`), `"clone3", `, "", 1), deny(`{"names": ["read"], "action": "SCMP_ACT_ALLOW"}`)},
		{"start", strings.Replace(deny(`{"names": ["read"], "action": "SCMP_ACT_ALLOW"}`), `"execve", `, "", 1), deny(`{"names": ["read"], "action": "SCMP_ACT_ALLOW"}`)},
	} {
		has := func(text string) bool {
			return slices.ContainsFunc(checked(t, text), func(s string) bool { return strings.HasPrefix(s, c.kind+" ") })
		}
		if !has(c.with) {
			t.Errorf("no %s in %s: %q", c.kind, c.with, checked(t, c.with))
		}
		if has(c.without) {
			t.Errorf("%s in %s: %q", c.kind, c.without, checked(t, c.without))
		}
	}
}
