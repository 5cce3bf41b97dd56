package vfs

import (
	"slices"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// securityXattr is cap_inode_setxattr and cap_inode_removexattr for names that begin with security.
func securityXattr(c *check.Check, p world.Path, name string) story.Errno {
	unasked := bpfAnswers(c)
	if name == world.XattrSELinux && slices.Contains(c.W.LSMs.V, "selinux") { // selinux_inode_xattr_skipcap: SELinux asks for what it wants
		return 0
	} else if name == world.XattrSELinux && !c.W.LSMs.Known() {
		unasked = kernel.NotKnown
	}
	if unasked == kernel.Yes {
		c.Pass(story.Step{Code: story.XattrUnasked, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{c.W.LSMs.At}})
		return 0
	}
	ns, want, a := c.Cred.UserNS, kernel.CapSetfcap, kernel.NotKnown
	if name == world.XattrCaps {
		uid, gid := ids(c.W, p, c.W.FS.I(p.Dentry))
		a = capableWrt(c, uid, gid, want)
	} else {
		ns, want = c.W.FS.SBOf(p.Dentry).UserNS, kernel.CapSysAdmin
		a = capable(c, ns, want, check.RealmSuperblock)
	}
	if unasked == kernel.NotKnown && a == kernel.No {
		c.Unknown(story.Step{Code: story.XattrUnasked, Errno: story.EPERM, Op: story.OpSetattr, Obj: p.Ref(), Fact: [3]story.Origin{c.W.LSMs.At, c.W.KernelAt}})
		return 0
	}
	return capability(c, a, ns, want, p, story.OpSetattr)
}

// bpfAnswers says whether the bpf module's default answer keeps the hook from asking for capabilities. SELinux and Smack, which
// come before it, ask by themselves.
func bpfAnswers(c *check.Check) kernel.Answer {
	has := c.K.Has(kernel.XattrCapabilityAlways)
	lsms := c.W.LSMs
	switch {
	case has == kernel.Yes:
		return kernel.No
	case lsms.Known() && (!slices.Contains(lsms.V, "bpf") || slices.Contains(lsms.V, "selinux") || slices.Contains(lsms.V, "smack")):
		return kernel.No
	case !lsms.Known() || has == kernel.NotKnown:
		return kernel.NotKnown
	}
	return kernel.Yes
}
