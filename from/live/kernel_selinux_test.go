//go:build linux

package live

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"syscallstory/selinux"
	"syscallstory/world"
)

// runningPolicy is the policy of this machine's kernel.
var runningPolicy = sync.OnceValues(func() (*world.Policy, error) {
	data, err := os.ReadFile(selinuxfs + "/policy")
	if err != nil {
		return nil, err
	}
	p, err := selinux.Parse(data)
	return &world.Policy{File: world.PolicyFile{Name: selinuxfs + "/policy"}, Engine: p}, err
})

func enforce(t *testing.T, value string) {
	t.Helper()
	if err := os.WriteFile(selinuxfs+"/enforce", []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// TestUnderLabels: containers under labels, among them a Pod's at level s0:c338,c794 that opens its own file, another Pod's and one
// of the host, read from outside and judged by the running policy, under enforcing.
func TestUnderLabels(t *testing.T) {
	if os.Getenv("STORY_SELINUX_LIVE") == "" {
		t.Skip("it switches enforcing, and so runs in the lab only, by TestKernelLabLiveSELinux there")
	}
	const pod = "system_u:system_r:container_t:s0:c338,c794"
	for _, task := range []string{pod, "system_u:system_r:container_t:s0:c1,c2", "system_u:system_r:container_t:s0", "system_u:system_r:spc_t:s0"} {
		for _, id := range []string{"0", "1000"} {
			t.Run(task+" "+id, func(t *testing.T) {
				dir := tree(t)
				label(t, dir, "system_u:object_r:container_file_t:s0:c338,c794")
				if err := unix.Setxattr(dir, world.XattrSELinux, []byte("system_u:object_r:container_file_t:s0"), 0); err != nil {
					t.Fatal(err)
				}
				for name, context := range map[string]string{"own": "system_u:object_r:container_file_t:s0:c338,c794", "subset": "system_u:object_r:container_file_t:s0:c338", "shared": "system_u:object_r:container_file_t:s0",
					"other": "system_u:object_r:container_file_t:s0:c1,c2", "host": "system_u:object_r:shadow_t:s0", "etc": "system_u:object_r:etc_t:s0", "readonly": "system_u:object_r:container_ro_file_t:s0"} {
					p := filepath.Join(dir, name)
					if err := os.WriteFile(p, nil, 0o666); err != nil {
						t.Fatal(err)
					}
					if err := unix.Setxattr(p, world.XattrSELinux, []byte(context), 0); err != nil {
						t.Fatal(err)
					}
					os.Chmod(p, 0o666)
				}
				s := underLabel(t, task)
				s.set(`chdir("`+dir+`")`, "setresgid("+id+", "+id+", "+id+")", "setresuid("+id+", "+id+", "+id+")")
				enforce(t, "1")
				defer enforce(t, "0")
				var all []string
				for _, name := range []string{"own", "subset", "shared", "other", "host", "etc", "readonly"} {
					for _, c := range []string{`open("NAME", O_RDONLY)`, `open("NAME", O_WRONLY)`, `open("NAME", O_RDWR|O_APPEND)`, `stat("NAME", 0x1)`, `access("NAME", R_OK)`, `truncate("NAME", 0)`, `chmod("NAME", 0666)`,
						`rename("NAME", "moved")`, `rename("moved", "NAME")`, `link("NAME", "linked")`, `unlink("linked")`} {
						all = append(all, strings.ReplaceAll(c, "NAME", name))
					}
				}
				s.compare(append(all, calls("")...))
				if id != "0" {
					return // reading all processes takes its time there
				}
				s.judge, s.whole, all = nil, true, nil
				for _, c := range []string{"kill(PID, 0)", "kill(PID, SIGURG)", "getpgid(PID)", "sched_getscheduler(PID)", "get_robust_list(PID, 0x1, 0x1)", "kcmp(PID, PID, KCMP_VM, 0, 0)"} {
					all = append(all, strings.ReplaceAll(c, "PID", strconv.Itoa(os.Getpid())))
				}
				s.compare(all)
			})
		}
	}
}

// label gives a directory and all below it a context.
func label(t *testing.T, dir, context string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := unix.Lsetxattr(p, world.XattrSELinux, []byte(context), 0); err != nil && err != unix.EPERM { // of what is immutable
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// underLabel starts a child under a label, which execve gives it.
func underLabel(t *testing.T, context string) *server {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const attr = "/proc/thread-self/attr/exec"
	if err := os.WriteFile(attr, []byte(context), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(attr, nil, 0)
	s := newServer(t, nil)
	s.policy = runningPolicy
	return s
}
