package gates

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"syscallstory/probe"
	"syscallstory/world"
)

// maxHolders is how many user namespaces a stage keeps from scene to scene.
const maxHolders = 48

// namespace finds or makes the scene's user namespace.
func (s *stage) namespace(sc *Scene, i int) (*holder, error) {
	chain := []Namespace{}
	for n := i + 1; n != 0; n = sc.Namespaces[n-1].Parent {
		ns := sc.Namespaces[n-1]
		twins := 0 // of one parent, with the same maps: each is a namespace of its own
		for _, other := range sc.Namespaces[:n-1] {
			if reflect.DeepEqual(other, ns) {
				twins++
			}
		}
		ns.Parent = twins
		chain = append(chain, ns)
	}
	b, err := json.Marshal(chain)
	if err != nil {
		return nil, err
	}
	key := string(b)
	if h := s.holders[key]; h != nil {
		return h, nil
	}
	parent := -1
	if p := sc.Namespaces[i].Parent; p != 0 {
		parent = s.now[p-1].fd
	}
	n := sc.Namespaces[i]
	n.Owner, _ = s.maps[n.Parent].UIDs.Up(n.Owner) // as the parent counts
	h, err := hold(&n, parent, uint64(s.caps))
	if err != nil {
		return nil, err
	}
	s.holders[key] = h
	s.used = append(s.used, key)
	for k := 0; len(s.used) > maxHolders && k < len(s.used); {
		old := s.holders[s.used[k]]
		if slices.Contains(s.now, old) || old == h {
			k++
			continue
		}
		old.close()
		delete(s.holders, s.used[k])
		s.used = slices.Delete(s.used, k, k+1)
	}
	return h, nil
}

// hold makes a user namespace below parent, the initial one where it is negative, with namespaces that it owns, and writes its
// maps.
func hold(n *Namespace, parent int, caps uint64) (*holder, error) {
	t := &probe.Task{Cred: probe.Cred{UID: n.Owner, Bounding: ^uint64(0)}}
	if parent >= 0 {
		t.Keep = []int{parent}
		t.Before = []probe.Call{call(unix.SYS_SETNS, num(uint64(parent)), num(unix.CLONE_NEWUSER))}
	}
	pid, err := probe.Hold(t, []probe.Call{call(unix.SYS_UNSHARE, num(unix.CLONE_NEWUSER|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC|unix.CLONE_NEWNET)), call(unix.SYS_PRCTL, num(unix.PR_SET_DUMPABLE), num(1))})
	if err != nil {
		return nil, err
	}
	h := &holder{pid: pid, fd: -1}
	if err := writeMaps(n, pid, parent, caps); err != nil {
		h.close()
		return nil, err
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/user", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		h.close()
		return nil, err
	}
	h.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 200) // out of the way of the tasks' own descriptors
	unix.Close(fd)
	if err != nil {
		h.close()
	}
	return h, err
}

// writeMaps writes the maps of a process's user namespace. Only a process of the parent may (proc_uid_map_write).
func writeMaps(n *Namespace, pid, parent int, caps uint64) error {
	t := &probe.Task{Cred: probe.Cred{Bounding: ^uint64(0), Permitted: uint64(world.AllCaps), Effective: uint64(world.AllCaps)}}
	t.Before = []probe.Call{call(unix.SYS_CLOSE_RANGE, num(0), num(2))}
	if parent >= 0 {
		t.Keep = []int{parent}
		t.Before = append(t.Before, call(unix.SYS_SETNS, num(uint64(parent)), num(unix.CLONE_NEWUSER)), call(unix.SYS_CLOSE, num(uint64(parent))))
	} else {
		t.Cred.Permitted &= caps
		t.Cred.Effective = t.Cred.Permitted
	}
	var calls []probe.Call
	for _, m := range []struct {
		name string
		of   []Extent
	}{{"uid_map", n.UIDs}, {"gid_map", n.GIDs}} {
		var b strings.Builder
		for _, e := range m.of {
			fmt.Fprintf(&b, "%d %d %d\n", e.Inside, e.Outside, e.Count)
		}
		calls = append(calls, call(unix.SYS_OPENAT, num(atCwd), text(fmt.Sprintf("/proc/%d/%s", pid, m.name)), num(unix.O_WRONLY)),
			call(unix.SYS_WRITE, num(0), probe.Arg{Data: []byte(b.String())}, num(uint64(b.Len()))), call(unix.SYS_CLOSE, num(0)))
	}
	results, err := probe.Run(t, calls)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Ret < 0 {
			return fmt.Errorf("step %d of writing its maps: %w", i+1, unix.Errno(-r.Ret))
		}
	}
	return nil
}

// atCwd is AT_FDCWD as a register.
const atCwd = 0xffffff9c

// call writes a raw call.
func call(nr uint64, args ...probe.Arg) probe.Call {
	c := probe.Call{NR: nr}
	copy(c.Args[:], args)
	return c
}

func num(v uint64) probe.Arg  { return probe.Arg{Val: v} }
func text(s string) probe.Arg { return probe.Arg{Data: append([]byte(s), 0)} }

// foreign mounts a filesystem whose superblock belongs to a user namespace: a process of that namespace, in a mount namespace that
// it owns, makes it, and hands it over detached.
func (s *stage) foreign(m *Mount, options [][2]string) error {
	h := s.now[m.Owner-1]
	const setFlag, setString, create = 0, 1, 6
	t := &probe.Task{Keep: []int{h.fd}, Cred: probe.Cred{Bounding: ^uint64(0), Permitted: ^uint64(0) >> 23, Effective: ^uint64(0) >> 23}}
	t.Before = []probe.Call{
		call(unix.SYS_CLOSE_RANGE, num(0), num(2)),
		call(unix.SYS_SETNS, num(uint64(h.fd)), num(unix.CLONE_NEWUSER)),
		call(unix.SYS_UNSHARE, num(unix.CLONE_NEWNS)),
		call(unix.SYS_SETGROUPS, num(0), num(0)), // an overlay goes on with who has mounted it
		call(unix.SYS_SETRESGID, num(0), num(0), num(0)),
		call(unix.SYS_SETRESUID, num(0), num(0), num(0)),
		call(unix.SYS_FSOPEN, text(m.Kind), num(0)),
	}
	for _, o := range options {
		if o[1] == "" {
			t.Before = append(t.Before, call(unix.SYS_FSCONFIG, num(0), num(setFlag), text(o[0]), num(0), num(0)))
			continue
		}
		t.Before = append(t.Before, call(unix.SYS_FSCONFIG, num(0), num(setString), text(o[0]), text(o[1]), num(0)))
	}
	t.Before = append(t.Before,
		call(unix.SYS_FSCONFIG, num(0), num(create), num(0), num(0), num(0)),
		call(unix.SYS_FSMOUNT, num(0), num(0), num(0)),
		call(unix.SYS_PRCTL, num(unix.PR_SET_DUMPABLE), num(1)))
	pid, err := probe.Hold(t, nil)
	if err != nil {
		return err
	}
	defer func() {
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
	}()
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, 1, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if m.Kind == "tmpfs" {
		if err := unix.Fchownat(fd, "", int(m.UID), int(m.GID), unix.AT_EMPTY_PATH); err != nil {
			return err
		}
	}
	return unix.MoveMount(fd, "", unix.AT_FDCWD, m.Point, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// perform makes calls in the scene that is built, one after another by one task. Those behind one that blocks or ends the
// task are skipped.
func (s *stage) perform(t *Task, calls []probe.Call) ([]probe.Result, error) {
	p := &probe.Task{Umask: uint32(t.Umask), Timeout: s.patience}
	add := func(nr uint64, a ...probe.Arg) { p.Before = append(p.Before, call(nr, a...)) }
	keep := -1
	if t.NS != 0 {
		keep = s.now[t.NS-1].fd
		p.Keep = []int{keep}
	}
	add(unix.SYS_CLOSE_RANGE, num(0), num(2))
	for i := range t.FDs {
		p.Before = append(p.Before, s.opening(&t.FDs[i]))
	}
	for i := range t.Landlock {
		p.Before = append(p.Before, t.Landlock[i].making(uint64(len(t.FDs)+i))...)
	}
	add(unix.SYS_CHDIR, text(t.Cwd))
	if t.Root != "" {
		add(unix.SYS_CHROOT, text(t.Root))
	}
	if keep >= 0 {
		add(unix.SYS_SETNS, num(uint64(keep)), num(unix.CLONE_NEWUSER))
		if t.OwnMounts {
			add(unix.SYS_UNSHARE, num(unix.CLONE_NEWNS))
		}
		add(unix.SYS_CLOSE, num(uint64(keep)))
	}
	for i := range t.Landlock {
		add(unix.SYS_LANDLOCK_RESTRICT_SELF, num(uint64(len(t.FDs)+i)), num(0))
	}
	if n := len(t.Landlock); n > 0 {
		add(unix.SYS_CLOSE_RANGE, num(uint64(len(t.FDs))), num(uint64(len(t.FDs)+n-1)))
	}
	var err error
	if p.Cred, err = s.cred(t); err != nil {
		return nil, err
	}
	p.Leaves = true
	p.Filters, err = t.filters(&s.machine)
	if err != nil {
		return nil, err
	}
	return probe.Run(p, calls)
}

// making are the calls that make a ruleset, which gets the descriptor fd.
func (r *Ruleset) making(fd uint64) []probe.Call {
	le := binary.LittleEndian
	attr := le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, r.FS), r.Net), r.Scoped)
	out := []probe.Call{call(unix.SYS_LANDLOCK_CREATE_RULESET, probe.Arg{Data: attr}, num(uint64(len(attr))), num(0))}
	for _, b := range r.Below {
		rule := le.AppendUint32(le.AppendUint64(nil, b.Access), uint32(fd+1))
		out = append(out, call(unix.SYS_OPENAT, num(atCwd), text(b.Path), num(unix.O_PATH|unix.O_NOFOLLOW), num(0)),
			call(unix.SYS_LANDLOCK_ADD_RULE, num(fd), num(unix.LANDLOCK_RULE_PATH_BENEATH), probe.Arg{Data: rule}, num(0)), call(unix.SYS_CLOSE, num(fd+1)))
	}
	return out
}

// opening is the call that opens a descriptor.
func (s *stage) opening(fd *FD) probe.Call {
	switch {
	case fd.Target > 0:
		return call(unix.SYS_PIDFD_OPEN, num(uint64(s.pids[fd.Target-1])), num(0))
	case fd.NS != "":
		of := "self"
		if fd.Namespace > 0 {
			of = fmt.Sprint(s.now[fd.Namespace-1].pid)
		}
		return call(unix.SYS_OPENAT, num(atCwd), text("/proc/"+of+"/ns/"+fd.NS), num(0))
	case fd.Socket != nil:
		return call(unix.SYS_SOCKET, num(uint64(fd.Socket.Family)), num(uint64(fd.Socket.Type)), num(uint64(fd.Socket.Protocol)))
	case fd.Context != "":
		return call(unix.SYS_FSOPEN, text(fd.Context), num(0))
	}
	return call(unix.SYS_OPENAT, num(atCwd), text(fd.Path), num(fd.Flags|unix.O_NONBLOCK|unix.O_NOFOLLOW), num(0))
}

// target starts a process that calls can name.
func (s *stage) target(t *Task) (int, error) {
	p := &probe.Task{}
	p.Before = []probe.Call{call(unix.SYS_CLOSE_RANGE, num(0), num(2))}
	if t.NS != 0 {
		fd := s.now[t.NS-1].fd
		p.Keep = []int{fd}
		p.Before = append(p.Before, call(unix.SYS_SETNS, num(uint64(fd)), num(unix.CLONE_NEWUSER)), call(unix.SYS_CLOSE, num(uint64(fd))))
	}
	var err error
	if p.Cred, err = s.cred(t); err != nil {
		return 0, err
	}
	dumpable := uint64(0)
	if t.Dumpable {
		dumpable = 1
	}
	return probe.Hold(p, []probe.Call{call(unix.SYS_PRCTL, num(unix.PR_SET_DUMPABLE), num(dumpable))})
}

// cred are the task's credentials as its user namespace counts ids.
func (s *stage) cred(t *Task) (probe.Cred, error) {
	c := probe.Cred{Groups: []uint32{}, Bounding: t.Bounding, Inheritable: t.Inheritable, Permitted: t.Effective | t.Permitted, Effective: t.Effective, Ambient: t.Ambient,
		Securebits: t.Securebits, NoNewPrivs: t.NoNewPrivs}
	real, saved := [2]uint32{t.UID, t.GID}, [2]uint32{t.UID, t.GID}
	if t.Real != nil {
		real = *t.Real
	}
	if t.Saved != nil {
		saved = *t.Saved
	}
	o := &probe.Others{}
	c.Others = o
	var missing error
	up := func(m world.IDMap, id uint32) uint32 {
		v, ok := m.Up(id)
		if !ok && missing == nil {
			missing = fmt.Errorf("id %d has no place in user namespace %d", id, t.NS)
		}
		return v
	}
	uids, gids := s.maps[t.NS].UIDs, s.maps[t.NS].GIDs
	c.UID, c.GID = up(uids, t.UID), up(gids, t.GID)
	o.RealUID, o.SavedUID, o.RealGID, o.SavedGID = up(uids, real[0]), up(uids, saved[0]), up(gids, real[1]), up(gids, saved[1])
	for _, g := range t.Groups {
		c.Groups = append(c.Groups, up(gids, g))
	}
	return c, missing
}
