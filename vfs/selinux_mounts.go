package vfs

import (
	"syscallstory/selinux"
	"syscallstory/story"
	"syscallstory/world"
)

// What SELinux asks at the hooks of mounts.

// mountOptions reads the contexts of a mount.
func (a *asking) mountOptions(m world.MountContexts) (o selinux.MountOptions, err error) {
	for _, c := range []struct {
		text string
		into *selinux.Label
	}{{m.Context, &o.Context}, {m.FSContext, &o.FSContext}, {m.DefContext, &o.DefContext}, {m.RootContext, &o.RootContext}} {
		if c.text == "" {
			continue
		}
		if *c.into, err = a.parse(c.text); err != nil {
			return o, err
		}
	}
	return o, nil
}

// mount is selinux_set_mnt_opts and selinux_sb_kern_mount: who labels a filesystem takes it from the label that it would have.
func (a *asking) mount() {
	q := a.q
	plain, err := a.policy.Mount(q.Name, selinux.MountOptions{})
	o, wrong := a.mountOptions(q.Contexts)
	if err != nil || wrong != nil {
		a.lost("how the filesystem is labelled is not known")
		return
	}
	given := q.Contexts != (world.MountContexts{})
	if fs := filesystemOf(q.Name); given && (fs == nil || fs.shared || fs.device) {
		a.lost("whether the filesystem is mounted already, with which contexts, is not known")
		return
	}
	if given && q.Args[0] != 0 {
		switch q.Name {
		case "tmpfs", "ramfs", "devpts", "overlay":
		default:
			a.errno, a.words = story.EACCES, "a filesystem of another user namespace takes no contexts"
			return
		}
	}
	own := plain.Label
	relabels := func(to selinux.Label) { // may_context_mount_sb_relabel
		a.ask(own, "filesystem", "relabelfrom")
		a.ask(to, "filesystem", "relabelto")
		own = to
	}
	holds := func(l selinux.Label) { // may_context_mount_inode_relabel
		a.ask(own, "filesystem", "relabelfrom")
		a.list = append(a.list, access{source: l, target: own, class: "filesystem", perms: []string{"associate"}})
	}
	if o.FSContext.IsValid() {
		relabels(o.FSContext)
	}
	switch {
	case o.Context.IsValid() && o.FSContext.IsValid():
		holds(o.Context)
	case o.Context.IsValid():
		relabels(o.Context)
	}
	if o.RootContext.IsValid() {
		holds(o.RootContext)
	}
	if o.DefContext.IsValid() {
		if plain.By != selinux.ByXattr {
			a.errno, a.words = story.EINVAL, selinux.ErrDefaultUnused.Error()
			return
		}
		holds(o.DefContext)
	}
	a.ask(own, "filesystem", "mount")
}

// remount is selinux_sb_remount: contexts among the options must be those that the filesystem was mounted with.
func (a *asking) remount() {
	asked := a.q.Contexts
	if asked == (world.MountContexts{}) {
		return
	}
	has := a.c.W.FS.SBOf(a.q.Path.Dentry).Contexts
	if !has.Known() {
		a.lost("with which contexts the filesystem was mounted is not known")
		return
	}
	for _, c := range [][2]string{{asked.Context, has.V.Context}, {asked.FSContext, has.V.FSContext}, {asked.DefContext, has.V.DefContext}, {asked.RootContext, has.V.RootContext}} {
		if c[0] == "" {
			continue
		}
		want, err := a.parse(c[0])
		if mounted, wrong := a.parse(c[1]); err != nil || wrong != nil || mounted != want {
			a.errno, a.words = story.EINVAL, "the filesystem was not mounted with this context"
		}
	}
}
