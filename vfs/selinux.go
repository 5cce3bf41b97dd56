package vfs

import (
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/world"
)

// SELinux decides by the world's policy at the hooks that are modelled: inode_permission, file_open, inode_getattr,
// inode_readlink, inode_follow_link and those that read or set ACLs and attributes' names. The others stay unknown.
type SELinux struct {
	policy *selinux.Policy
	task   selinux.Label
	why    string // why the task's label is none
	open   bool   // policy capability open_perms
}

// NewSELinux reads the task's label in the world's policy; nil: there is no policy.
func NewSELinux(w *world.World) *SELinux {
	p, ok := w.SELinux.Engine.(*selinux.Policy)
	if !ok || !w.SELinux.Policy.Known() {
		return nil
	}
	s := &SELinux{policy: p, open: p.HasCapability("open_perms")}
	text, at := w.Task.LabelOf("selinux")
	if !at.Known() || text == "" {
		s.why = "the task's context is not known"
		return s
	}
	var err error
	if s.task, err = p.Label(text); err != nil {
		s.why = "the task's context is not one of the policy's: " + err.Error()
	}
	return s
}

// Ask answers at a hook.
func (s *SELinux) Ask(c *check.Check, h story.Hook, p world.Path, mask check.Mask) (kernel.Answer, story.Errno, string) {
	if c.Muted() {
		return kernel.NotKnown, story.EACCES, "the context of the overlay's mounter is not known"
	}
	if p.Dentry == 0 || mask&check.NewFile != 0 {
		return kernel.NotKnown, story.EACCES, "what SELinux asks at " + h.String() + " of such an object is not modelled"
	}
	ino := c.W.FS.I(p.Dentry)
	if ino.Known&world.KnownType == 0 {
		return kernel.NotKnown, story.EACCES, "the file's class is not known"
	}
	perms, n := s.perms(h, ino.Is(world.TypeDir), mask, c.Opened.Flags)
	switch {
	case n < 0:
		return kernel.NotKnown, story.EACCES, "what SELinux asks here is not modelled"
	case n == 0:
		return kernel.Yes, 0, "nothing is asked"
	case s.why != "":
		return kernel.NotKnown, story.EACCES, s.why
	}
	class := fileClass(ino.Type())
	target, why := s.label(c.W, ino, class)
	if why != "" {
		return kernel.NotKnown, story.EACCES, why
	}
	return s.decide(c, target, class, perms[:n])
}

// decide is avc_has_perm: all permissions at once.
func (s *SELinux) decide(c *check.Check, target selinux.Label, class string, perms []string) (kernel.Answer, story.Errno, string) {
	var lacking *selinux.Why
	lacks := ""
	for _, perm := range perms {
		w, err := s.policy.Explain(selinux.Question{Source: s.task, Target: target, Class: class, Perm: perm})
		if err != nil {
			return kernel.NotKnown, story.EACCES, err.Error()
		}
		if !w.Allowed && lacking == nil {
			lacking, lacks = w, perm
		}
	}
	between := s.policy.Text(s.task) + " to " + s.policy.Text(target) + ", class " + class
	if lacking == nil {
		return kernel.Yes, 0, strings.Join(perms, ", ") + ": allowed from " + between
	}
	words := lacks + " is denied from " + between + ": " + lacking.Text
	if !lacking.Logged {
		words += "; no AVC record tells of it"
	}
	switch enforcing := c.W.SELinux.Enforcing; {
	case lacking.Permissive:
		return kernel.Yes, 0, words + "; the domain is permissive"
	case !enforcing.Known():
		return kernel.NotKnown, story.EACCES, words + "; whether SELinux is enforcing is not known"
	case !enforcing.V:
		return kernel.Yes, 0, words + "; SELinux is permissive"
	}
	return kernel.No, story.EACCES, words
}

// Capable is selinux_capable, for a capability that the task has: a denial leaves the question open, as the checks that follow
// do not tell yet which module has said no.
func (s *SELinux) Capable(c *check.Check, want kernel.Cap, initial bool) bool {
	if s.why != "" {
		return false
	}
	class := "capability"
	if want >= 32 {
		class = "capability2"
	}
	if !initial {
		class = map[string]string{"capability": "cap_userns", "capability2": "cap2_userns"}[class]
	}
	name := strings.ToLower(strings.TrimPrefix(want.String(), "CAP_"))
	a, _, _ := s.decide(c, s.task, class, []string{name})
	return a == kernel.Yes
}

// perms lists what a hook asks of the file; -1: it is not modelled.
func (s *SELinux) perms(h story.Hook, dir bool, mask check.Mask, flags uint64) (list [4]string, n int) {
	add := func(perm string) { list[n] = perm; n++ }
	switch h {
	case story.HookInodePermission: // file_mask_to_av
		if mask&check.MayExec != 0 {
			if dir {
				add("search")
			} else {
				add("execute")
			}
		}
		if mask&check.MayRead != 0 {
			add("read")
		}
		if mask&check.MayAppend != 0 && !dir {
			add("append")
		} else if mask&check.MayWrite != 0 {
			add("write")
		}
	case story.HookFileOpen: // open_file_to_av
		if mask&check.MayExec != 0 {
			return list, -1
		}
		if mask&check.MayRead != 0 {
			add("read")
		}
		switch {
		case mask&check.MayWrite != 0 && flags&OAppend != 0:
			add("append")
		case mask&check.MayWrite != 0:
			add("write")
		case n == 0:
			add("ioctl")
		}
		if s.open {
			add("open")
		}
	case story.HookInodeGetattr, story.HookInodeGetxattr, story.HookInodeListxattr, story.HookInodeGetACL:
		add("getattr")
	case story.HookInodeReadlink, story.HookInodeFollowLink:
		add("read")
	case story.HookInodeSetACL, story.HookInodeRemoveACL:
		add("setattr")
	default:
		return list, -1
	}
	return list, n
}

// fileClass is inode_mode_to_security_class.
func fileClass(typ uint16) string {
	switch typ {
	case world.TypeDir:
		return "dir"
	case world.TypeLink:
		return "lnk_file"
	case world.TypeChar:
		return "chr_file"
	case world.TypeBlk:
		return "blk_file"
	case world.TypeFIFO:
		return "fifo_file"
	case world.TypeSock:
		return "sock_file"
	}
	return "file"
}

// label returns the label of a file, or why it is not known.
func (s *SELinux) label(w *world.World, ino *world.Inode, class string) (selinux.Label, string) {
	sb := w.FS.SB(ino.SB)
	switch {
	case sb.Overlay != nil:
		return selinux.Label{}, "the context of the overlay's mounter is not known"
	case !sb.Contexts.Known():
		return selinux.Label{}, "whether the filesystem was mounted with context= is not known"
	}
	m, err := s.policy.Mount(sb.Type, s.options(sb.Contexts.V))
	switch {
	case err != nil:
		return selinux.Label{}, err.Error()
	case sb.Contexts.V.Context != "" && m.By != selinux.ByMount, sb.Contexts.V.RootContext != "", sb.Contexts.V.DefContext != "":
		return selinux.Label{}, "how the filesystem's mount options label the file is not known"
	case m.By != selinux.ByMount && (ino.Known&world.KnownContext == 0 || ino.Context == "" && m.By != selinux.ByXattr):
		return selinux.Label{}, "the file's context is not known"
	case m.By == selinux.ByMount || m.By == selinux.ByXattr:
		return m.Existing(s.task, "", class, ino.Context), ""
	}
	l, err := s.policy.Label(ino.Context)
	if err != nil {
		return l, "the file's context is not one of the policy's: " + err.Error()
	}
	return l, ""
}

// options reads a mount's context; one that the policy does not know is none.
func (s *SELinux) options(m world.MountContexts) (o selinux.MountOptions) {
	o.Context, _ = s.policy.Label(m.Context)
	o.FSContext, _ = s.policy.Label(m.FSContext)
	return o
}
