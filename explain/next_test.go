package explain_test

import (
	"slices"
	"testing"

	"syscallstory/explain"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// TestNextLooksAtAllOfAFact: what would refuse next is told of a world in which the deciding fact is another wherever the call looks at it.
func TestNextLooksAtAllOfAFact(t *testing.T) {
	reg := func(mode uint16, uid uint32, attr world.Attr) world.Inode {
		return world.Inode{Mode: world.TypeReg | mode, UID: world.KUID(uid), GID: world.KGID(uid), Attr: attr, Known: world.KnownAll, Nlink: 1, Program: &world.Program{Short: true}}
	}
	acl := reg(0o600, 5, 0) // without bits for the group the ACL is not asked
	acl.ACL = []world.ACLEntry{{Tag: world.ACLUserObj, Perm: 6}, {Tag: world.ACLUser, Perm: 0, ID: 1000}, {Tag: world.ACLGroupObj, Perm: 0}, {Tag: world.ACLMask, Perm: 0}, {Tag: world.ACLOther}}
	for _, c := range []struct {
		name   string
		file   world.Inode
		change func(w *world.World)
		call   string
		want   []story.Code
	}{
		{"both attributes are looked at twice", reg(0o600, 5, world.AttrImmutable), nil, `utimes("/f", NULL)`, []story.Code{story.FixedAttributes, story.ModeBits}},
		{"ext4 looks at the attribute again", reg(0o600, 5, world.AttrImmutable), func(w *world.World) {
			w.FS.SB(1).Type, w.Task.Cred.Effective = "ext4", world.Caps(kernel.CapChown)
		}, `chown("/f", 1000, -1)`, []story.Code{story.FixedAttributes}},
		{"with an x bit a capability counts that the file's ids keep out", reg(0o644, 5, 0), func(w *world.World) {
			m := world.IDMap{{Inside: 0, Outside: 1000, Count: 10}}
			w.UserNS = append(w.UserNS, world.UserNS{Level: 1, UIDs: m, GIDs: m, Name: "child"})
			w.Task.Cred.UserNS, w.Task.Cred.Effective = 1, world.Caps(kernel.CapDacOverride)
		}, `execve("/f", ["x"], [])`, []story.Code{story.ModeNoExec, story.UserNSOwner, story.ExecFormat}},
		{"the capability is there for every question", reg(0o600, 1000, 0), nil, `mknod("/x", S_IFBLK|0600, makedev(7, 0))`, []story.Code{story.ModeBits, story.CapNeeded}},
		{"reading and executing are one question", reg(0o600, 5, 0), nil, `access("/f", R_OK|X_OK)`, []story.Code{story.ModeBits}},
		{"an ACL that was asleep", acl, func(w *world.World) { w.Task.Cred.Groups = []world.KGID{5} }, `open("/f", O_RDONLY)`, []story.Code{story.ModeBits, story.ACLBits}},
		{"what is missing cannot be imagined", reg(0o600, 5, 0), nil, `open("/none", O_RDONLY)`, []story.Code{story.NameMissing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world.New()
			at := w.Text("the test")
			sb := w.FS.NewSB(world.SB{Type: "tmpfs", Name: "tmpfs", At: at, FlagsAt: at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, At: at})
			root := world.Path{Dentry: w.FS.SB(sb).Root}
			root.Mount = w.Attach(world.Path{}, world.Mount{Root: root.Dentry, SB: sb, Point: "/", Origin: at, Why: at})
			c.file.At = at
			w.FS.Add(root.Dentry, "f", c.file)
			w.Kernel, w.KernelAt, w.LSMs, w.Binfmts = kernel.Release{Major: 6, Minor: 18}, at, world.Given([]string{"capability"}, at), world.Given(false, at)
			w.Task = world.Task{Root: root, Cwd: root, CwdAt: at, NoFile: world.Given(1024, at), OpenFDs: world.Given(3, at), FDsAt: at, Umask: world.Given(uint16(0), at), Devices: world.Devices{All: true, At: at},
				Seccomp: world.Seccomp{At: at}, Cred: world.Cred{RUID: 1000, EUID: 1000, SUID: 1000, FSUID: 1000, RGID: 1000, EGID: 1000, SGID: 1000, FSGID: 1000,
					UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at, NoNewAt: at, SecurebitsAt: at}}
			if c.change != nil {
				c.change(w)
			}
			j, err := explain.Bind(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			call, err := syscalls.Parse(syscalls.X8664, c.call)
			if err != nil {
				t.Fatal(err)
			}
			s := j.Story(call)
			var got []string
			for _, e := range s.Steps {
				if e.Decides {
					got = append(got, e.Code)
				}
			}
			for _, e := range s.Next {
				got = append(got, e.Code)
			}
			var want []string
			for _, code := range c.want {
				want = append(want, code.String())
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}
