package vfs

import (
	"math/bits"
	"slices"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/world"
)

// SELinux decides by the world's policy. What each hook asks stands in selinux_hooks.go; hooks that are not there stay unknown.
type SELinux struct {
	policy *selinux.Policy
	cache  *selinux.Cache
	task   selinux.Label
	why    string // why the task's label is none
	open   bool   // policy capability open_perms
	from   string // the text that task was read from
}

// NewSELinux reads the task's label in the world's policy; nil: there is no policy.
func NewSELinux(w *world.World) *SELinux {
	p, ok := w.SELinux.Engine.(*selinux.Policy)
	if !ok || !w.SELinux.Policy.Known() {
		return nil
	}
	s := &SELinux{policy: p, cache: selinux.NewCache(p), open: p.HasCapability("open_perms")}
	s.read(w)
	for i := 1; i < w.FS.NumSB(); i++ {
		if sb := w.FS.SB(world.SBID(i)); sb.Overlay != nil && !sb.Overlay.Mounter.Context.Known() {
			w.Assume("SELinux refuses nothing to whoever has mounted "+sb.Name+", on whose behalf overlayfs uses the layers", "")
		}
	}
	return s
}

// read reads the task's label, which calls may change.
func (s *SELinux) read(w *world.World) {
	text, at := w.Task.LabelOf("selinux")
	if text == s.from && (s.why != "" || s.task.IsValid()) {
		return
	}
	s.from, s.why = text, ""
	if !at.Known() || text == "" {
		s.task, s.why = selinux.Label{}, "the task's context is not known"
		return
	}
	var err error
	if s.task, err = s.policy.Label(text); err != nil {
		s.why = "the task's context is not one of the policy's: " + err.Error()
	}
}

// access is one question to the policy (avc_has_perm): all permissions at once.
type access struct {
	source, target selinux.Label
	class          string
	perms          []string
	errno          story.Errno       // 0: EACCES
	silent         string            // a permission of the class whose dontaudit rule hides this question's denial (FILE__AUDIT_ACCESS)
	command        *selinux.Extended // of an ioctl, for extended rules
}

// asking collects what a hook asks of the policy, in the hook's own order.
type asking struct {
	*SELinux
	c      *check.Check
	q      *check.Question
	list   []access
	why    string // what is not known; the hook's answer is then
	source selinux.Label
	errno  story.Errno // what the hook answers behind all questions, of its own
	words  string      // why
}

// Ask answers at a hook.
func (s *SELinux) Ask(c *check.Check, q check.Question) (kernel.Answer, story.Errno, string) {
	s.read(c.W)
	a := asking{SELinux: s, c: c, q: &q, source: s.task}
	if cr := q.Cred; cr != nil && cr != c.Cred || cr == nil && c.Muted() {
		a.source = selinux.Label{}
		text := ""
		if cr != nil && cr.Context.Known() {
			text = cr.Context.V
		}
		var err error
		if a.source, err = s.policy.Label(text); err != nil { // an overlay's mounter: NewSELinux has said what is assumed
			return kernel.Yes, 0, ""
		}
	}
	a.hook()
	switch {
	case a.why == "" && len(a.list) == 0 && a.errno == 0:
		return kernel.Yes, 0, "nothing is asked"
	case s.why != "" && !a.source.IsValid():
		return kernel.NotKnown, story.EACCES, s.why
	}
	var said []string
	for i := range a.list {
		answer, e, words := s.decide(c, &a.list[i])
		if answer != kernel.Yes {
			return answer, e, words
		}
		if c.Recording() {
			said = append(said, words)
		}
	}
	switch {
	case a.why != "":
		return kernel.NotKnown, story.EACCES, a.why
	case a.errno != 0:
		return kernel.No, a.errno, a.words
	}
	return kernel.Yes, 0, strings.Join(said, "; ")
}

// decide is avc_has_perm.
func (s *SELinux) decide(c *check.Check, a *access) (kernel.Answer, story.Errno, string) {
	e := a.errno
	if e == 0 {
		e = story.EACCES
	}
	class, known := s.policy.Class(a.class)
	d := s.cache.Decide(s.cache.SID(a.source), s.cache.SID(a.target), class)
	allowed := s.policy.HandleUnknown() == selinux.AllowUnknown
	lacks, audited := "", []string(nil)
	if known || !allowed {
		for _, perm := range a.perms {
			bit, unknown := s.policy.Perms(class, perm)
			if len(unknown) > 0 {
				if allowed {
					continue
				}
				bit = 1 << 31
			} else if d.Allowed&bit != 0 {
				continue
			}
			if lacks == "" {
				lacks = perm
			}
			if len(unknown) > 0 || d.AuditDeny&bit != 0 {
				audited = append(audited, perm)
			}
		}
	}
	if lacks == "" && a.command != nil && slices.Contains(a.perms, "ioctl") {
		w, err := s.policy.Explain(selinux.Question{Source: a.source, Target: a.target, Class: a.class, Perm: "ioctl", Command: a.command})
		if err != nil {
			return kernel.NotKnown, e, err.Error()
		}
		if !w.Allowed {
			lacks = "ioctl"
			if w.Logged {
				audited = a.perms
			}
		}
	}
	if lacks == "" {
		if !c.Recording() {
			return kernel.Yes, 0, ""
		}
		return kernel.Yes, 0, strings.Join(a.perms, ", ") + ": allowed from " + s.between(a)
	}
	if bit, _ := s.policy.Perms(class, a.silent); a.silent != "" && bits.OnesCount32(bit) == 1 && d.AuditDeny&bit == 0 || d.NeverAudit {
		audited = nil
	}
	words := ""
	if c.Recording() {
		words = lacks + " is denied from " + s.between(a)
		if w, err := s.policy.Explain(selinux.Question{Source: a.source, Target: a.target, Class: a.class, Perm: lacks, Command: a.command}); err == nil {
			words += ": " + w.Text
		}
		if len(audited) == 0 {
			words += "; no AVC record tells of it"
		}
	}
	if c.Logs() && len(audited) > 0 {
		c.Logged(check.AVC{Source: s.policy.Text(a.source), Target: s.policy.Text(a.target), Class: a.class, Perms: strings.Join(audited, " ")})
	}
	switch enforcing := c.W.SELinux.Enforcing; {
	case d.Permissive:
		return kernel.Yes, 0, words + "; the domain is permissive"
	case !enforcing.Known():
		return kernel.NotKnown, e, words + "; whether SELinux is enforcing is not known"
	case !enforcing.V:
		return kernel.Yes, 0, words + "; SELinux is permissive"
	}
	return kernel.No, e, words
}

func (s *SELinux) between(a *access) string {
	return s.policy.Text(a.source) + " to " + s.policy.Text(a.target) + ", class " + a.class
}

// Capable is selinux_capable, for a capability that the task has.
func (s *SELinux) Capable(c *check.Check, want kernel.Cap, initial bool) (kernel.Answer, string) {
	if s.read(c.W); s.why != "" {
		return kernel.NotKnown, s.why
	}
	class := "capability"
	if want >= 32 {
		class = "capability2"
	}
	if !initial {
		class = map[string]string{"capability": "cap_userns", "capability2": "cap2_userns"}[class]
	}
	a, _, words := s.decide(c, &access{source: s.task, target: s.task, class: class, perms: []string{strings.ToLower(strings.TrimPrefix(want.String(), "CAP_"))}})
	return a, words
}

// fileClass is inode_mode_to_security_class.
func fileClass(typ uint16) string {
	switch typ & world.TypeMask {
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

// superblock says how a filesystem labels its files, or why that is not known.
func (s *SELinux) superblock(sb *world.SB) (*selinux.Superblock, string) {
	if !sb.Contexts.Known() {
		return nil, "whether the filesystem was mounted with context= is not known"
	}
	m, err := s.policy.Mount(sb.Type, s.options(sb.Contexts.V))
	switch o := sb.Contexts.V; {
	case err != nil:
		return nil, err.Error()
	case o.Context != "" && m.By != selinux.ByMount, o.RootContext != "", o.DefContext != "":
		return nil, "how the filesystem's mount options label the file is not known"
	}
	return m, ""
}

// label returns the label of a file, or why it is not known.
func (s *SELinux) label(w *world.World, ino *world.Inode) (selinux.Label, string) {
	m, why := s.superblock(w.FS.SB(ino.SB))
	switch {
	case why != "":
		return selinux.Label{}, why
	case m.By != selinux.ByMount && (ino.Known&world.KnownContext == 0 || ino.Context == "" && m.By != selinux.ByXattr):
		return selinux.Label{}, "the file's context is not known"
	case m.By == selinux.ByMount || m.By == selinux.ByXattr:
		return m.Existing(s.task, "", fileClass(ino.Type()), ino.Context), ""
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
