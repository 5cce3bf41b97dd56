package vfs

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/world"
)

// SELinux decides by the world's policy. What each hook asks stands in selinux_hooks.go and in selinux_mounts.go, _tasks, _ipc and _sockets; hooks that are not there stay unknown.
type SELinux struct {
	policy *selinux.Policy
	cache  *selinux.Cache
	task   selinux.Label
	why    string          // why the task's label is none
	open   bool            // policy capability open_perms
	from   string          // the text that task was read from
	level  string          // that contexts without one have
	levels [2]string       // the lowest and the highest one that an engine picks for a container
	plain  []selinux.Label // those of them that were read for the question
	// mounters are overlays of whose mounter nothing is known, with what is supposed of it.
	mounters map[world.SBID]story.Origin
}

// NewSELinux reads the task's label in the world's policy; nil: there is no policy.
func NewSELinux(w *world.World) *SELinux {
	p, ok := w.SELinux.Engine.(*selinux.Policy)
	if !ok || !w.SELinux.Policy.Known() {
		return nil
	}
	s := &SELinux{policy: p, cache: selinux.NewCache(p), mounters: map[world.SBID]story.Origin{}, open: p.HasCapability("open_perms")}
	s.levels[0], s.levels[1] = p.Levels()
	s.level = s.levels[0]
	s.read(w)
	for i := 1; i < w.FS.NumSB(); i++ {
		if sb := w.FS.SB(world.SBID(i)); sb.Overlay != nil && !sb.Overlay.Mounter.Context.Known() {
			s.mounters[world.SBID(i)] = w.Suppose("SELinux refuses nothing to whoever has mounted "+sb.Name+", on whose behalf overlayfs uses the layers", "")
		}
	}
	return s
}

// taskContext is the task's context: the one that it has or asks for, else what its engine gives.
func taskContext(t *world.Task) (string, story.Origin) {
	if text, at := t.LabelOf("selinux"); text != "" {
		return text, at
	}
	return t.EngineLabel.Value, t.EngineLabel.At
}

// read reads the task's label, which calls may change.
func (s *SELinux) read(w *world.World) {
	text, at := taskContext(&w.Task)
	if text == s.from && (s.why != "" || s.task.IsValid()) {
		return
	}
	s.from, s.why = text, ""
	if !at.Known() || text == "" {
		s.task, s.why = selinux.Label{}, "the task's context is not known"
		return
	}
	var err error
	if s.task, err = s.parse(text); err != nil {
		s.why = "the task's context is not one of the policy's: " + err.Error()
	}
}

// unlevelled reports whether a context has no level: the engine picks two categories, and which is not known.
func (s *SELinux) unlevelled(text string) bool {
	return s.policy.MLS() && strings.Count(text, ":") == 2
}

// parse reads a context; one without a level gets the one that is tried.
func (s *SELinux) parse(text string) (selinux.Label, error) {
	if !s.unlevelled(text) {
		return s.policy.Label(text)
	}
	l, err := s.policy.Label(text + ":" + s.level)
	if err == nil && !slices.Contains(s.plain, l) {
		s.plain = append(s.plain, l)
	}
	return l, err
}

// Ask answers at a hook. Where the engine has picked the task's level, the answer is what the lowest and the highest one give alike;
// the files of the container have the same one.
func (s *SELinux) Ask(c *check.Check, q check.Question) (kernel.Answer, story.Errno, string, story.Origin) {
	text, _ := taskContext(&c.W.Task)
	picked := s.unlevelled(text)
	if s.level, s.plain = s.levels[0], s.plain[:0]; picked {
		s.from = "" // it is read anew with each level
	}
	var supposed story.Origin
	if q.Path.Dentry != 0 {
		supposed = s.mounters[c.W.FS.Peek(q.Path.Dentry).SB]
	}
	a, e, words := s.ask(c, q)
	if !picked {
		return a, e, words, supposed
	}
	made := c.NewLabel
	s.level, s.from = s.levels[1], ""
	b, f, _ := s.ask(c, q)
	s.from, c.NewLabel = "", made
	if a != b || e != f {
		return kernel.NotKnown, story.EACCES, "it depends on the level that the engine has picked for the container: with " + s.levels[0] + ", " + words, supposed
	}
	return a, e, words, supposed
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

// ask answers at a hook.
func (s *SELinux) ask(c *check.Check, q check.Question) (kernel.Answer, story.Errno, string) {
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
		return kernel.Yes, 0, cmp.Or(a.words, "nothing is asked")
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
	return s.text(a.source) + " to " + s.text(a.target) + ", class " + a.class
}

// text prints a label; the level that the engine has picked is left out.
func (s *SELinux) text(l selinux.Label) string {
	if slices.Contains(s.plain, l) {
		return strings.TrimSuffix(s.policy.Text(l), ":"+s.level)
	}
	return s.policy.Text(l)
}

// Capable is selinux_capable, for a capability that the task has.
func (s *SELinux) Capable(c *check.Check, want kernel.Cap, initial bool) (kernel.Answer, string) {
	s.level = s.levels[0]
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
func (s *SELinux) label(w *world.World, p world.Path) (selinux.Label, string) {
	ino := w.FS.I(p.Dentry)
	if p.Mount == 0 {
	} else if m := &w.Mounts[p.Mount]; m.Label.Known() && ino.Known&world.KnownContext == 0 {
		l, err := s.parse(m.Label.V)
		if err != nil {
			return l, "the context that the engine gives the files is not one of the policy's: " + err.Error()
		}
		return l, ""
	}
	if l, why, known := s.special(w, p.Dentry); known {
		return l, why
	}
	m, why := s.superblock(w.FS.SB(ino.SB))
	switch {
	case why != "":
		return selinux.Label{}, why
	case m.By != selinux.ByMount && (ino.Known&world.KnownContext == 0 || ino.Context == "" && m.By != selinux.ByXattr):
		return selinux.Label{}, "the file's context is not known"
	case m.By == selinux.ByMount || m.By == selinux.ByXattr:
		return m.Existing(s.task, "", fileClass(ino.Type()), ino.Context), ""
	}
	l, err := s.parse(ino.Context)
	if err != nil {
		return l, "the file's context is not one of the policy's: " + err.Error()
	}
	return l, ""
}

// special is the label of a file of proc or sysfs, which no attribute holds: those of a process have its label, others the policy names
// by their path (selinux_task_to_inode, selinux_genfs_get_sid).
func (s *SELinux) special(w *world.World, d world.DentryID) (l selinux.Label, why string, known bool) {
	fs := w.FS
	ino, sb := fs.I(d), fs.SBOf(d)
	if ino.Known&world.KnownContext != 0 || sb.Type != "proc" && sb.Type != "sysfs" {
		return l, "", false
	}
	m, why := s.superblock(sb)
	if why != "" || m.By == selinux.ByMount {
		return l, why, why != ""
	}
	path := fs.Path(d)
	if at := whereInProc(fs, d); sb.Type == "proc" && at.depth > 0 && procPID(fs.D(at.top).Name) != 0 {
		switch {
		case at.depth > 1 && fs.D(at.second).Name == "net":
			path = "/net" + strings.TrimPrefix(path, fs.Path(at.second))
		case procPID(fs.D(at.top).Name) == max(w.Task.PID, 1) || w.Task.PID == 0:
			if s.why != "" {
				return l, s.why, true
			}
			return s.task, "", true
		default:
			p := w.ProcessByPID(procPID(fs.D(at.top).Name))
			if p == nil || !p.Context.Known() {
				return l, "the context of the other process is not known", true
			}
			l, err := s.parse(p.Context.V)
			if err != nil {
				return l, "the context of the other process is not one of the policy's: " + err.Error(), true
			}
			return l, "", true
		}
	}
	return m.Existing(s.task, path, fileClass(ino.Type()), ""), "", true
}

// options reads a mount's context; one that the policy does not know is none.
func (s *SELinux) options(m world.MountContexts) (o selinux.MountOptions) {
	o.Context, _ = s.parse(m.Context)
	o.FSContext, _ = s.policy.Label(m.FSContext)
	return o
}
