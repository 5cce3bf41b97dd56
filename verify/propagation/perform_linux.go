package propagation

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"syscallstory/mount"
	"syscallstory/story"
	"syscallstory/world"
)

// attempt is a sequence under way in the kernel.
type attempt struct {
	k      *machine
	agents []*caller
	fds    []int
}

var kindFlags = [...]uintptr{mount.Private: unix.MS_PRIVATE, mount.Shared: unix.MS_SHARED, mount.Slave: unix.MS_SLAVE, mount.Unbindable: unix.MS_UNBINDABLE}

// flagBits are the numbers of mount(2) and mount_setattr(2) for the world's flags, in their order.
var flagBits = [...][2]uintptr{{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY}, {unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID}, {unix.MS_NODEV, unix.MOUNT_ATTR_NODEV},
	{unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC}, {unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW}}

func bits(f world.MountFlags, which int) uintptr {
	n := uintptr(0)
	for i, b := range flagBits {
		if f>>i&1 != 0 {
			n |= b[which]
		}
	}
	return n
}

const moveBeneath = 0x200 // MOVE_MOUNT_BENEATH

// do makes an operation in the kernel.
func (t *attempt) do(o *op) (story.Errno, error) {
	a := t.agents[o.agent%len(t.agents)]
	if o.kind == opSpawn {
		n, e, err := t.k.spawn(a, o.alt)
		if n != nil {
			t.agents = append(t.agents, n)
		}
		return story.Errno(e), err
	}
	a.Reset()
	cwd := unix.AT_FDCWD
	at := uintptr(cwd)
	rec := uintptr(0)
	if o.rec {
		rec = unix.MS_REC
	}
	fd, path, empty := at, uintptr(0), uintptr(0)
	if o.usesHold() {
		fd, empty = uintptr(t.fds[o.hold%len(t.fds)]), 1
	}
	var i int
	source := func() {
		path = a.Put("/" + o.p)
		if empty != 0 {
			path = a.Put("")
		}
	}
	switch o.kind {
	case opMount:
		p := a.Put("/" + o.p)
		i = a.Add(unix.SYS_MOUNT, a.Put("t"), p, a.Put("tmpfs"), 0, a.Put("mode=777"))
		if o.p != "" { // what covers the root is never seen
			fill(a, "/"+o.p, uint16(i+1))
		}
	case opBind:
		i = a.Add(unix.SYS_MOUNT, a.Put("/"+o.p), a.Put("/"+o.q), 0, unix.MS_BIND|rec, 0)
	case opMove:
		i = a.Add(unix.SYS_MOUNT, a.Put("/"+o.p), a.Put("/"+o.q), 0, unix.MS_MOVE, 0)
	case opUmount:
		flags := uintptr(0)
		if o.alt {
			flags = unix.MNT_DETACH
		}
		i = a.Add(unix.SYS_UMOUNT2, a.Put("/"+o.p), flags)
	case opChange:
		i = a.Add(unix.SYS_MOUNT, 0, a.Put("/"+o.p), 0, kindFlags[o.how]|rec, 0)
	case opRemount:
		i = a.Add(unix.SYS_MOUNT, 0, a.Put("/"+o.p), 0, unix.MS_REMOUNT|unix.MS_BIND|bits(o.flags, 0), 0)
	case opPivot:
		i = a.Add(unix.SYS_PIVOT_ROOT, a.Put("/"+o.p), a.Put("/"+o.q))
	case opHold:
		i = a.Add(unix.SYS_OPENAT, at, a.Put("/"+o.p), unix.O_PATH|unix.O_CLOEXEC, 0)
	case opRelease:
		i = a.Add(unix.SYS_CLOSE, fd)
	case opClone:
		source()
		flags := uintptr(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC) | empty*unix.AT_EMPTY_PATH
		if o.rec {
			flags |= unix.AT_RECURSIVE
		}
		i = a.Add(unix.SYS_OPEN_TREE, fd, path, flags)
	case opAttach, opBeneath, opSetGroup:
		source()
		flags := empty * unix.MOVE_MOUNT_F_EMPTY_PATH
		switch o.kind {
		case opBeneath:
			flags |= moveBeneath
		case opSetGroup:
			flags |= unix.MOVE_MOUNT_SET_GROUP
		}
		i = a.Add(unix.SYS_MOVE_MOUNT, fd, path, at, a.Put("/"+o.q), flags)
	case opSetAttr:
		source()
		attr := []uint64{uint64(bits(o.flags, 1)), uint64(bits(o.clear, 1)), 0, 0}
		if o.alt {
			attr[2] = uint64(kindFlags[o.how])
		}
		a.Align()
		var raw []byte
		for _, v := range attr {
			for s := 0; s < 64; s += 8 {
				raw = append(raw, byte(v>>s))
			}
		}
		flags := empty * unix.AT_EMPTY_PATH
		if o.rec {
			flags |= unix.AT_RECURSIVE
		}
		i = a.Add(unix.SYS_MOUNT_SETATTR, fd, path, flags, a.Put(string(raw)), 32)
	}
	if err := a.Run(); err != nil {
		return 0, err
	}
	r := a.B.Orders[i].Ret
	if r < 0 {
		return story.Errno(-r), nil
	}
	if o.kind == opHold || o.kind == opClone {
		t.fds = append(t.fds, int(r))
	}
	return 0, nil
}

// expires asks umount2 with MNT_EXPIRE of a list of paths.
func (t *attempt) expires(a *caller, paths []string) ([]story.Errno, error) {
	a.Reset()
	for _, p := range paths {
		a.Add(unix.SYS_UMOUNT2, a.Put("/"+p), unix.MNT_EXPIRE)
	}
	if err := a.Run(); err != nil {
		return nil, err
	}
	out := make([]story.Errno, len(paths))
	for i := range out {
		if r := a.B.Orders[i].Ret; r < 0 {
			out[i] = story.Errno(-r)
		}
	}
	return out, nil
}

// view reads what an agent sees.
func (t *attempt) view(a *caller, out []seen) ([]seen, error) {
	text, err := t.k.mountinfo(a)
	if err != nil {
		return nil, err
	}
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		text = rest
		f := bytes.Fields(line)
		if len(f) < 7 {
			return nil, fmt.Errorf("mountinfo has the line %q", line)
		}
		num := func(b []byte) uint32 { n, _ := strconv.ParseUint(string(b), 10, 32); return uint32(n) }
		s := seen{id: num(f[0]), parent: num(f[1]), device: string(f[2]), root: string(f[3]), point: string(f[4])}
		var flags world.MountFlags
		for _, opt := range bytes.Split(f[5], []byte{','}) {
			flags |= world.ParseMountFlag(string(opt))
		}
		s.flags = flags.String()
		for _, opt := range f[6:] {
			if len(opt) == 1 && opt[0] == '-' {
				break
			}
			switch name, v, _ := bytes.Cut(opt, []byte{':'}); string(name) {
			case "shared":
				s.group = num(v)
			case "master":
				s.master = num(v)
			case "unbindable":
				s.unbindable = true
			}
		}
		out = append(out, s)
	}
	return out, nil
}
