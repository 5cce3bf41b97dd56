package syscalls

import (
	_ "embed"
	"strings"
	"sync"
)

//go:generate sh -c "cd .. && unshare -m sh -c 'mount -t tracefs tracefs /mnt && go run ./internal/gen/params -tracefs /mnt -o syscalls/params.txt'"

//go:embed params.txt
var paramText string

// Param is a parameter of a call as the kernel's C function declares it (64-bit ABIs).
type Param struct{ Name, Type string }

// String is the parameter as C declares it.
func (p Param) String() string { return p.Type + " " + p.Name }

// Pointer reports whether the parameter is an address: a filter sees the address and never what lies there.
func (p Param) Pointer() bool { return strings.HasSuffix(p.Type, "*") || p.Type == "void*" }

// narrow are types of 32 bits and fewer.
var narrow = map[string]bool{"int": true, "unsigned int": true, "unsigned": true, "u32": true, "const __u32": true, "__u32": true, "__s32": true, "s32": true, "pid_t": true, "umode_t": true,
	"uid_t": true, "gid_t": true, "qid_t": true, "clockid_t": true, "const clockid_t": true, "timer_t": true, "mqd_t": true, "key_t": true, "key_serial_t": true, "rwf_t": true, "short": true}

// Narrow reports whether the kernel takes only the register's lower 32 bits, while a filter sees all 64.
func (p Param) Narrow() bool { return narrow[p.Type] }

var params = sync.OnceValue(func() map[string][]Param {
	out := map[string][]Param{}
	for line := range strings.Lines(paramText) {
		name, list, _ := strings.Cut(strings.TrimSpace(line), ": ")
		ps := []Param{}
		for _, f := range strings.Split(list, ", ") {
			if i := strings.LastIndexByte(f, ' '); i > 0 {
				ps = append(ps, Param{f[i+1:], f[:i]})
			}
		}
		out[strings.TrimSuffix(name, ":")] = ps
	}
	return out
})

// Params returns the parameters of a call of 64-bit ABIs; ok is false where they are not known.
func Params(name string) (list []Param, ok bool) {
	list, ok = params()[name]
	return list, ok
}
