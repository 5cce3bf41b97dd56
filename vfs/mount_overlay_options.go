package vfs

import (
	"strings"

	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// How an overlay treats redirects (ovl_config.redirect_mode).
const (
	redirectNone = iota
	redirectFollow
	redirectOn
)

// overlayConfig is struct ovl_config, with which of its options were given (struct ovl_opt_set).
type overlayConfig struct {
	redirect                                           uint8
	off                                                uint8 // what redirect_dir=off comes to
	index, export, metacopy, xino, volatile, userXattr bool
	setRedirect, setIndex, setExport, setMetacopy      bool
	setUUID                                            bool
}

// defaults are the module's parameters. Where they are not known they are what the kernel has without configuration.
func (o *overlayConfig) defaults(c *check.Check) {
	on := func(s kernel.Sysctl, def bool) bool {
		if f := c.W.Sysctl(s); f.Known() && f.V != kernel.NotThere {
			return f.V != 0
		}
		return def
	}
	*o = overlayConfig{index: on(kernel.OverlayIndex, false), export: on(kernel.OverlayNFSExport, false), metacopy: on(kernel.OverlayMetacopy, false)}
	if on(kernel.OverlayAlwaysFollow, true) {
		o.off = redirectFollow
	}
	if o.redirect = o.off; on(kernel.OverlayRedirectDir, false) {
		o.redirect = redirectOn
	}
}

// set takes an option; ok is false for any other, and for a value that the option does not have.
func (o *overlayConfig) set(opt string) (ok bool) {
	name, value, has := strings.Cut(opt, "=")
	yes := value == "on"
	switch {
	case opt == "userxattr":
		o.userXattr = true
	case opt == "volatile":
		o.volatile = true
	case opt == "default_permissions":
	case opt == "uuid=on", opt == "uuid=off":
		o.setUUID = true
	case opt == "xino=auto": // counts where numbers of inodes are shown alone
		o.xino = false
	case name == "redirect_dir" && has:
		mode, known := map[string]uint8{"off": o.off, "nofollow": redirectNone, "follow": redirectFollow, "on": redirectOn}[value]
		o.redirect, o.setRedirect = mode, true
		return known
	case !yes && value != "off":
		return false
	case name == "xino":
		o.xino = yes
	case name == "index":
		o.index, o.setIndex = yes, true
	case name == "nfs_export":
		o.export, o.setExport = yes, true
	case name == "metacopy":
		o.metacopy, o.setMetacopy = yes, true
	default:
		return false
	}
	return true
}

// resolve is ovl_fs_params_verify: options that exclude each other are refused where both are given; where one is the module's
// parameter it gives way, or is turned on with what needs it.
func (l *layers) resolve(c *check.Check, p world.Path) story.Errno {
	conflict := func(what string) story.Errno { return conflict(c, p, what) }
	late := c.K.Has(kernel.OverlayAsksTrusted) != kernel.No
	if !late {
		if err := l.dataAlone(c, p); err != 0 {
			return err
		}
	}
	if !l.hasUpper {
		l.setIndex, l.index, l.volatile = l.setIndex && !l.index, false, false
		if l.redirect == redirectFollow {
			l.redirect = redirectOn
		}
	}
	if l.metacopy && l.redirect != redirectOn {
		if l.setMetacopy && l.setRedirect {
			return conflict("metacopy=on, and redirect_dir that is not on")
		}
		if l.metacopy = !l.setRedirect; l.metacopy {
			l.redirect = redirectOn
		}
	}
	if l.export && !l.index {
		switch {
		case !l.hasUpper && l.redirect != redirectNone:
			l.export = false
		case l.setExport && l.setIndex:
			return conflict("nfs_export=on, and index=off")
		default:
			l.export, l.index = !l.setIndex, !l.setIndex
		}
	}
	if l.export && l.metacopy {
		if l.setExport && l.setMetacopy {
			return conflict("nfs_export=on, and metacopy=on")
		}
		l.export, l.metacopy = !l.setMetacopy, l.setMetacopy
	}
	if l.index && l.setUUID {
		l.unsure = true
		return notModelled(c, p, "which file handles index=on keeps with uuid=", story.ESTALE, story.EINVAL, story.EPERM, story.EBUSY, story.EACCES, story.ELOOP)
	}
	if l.userXattr {
		switch {
		case l.setRedirect && l.redirect != redirectNone:
			return conflict("userxattr, and redirect_dir that is not nofollow")
		case l.setMetacopy && l.metacopy:
			return conflict("userxattr, and metacopy=on")
		}
		l.redirect, l.metacopy = redirectNone, false
	} else if err := l.trusted(c, p); err != 0 {
		return err
	}
	if late {
		return l.dataAlone(c, p)
	}
	return 0
}

func conflict(c *check.Check, p world.Path, what string) story.Errno {
	s := story.Step{Code: story.OverlayOptions, Errno: story.EINVAL, Op: story.OpMount, Obj: p.Ref()}
	if c.Recording() {
		s.Val[0] = c.Word(what)
	}
	return c.Refuse(s)
}

// dataAlone asks whether data-only layers are used with metacopy=on.
func (l *layers) dataAlone(c *check.Check, p world.Path) story.Errno {
	if l.data == 0 || l.metacopy {
		return 0
	}
	switch c.K.Has(kernel.OverlayDataPlain) {
	case kernel.No:
		return conflict(c, p, "data-only layers without metacopy=on")
	case kernel.NotKnown:
		l.unsure = true
		return notModelled(c, p, "whether data-only layers need metacopy=on", story.EINVAL)
	}
	return 0
}

// trusted asks for the right to use trusted.* where an option that is given needs it.
func (l *layers) trusted(c *check.Check, p world.Path) story.Errno {
	needs := l.setRedirect && l.redirect != redirectNone || l.setMetacopy && l.metacopy || l.data > 0
	if !needs || c.K.Has(kernel.OverlayAsksTrusted) == kernel.No {
		return 0
	}
	return Capable(c, 0, check.RealmInitial, kernel.CapSysAdmin, p, story.OpMount)
}

// inUse is ovl_report_in_use: an upper layer that is another overlay's is refused with index=on; without it the kernel only warns.
func (l *layers) inUse(c *check.Check) story.Errno {
	if !l.index {
		return 0
	}
	s := story.Step{Code: story.LayerBusy, Errno: story.EBUSY, Op: story.OpMount, Obj: l.upper.Ref()}
	for i := range c.W.Mounts {
		m := &c.W.Mounts[i]
		if ov := c.W.FS.SB(m.SB).Overlay; i > 0 && !m.Gone && ov != nil && ov.Upper == l.upper.Dentry {
			s.Fact[0] = m.Origin
			return c.Refuse(s)
		}
	}
	if c.Recording() {
		s.Fact[0] = c.W.Suppose("no overlay that is not seen here uses the layer", "")
		c.Pass(s)
	}
	return 0
}

// sameOrigin is what ovl_get_indexdir asks: the root of the upper layer says which lower one it belongs to.
func (l *layers) sameOrigin(c *check.Check) story.Errno {
	before := *l
	l.fallBack(c)
	index := l.index && l.hasUpper
	if *l = before; !index {
		return 0
	}
	ino := c.W.FS.I(l.upper.Dentry)
	marks := ino.Marks
	if l.userXattr {
		marks = ino.UserMarks
	}
	if marks == nil || !marks.Traced || marks.Origin == l.lower[0].Dentry {
		return 0
	}
	s := story.Step{Code: story.LayerOrigin, Errno: story.ESTALE, Op: story.OpMount, Obj: l.upper.Ref(), Fact: [3]story.Origin{ino.At}}
	if marks.Origin == 0 { // which it is is not known
		c.Unknown(s)
		return 0
	}
	return c.Refuse(s)
}

// fallBack turns off what the layers do not bear: marks that the mounter may not write (ovl_make_workdir), and file handles that a layer
// does not have (ovl_lower_dir).
func (l *layers) fallBack(c *check.Check) {
	if l.hasUpper && c.Cred.UserNS != 0 && !l.userXattr {
		l.redirect, l.metacopy, l.index, l.export = redirectNone, false, false, false
	}
	for i := range l.n {
		if ov := c.W.FS.SBOf(l.lower[i].Dentry).Overlay; ov != nil && !ov.NFSExport.V {
			l.index, l.export = false, false
		}
	}
}
