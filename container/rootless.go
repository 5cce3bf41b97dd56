package container

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"syscallstory/container/inside"
	"syscallstory/from/files"
	"syscallstory/world"
)

// idMaps are the maps of the user namespace that an ordinary user launches a container in.
type idMaps struct {
	uids, gids world.IDMap
	helpers    bool // newuidmap and newgidmap write them
}

// ownMaps returns what this user may map: the ranges of /etc/subuid and /etc/subgid, if there are such and the programs that
// grant them, else nothing but the own id, as root.
func ownMaps() idMaps {
	uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
	m := idMaps{uids: world.IDMap{{Inside: 0, Outside: uid, Count: 1}}, gids: world.IDMap{{Inside: 0, Outside: gid, Count: 1}}}
	for _, p := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(p); err != nil {
			return m
		}
	}
	us, ok1 := subRange("/etc/subuid")
	gs, ok2 := subRange("/etc/subgid")
	if ok1 && ok2 {
		us.Inside, gs.Inside = 1, 1
		m.uids, m.gids, m.helpers = append(m.uids, us), append(m.gids, gs), true
	}
	return m
}

// subRange finds this user's first range in /etc/subuid or /etc/subgid (subuid(5)).
func subRange(file string) (world.Extent, bool) {
	f, err := os.Open(file)
	if err != nil {
		return world.Extent{}, false
	}
	defer f.Close()
	id := strconv.Itoa(os.Getuid())
	name := id
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		p := strings.Split(strings.TrimSpace(sc.Text()), ":")
		if len(p) != 3 || p[0] != name && p[0] != id {
			continue
		}
		start, err1 := strconv.ParseUint(p[1], 10, 32)
		count, err2 := strconv.ParseUint(p[2], 10, 32)
		if err1 == nil && err2 == nil && count > 0 {
			return world.Extent{Outside: uint32(start), Count: uint32(min(count, 65535))}, true
		}
	}
	return world.Extent{}, false
}

// rootless moves the world into the user namespace: the task, the files that are copied and the filesystems that are mounted
// belong to it; the host's own files stay what they are.
func (p *Plan) rootless() error {
	w := p.w
	if len(w.UserNS) > 1 {
		return errors.New("a container with a user namespace of its own is launched by root only")
	}
	m := ownMaps()
	p.maps = &m
	lost := func(what string, id uint32) error {
		if m.helpers {
			return fmt.Errorf("%s has id %d, which your ranges in /etc/subuid and /etc/subgid do not reach", what, id)
		}
		return fmt.Errorf("%s has id %d: without root that needs newuidmap (package uidmap) and a range for you in /etc/subuid and /etc/subgid", what, id)
	}
	w.UserNS = append(w.UserNS, world.UserNS{Level: 1, Owner: world.KUID(os.Getuid()), UIDs: m.uids, GIDs: m.gids, Name: "the user namespace of the container"})
	cr := &w.Task.Cred
	uid, ok := m.uids.Down(uint32(cr.FSUID))
	if !ok {
		return lost("the task's user", uint32(cr.FSUID))
	}
	gid, ok := m.gids.Down(uint32(cr.FSGID))
	if !ok {
		return lost("the task's group", uint32(cr.FSGID))
	}
	k, g := world.KUID(uid), world.KGID(gid)
	cr.RUID, cr.EUID, cr.SUID, cr.FSUID, cr.RGID, cr.EGID, cr.SGID, cr.FSGID, cr.UserNS = k, k, k, k, g, g, g, g, 1
	if err := p.groups(cr, m, lost); err != nil {
		return err
	}
	own := map[world.SBID]bool{w.Mounts[1].SB: true}
	for sb := range p.trees {
		own[sb] = true
	}
	ov := w.FS.SB(w.Mounts[1].SB).Overlay
	own[w.FS.I(ov.Upper).SB] = true
	for i := 1; i < w.FS.NumSB(); i++ {
		sb := w.FS.SB(world.SBID(i))
		if own[world.SBID(i)] || sb.Type == "proc" || sb.Type == "sysfs" || sb.Type == "mqueue" || sb.Type == "devpts" || sb.Type == "cgroup2" {
			sb.UserNS = 1
			if sb.Type != "devpts" {
				sb.Flags |= world.SBNoDev
			}
		}
	}
	at := w.Text("whoever launches the container")
	ov.Mounter = world.Cred{FSUID: world.KUID(os.Getuid()), EUID: world.KUID(os.Getuid()), FSGID: world.KGID(os.Getgid()), UserNS: 1, Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps,
		UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at}
	for i := range w.MountNS {
		w.MountNS[i].Owner = 1
	}
	for i := range w.Namespaces {
		if !w.Namespaces[i].Initial {
			w.Namespaces[i].Owner = 1
		}
	}
	return w.FS.Each(func(i *world.Inode) error {
		switch {
		case !own[i.SB] || i.Known&world.KnownOwner == 0:
			return nil
		case len(i.Layers) > 0 && !own[w.FS.I(i.Layers[0]).SB]: // of a layer that is used as it lies on the host
			return nil
		}
		uid, ok1 := m.uids.Down(uint32(i.UID))
		gid, ok2 := m.gids.Down(uint32(i.GID))
		if !ok1 {
			return lost("a file", uint32(i.UID))
		}
		if !ok2 {
			return lost("a file's group", uint32(i.GID))
		}
		i.UID, i.GID = world.KUID(uid), world.KGID(gid)
		if i.Caps != nil && i.Caps.Version == 3 {
			caps := *i.Caps
			root, ok := m.uids.Down(uint32(caps.Root))
			if !ok {
				return lost("a file's capabilities", uint32(caps.Root))
			}
			caps.Root = world.KUID(root)
			i.Caps = &caps
		}
		for k := range i.ACL {
			e := &i.ACL[k]
			switch e.Tag {
			case world.ACLUser:
				e.ID, ok1 = m.uids.Down(e.ID)
			case world.ACLGroup:
				e.ID, ok1 = m.gids.Down(e.ID)
			}
			if !ok1 {
				return lost("an ACL", e.ID)
			}
		}
		return nil
	})
}

// groups maps the supplementary groups; with nothing but the own id they cannot be changed, and the caller's stay.
func (p *Plan) groups(cr *world.Cred, m idMaps, lost func(string, uint32) error) error {
	if !m.helpers {
		own, err := os.Getgroups()
		if err != nil {
			return err
		}
		if len(cr.Groups) > 0 {
			p.Notes = append(p.Notes, "without newgidmap the supplementary groups cannot be set: the container keeps yours")
		}
		cr.Groups, p.spec.Task.Cred.Groups = nil, nil
		for _, g := range own {
			cr.Groups = append(cr.Groups, world.KGID(g))
		}
		return nil
	}
	for i, g := range cr.Groups {
		k, ok := m.gids.Down(uint32(g))
		if !ok {
			return lost("a supplementary group", uint32(g))
		}
		cr.Groups[i] = world.KGID(k)
	}
	return nil
}

// hostDevices are the host's own nodes, which are bound where none can be made.
var hostDevices = map[[2]uint32]string{{1, 3}: "/dev/null", {1, 5}: "/dev/zero", {1, 7}: "/dev/full", {1, 8}: "/dev/random", {1, 9}: "/dev/urandom", {5, 0}: "/dev/tty", {5, 2}: "/dev/ptmx"}

// bindDevices replaces the device nodes of a tree by binds of the host's: nobody makes a node in a user namespace.
func (p *Plan) bindDevices(m world.MountID) {
	fs := p.w.FS
	mnt := p.w.Mounts[m]
	kids, _ := fs.Children(mnt.Root, maxFiles)
	for _, d := range kids[mnt.Root] {
		ino := fs.I(d)
		host := hostDevices[[2]uint32{ino.Major, ino.Minor}]
		if !ino.Is(world.TypeChar) || host == "" {
			continue
		}
		at := p.w.Text("the host's " + host)
		node := *ino
		node.At, node.SB = at, 0
		id := fs.NewSB(world.SB{Type: files.Type("/dev"), Name: "the host's /dev", At: at, FlagsAt: at}, node)
		*fs.I(d) = world.Inode{SB: fs.I(d).SB, Mode: world.TypeReg | 0o644, Known: world.KnownAll, Nlink: 1, At: at}
		target := p.w.PathText(world.Path{Mount: m, Dentry: d})
		p.w.Attach(world.Path{Mount: m, Dentry: d}, world.Mount{SB: id, Root: fs.SB(id).Root, Point: target, Source: "host:" + host, Origin: at, Why: at, NS: mnt.NS})
		p.devices = append(p.devices, inside.Mount{Type: "bind", Tree: -1, Source: host, Target: target})
	}
}

// write has newuidmap and newgidmap write the maps of a process.
func (m *idMaps) write(pid int) error {
	for _, h := range []struct {
		program string
		ids     world.IDMap
	}{{"newuidmap", m.uids}, {"newgidmap", m.gids}} {
		args := []string{strconv.Itoa(pid)}
		for _, e := range h.ids {
			args = append(args, fmt.Sprint(e.Inside), fmt.Sprint(e.Outside), fmt.Sprint(e.Count))
		}
		if out, err := exec.Command(h.program, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %v %s", h.program, err, firstLine(out))
		}
	}
	return nil
}

// Ranges says which ids this user can map, and whether those are more than the own one.
func Ranges() (string, bool) {
	m := ownMaps()
	return "uids " + m.uids.String() + "; gids " + m.gids.String(), m.helpers
}

// TryUserNS makes a user namespace, which ends at once.
func TryUserNS() error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{firstName, inside.Hold}
	ids := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids(os.Getuid()), GidMappings: ids(os.Getgid()), Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}
