package live

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"syscallstory/world"
)

const selinuxfs = "/sys/fs/selinux"

// labelled reports whether this machine's kernel labels files for SELinux.
var labelled = sync.OnceValue(func() bool { return exists1(selinuxfs + "/enforce") })

// selinux reads the policy that the kernel runs, and whether it is enforced.
func (b *builder) selinux() {
	if !labelled() || !slices.Contains(b.LSMs.V, "selinux") {
		return
	}
	s := &b.SELinux
	text, err := os.ReadFile(selinuxfs + "/enforce")
	if s.Enforcing = world.Given(strings.TrimSpace(string(text)) == "1", b.Text(selinuxfs+"/enforce")); err != nil {
		s.Enforcing.At = b.Miss(fmt.Sprintf("whether SELinux is enforcing is not known: %v", err), "run as root")
	}
	if b.p.o.Policy == nil {
		return
	}
	p, err := b.p.o.Policy()
	if err != nil {
		s.Policy.At = b.Miss(fmt.Sprintf("the SELinux policy of the kernel cannot be read: %v", err), "run as root, or --policy FILE")
		return
	}
	s.Policy, s.Engine = world.Given(p.File, b.Text(p.File.Name)), p.Engine
	for _, c := range []struct {
		file string
		into *world.Fact[string]
	}{{"exec", &b.Task.Contexts.Exec}, {"fscreate", &b.Task.Contexts.FSCreate}, {"sockcreate", &b.Task.Contexts.SockCreate}, {"keycreate", &b.Task.Contexts.KeyCreate}} {
		text, err := readAt(b.p.dir, "attr/"+c.file, 4096)
		if err != nil {
			c.into.At = b.Miss(fmt.Sprintf("/proc/PID/attr/%s cannot be read: %v", c.file, err), "run as root")
			continue
		}
		*c.into = world.Given(strings.TrimRight(string(text), "\x00\n"), b.file("attr/"+c.file))
	}
}

// contexts reads the options of a filesystem that label its files.
func contexts(super string) world.MountContexts {
	m, _, _ := world.SplitContexts(super)
	for _, c := range []*string{&m.Context, &m.FSContext, &m.DefContext, &m.RootContext} {
		*c = unescape(*c)
	}
	return m
}
