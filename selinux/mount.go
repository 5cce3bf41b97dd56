package selinux

import "errors"

// MountOptions are the labels of a mount's options; the zero value of each is an option that is not given.
type MountOptions struct{ Context, FSContext, DefContext, RootContext Label }

// Superblock is how a mounted filesystem labels its files (struct superblock_security_struct).
type Superblock struct {
	By    Labelling // ByMount behind context=
	Label Label     // of the filesystem itself, which mount, associate and the like ask about

	p          *Policy
	filesystem string
	mount      Label // of every file, behind context=
	missing    Label // of files that lack the attribute
	root       Label // of the root directory, where an option says
}

// Errors of a mount's options; the kernel answers EINVAL to both.
var (
	ErrContextAndDefault = errors.New("context= and defcontext= exclude each other")
	ErrDefaultUnused     = errors.New("defcontext= is for filesystems whose files have labels of their own")
)

// Mount returns how a filesystem that is mounted from the initial user namespace labels its files (selinux_set_mnt_opts).
func (p *Policy) Mount(filesystem string, o MountOptions) (*Superblock, error) {
	s := &Superblock{p: p, filesystem: filesystem}
	s.By, s.Label = p.Filesystem(filesystem)
	s.missing, _ = p.InitialSID("file")
	if o.Context.IsValid() && o.DefContext.IsValid() {
		return nil, ErrContextAndDefault
	}
	if o.FSContext.IsValid() {
		s.Label = o.FSContext
	}
	s.root = o.RootContext
	if o.Context.IsValid() {
		if !o.FSContext.IsValid() {
			s.Label = o.Context
		}
		if !s.root.IsValid() {
			s.root = o.Context
		}
		s.By, s.mount = ByMount, o.Context
	}
	if o.DefContext.IsValid() {
		if s.By != ByXattr {
			return nil, ErrDefaultUnused
		}
		s.missing = o.DefContext
	}
	return s, nil
}

// Root returns the label of the root directory; task is the label of who mounts, stored the attribute, "" for none.
func (s *Superblock) Root(task Label, stored string) Label {
	if s.root.IsValid() {
		return s.root
	}
	return s.Existing(task, "/", "dir", stored)
}

// Existing returns the label that a file gets when the kernel first sees it (inode_doinit_with_dentry). task is the label of
// whose look-up brings it in, which counts for filesystems without labels on disk; stored is the attribute security.selinux, ""
// for none. One that is no valid context counts as unlabeled.
func (s *Superblock) Existing(task Label, path, class, stored string) Label {
	p := s.p
	switch s.By {
	case ByMount:
		return s.mount
	case ByTask:
		return task
	case ByXattr:
		if stored == "" {
			return s.missing
		}
		if l, err := p.Label(p.completed(stored, s.missing)); err == nil {
			return l
		}
		l, _ := p.InitialSID("unlabeled")
		return l
	case ByTransition:
		c, _ := p.Class(class)
		if made, err := p.Create(task, s.Label, c, ""); err == nil {
			return made.Label
		}
		return s.Label
	case ByGenFS:
		if class == "lnk_file" && !p.HasCapability("genfs_seclabel_symlinks") {
			return s.Label
		}
		if l, ok := p.GenFS(s.filesystem, path, class); ok {
			return l
		}
		l, _ := p.InitialSID("unlabeled")
		return l
	}
	return s.Label
}

// completed gives an attribute from before the policy had MLS a range, and takes one away that the policy has no use for
// (mls_context_to_sid, where there is a default).
func (p *Policy) completed(stored string, other Label) string {
	c, rng, err := split(stored)
	switch {
	case err != nil || p.mls == (rng != nil):
		return stored
	case p.mls:
		return stored + ":" + p.rangeText(other.rng)
	}
	return c.String()
}

// New returns the label of a file that a task makes in a directory (selinux_determine_inode_label): behind context= that one, what
// the task has asked for in /proc/self/attr/fscreate, else what the rules give.
func (s *Superblock) New(task, dir, asked Label, c Class, name string) (Created, error) {
	switch {
	case s.By == ByMount:
		return Created{s.mount, []Step{{"type", "the mount has context="}}}, nil
	case asked.IsValid():
		return Created{asked, []Step{{"type", "the task asked for it in /proc/self/attr/fscreate"}}}, nil
	}
	return s.p.Create(task, dir, c, name)
}
