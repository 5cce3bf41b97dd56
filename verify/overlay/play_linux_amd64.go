package overlay

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/internal/agent"
	"syscallstory/story"
	"syscallstory/verify"
)

// difference is where model and kernel part.
type difference struct {
	model, kernel string
	detail        string
}

// play performs what the model has predicted of a scene, and compares.
func (s *stage) play(sc *Scene, all []mounting, r *verify.Report) (*difference, error) {
	defer s.leave()
	if err := s.build(sc); err != nil {
		return nil, err
	}
	for i := range all {
		to := &all[i]
		got, err := s.mount(sc, to, i == 0)
		if err != nil {
			return nil, err
		}
		if got != to.fails {
			return &difference{errnoText(to.fails), errnoText(got), fmt.Sprintf("at mount %d", i+1)}, nil
		}
		if got != 0 {
			return nil, nil
		}
		p := &pairs{dev: map[string]uint64{}, ino: map[string]uint64{}, devs: map[uint64]string{}, inos: map[[2]uint64]string{}}
		d, err := s.calls(to, p, r)
		if d != nil || err != nil {
			return d, err
		}
		if d, err = s.tree(s.actor(), ".", to.merged, "the overlay", "", p); d != nil || err != nil {
			return d, err
		}
		if to.upper >= 0 {
			prefix := "trusted.overlay."
			if to.set.userxattr {
				prefix = "user.overlay."
			}
			if d, err = s.tree(s.base, fmt.Sprintf("/w/s%d/l", to.upper), to.real, "the upper layer", prefix, nil); d != nil || err != nil {
				return d, err
			}
		}
	}
	return nil, nil
}

// calls performs the calls that a mount sees.
func (s *stage) calls(to *mounting, p *pairs, r *verify.Report) (d *difference, err error) {
	b := s.batch(s.actor())
	for i := range to.calls {
		a := &to.calls[i]
		args, err := b.Args(a.call)
		if err != nil {
			return nil, err
		}
		n := i
		call := b.Then(func(ret int64) error {
			if d != nil {
				return nil
			}
			got := story.Errno(0)
			if ret < 0 {
				got = story.Errno(-ret)
			}
			if r != nil {
				r.Count++
				verify.Tick(r.ByCall, a.call.Name, got != 0)
				verify.Tick(r.ByErrno, errnoText(got), got != 0)
				if got != 0 {
					r.Denials++
					verify.Tick(r.ByGate, a.gate, true)
				}
			}
			if got != a.errno {
				d = &difference{errnoText(a.errno), errnoText(got), fmt.Sprintf("at call %d of the mount, %s", n+1, a.text)}
			}
			return nil
		}, uintptr(a.call.Nr), args...)
		if strings.HasPrefix(a.call.Name, "open") {
			if a.write != "" {
				b.Bind(b.Add(unix.SYS_PWRITE64, 0, b.Put(a.write), uintptr(len(a.write)), 0), 0, call)
			}
			b.Bind(b.Add(unix.SYS_CLOSE, 0), 0, call)
		}
		for k := range a.probes {
			pr := &a.probes[k]
			b.lstat(pr.path, func(got sight, dev, ino uint64) error {
				if d == nil {
					if text := differ(&pr.want, &got, dev, ino, p); text != "" {
						d = &difference{"lstat says one thing", "another", fmt.Sprintf("after call %d of the mount, %s: %s: %s", n+1, a.text, pr.path, text)}
					}
				}
				return nil
			})
		}
		if err := b.room(); err != nil || d != nil {
			return d, err
		}
	}
	err = b.Flush()
	return d, err
}

// lstat adds a look at a name.
func (b *batch) lstat(path string, f func(s sight, dev, ino uint64) error) {
	cwd := unix.AT_FDCWD
	buf, at := b.Room(144)
	b.Then(func(ret int64) error {
		if ret < 0 {
			return f(sight{errno: story.Errno(-ret)}, 0, 0)
		}
		word := binary.LittleEndian.Uint64
		half := binary.LittleEndian.Uint32
		s := sight{nlink: uint32(word(buf[16:])), mode: uint16(half(buf[24:])), uid: half(buf[28:]), gid: half(buf[32:]), size: int64(word(buf[48:]))}
		return f(s, word(buf), word(buf[8:]))
	}, unix.SYS_NEWFSTATAT, uintptr(cwd), b.Put(path), at, unix.AT_SYMLINK_NOFOLLOW)
}

// pairs hold which of the kernel's numbers stands for which of the model's objects, one for one.
type pairs struct {
	dev, ino map[string]uint64
	devs     map[uint64]string
	inos     map[[2]uint64]string
}

// differ compares what lstat says.
func differ(want, got *sight, dev, ino uint64, p *pairs) string {
	if want.errno != got.errno {
		return fmt.Sprintf("%s, the kernel %s", errnoText(want.errno), errnoText(got.errno))
	}
	if want.errno != 0 {
		return ""
	}
	var out []string
	say := func(what string, x, y any) {
		if x != y {
			out = append(out, fmt.Sprintf("%s %v, the kernel %v", what, x, y))
		}
	}
	say("mode", fmt.Sprintf("%o", want.mode), fmt.Sprintf("%o", got.mode))
	say("owner", fmt.Sprint(want.uid, ":", want.gid), fmt.Sprint(got.uid, ":", got.gid))
	if typ := want.mode & unix.S_IFMT; typ == unix.S_IFREG || typ == unix.S_IFLNK {
		say("size", want.size, got.size)
	}
	if want.nlink != 0 {
		say("nlink", want.nlink, got.nlink)
	}
	if p == nil {
		return strings.Join(out, "; ")
	}
	if want.dev != "" {
		if have, ok := p.dev[want.dev]; ok {
			say("device of "+want.dev, have, dev)
		} else if other, ok := p.devs[dev]; ok {
			say("device", want.dev, other)
		} else {
			p.dev[want.dev], p.devs[dev] = dev, want.dev
		}
	}
	if want.ino != "" {
		if have, ok := p.ino[want.ino]; ok {
			say("number of "+want.ino, have, ino)
		} else if other, ok := p.inos[[2]uint64{dev, ino}]; ok {
			say("number", want.ino, other)
		} else {
			p.ino[want.ino], p.inos[[2]uint64{dev, ino}] = ino, want.ino
		}
	}
	return strings.Join(out, "; ")
}

// tree compares every name below a directory.
func (s *stage) tree(a *agent.Agent, base string, want []object, what, prefix string, p *pairs) (d *difference, err error) {
	b := s.batch(a)
	say := func(o *object, format string, args ...any) {
		if d == nil {
			d = &difference{"one state", "another", fmt.Sprintf("at the end of the mount, in %s: %s: %s", what, "/"+strings.TrimPrefix(o.path, "/"), fmt.Sprintf(format, args...))}
		}
	}
	for i := range want {
		o := &want[i]
		path := base + o.path
		b.lstat(path, func(got sight, dev, ino uint64) error {
			if text := differ(&o.sight, &got, dev, ino, p); text != "" {
				say(o, "%s", text)
			}
			return nil
		})
		if o.errno == 0 {
			b.holds(o, path, say)
			b.marked(o, path, prefix, say)
		}
		if err := b.room(); err != nil || d != nil {
			return d, err
		}
	}
	err = b.Flush()
	return d, err
}

// holds compares what a name holds.
func (b *batch) holds(o *object, path string, say func(*object, string, ...any)) {
	switch typ := o.mode & unix.S_IFMT; {
	case o.unread:
	case typ == unix.S_IFLNK:
		buf, at := b.Room(256)
		b.Then(func(ret int64) error {
			if got := string(buf[:max(ret, 0)]); got != o.data {
				say(o, "a link to %q, the kernel says to %q", o.data, got)
			}
			return nil
		}, unix.SYS_READLINK, b.Put(path), at, 256)
	case typ == unix.S_IFREG:
		buf, at := b.Room(len(o.data) + 64)
		fd := b.Add(unix.SYS_OPEN, b.Put(path), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
		read := b.Then(func(ret int64) error {
			switch got := string(buf[:max(ret, 0)]); {
			case ret == agent.NotMade:
				say(o, "it cannot be opened: %v", unix.Errno(-b.B.Orders[fd].Ret))
			case got != o.data:
				say(o, "it holds %s, the kernel says %s", short(o.data), short(got))
			}
			return nil
		}, unix.SYS_PREAD64, 0, at, uintptr(len(buf)), 0)
		b.Bind(read, 0, fd)
		if o.blocks >= 0 {
			st, at := b.Room(144)
			b.Bind(b.Then(func(ret int64) error {
				if got := int64(binary.LittleEndian.Uint64(st[64:])); ret == 0 && got != o.blocks {
					say(o, "%d blocks were copied, the kernel says %d", o.blocks, got)
				}
				return nil
			}, unix.SYS_FSTAT, 0, at), 0, fd)
		}
		b.Bind(b.Add(unix.SYS_CLOSE, 0), 0, fd)
	case typ == unix.S_IFDIR:
		buf, at := b.Room(4096)
		fd := b.Add(unix.SYS_OPEN, b.Put(path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		list := b.Then(func(ret int64) error {
			if ret == agent.NotMade {
				say(o, "it cannot be opened: %v", unix.Errno(-b.B.Orders[fd].Ret))
				return nil
			}
			ignored := func(n string) bool { return slices.Contains(o.ignore, n) }
			got, want := slices.DeleteFunc(dirNames(buf[:max(ret, 0)]), ignored), slices.DeleteFunc(slices.Clone(o.names), ignored)
			if !slices.Equal(got, want) {
				say(o, "it holds %v, the kernel says %v", want, got)
			}
			return nil
		}, unix.SYS_GETDENTS64, 0, at, 4096)
		b.Bind(list, 0, fd)
		b.Bind(b.Add(unix.SYS_CLOSE, 0), 0, fd)
	}
}

// marked compares attributes: user.x and user.y and, in the upper layer, those of overlayfs.
func (b *batch) marked(o *object, path, prefix string, say func(*object, string, ...any)) {
	if typ := o.mode & unix.S_IFMT; typ != unix.S_IFDIR && typ != unix.S_IFREG {
		return
	}
	buf, at := b.Room(512)
	b.Then(func(ret int64) error {
		list := string(buf[:max(ret, 0)])
		got := ""
		for _, n := range []string{"user.x", "user.y"} {
			if strings.Contains("\x00"+list, "\x00"+n+"\x00") {
				got += n
			}
		}
		if got != o.xattr {
			say(o, "attributes %q, the kernel says %q", o.xattr, got)
		}
		return nil
	}, unix.SYS_LLISTXATTR, b.Put(path), at, 512)
	if prefix == "" {
		return
	}
	got := ""
	names := []string{"opaque", "redirect", "metacopy", "whiteout"}
	for i, n := range names {
		val, at := b.Room(300)
		b.Then(func(ret int64) error {
			switch {
			case ret < 0:
			case n == "opaque" || n == "redirect":
				got += " " + n + "=" + string(val[:ret])
			default:
				got += " " + n
			}
			if i == len(names)-1 && got != o.marks {
				say(o, "overlayfs's marks are%s, the kernel says%s", cmpText(o.marks, " none"), cmpText(got, " none"))
			}
			return nil
		}, unix.SYS_LGETXATTR, b.Put(path), b.Put(prefix+n), at, 300)
	}
}

// dirNames reads struct linux_dirent64.
func dirNames(b []byte) (names []string) {
	for len(b) > 19 {
		n := int(binary.LittleEndian.Uint16(b[16:]))
		if n < 19 || n > len(b) {
			break
		}
		name, _, _ := strings.Cut(string(b[19:n]), "\x00")
		if name != "." && name != ".." {
			names = append(names, name)
		}
		b = b[n:]
	}
	slices.Sort(names)
	return names
}

func short(s string) string {
	if len(s) > 24 {
		return fmt.Sprintf("%q… (%d bytes)", s[:24], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func errnoText(e story.Errno) string {
	if e == 0 {
		return "success"
	}
	return e.String()
}
