package explain_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"syscallstory/kernel"
	"syscallstory/world"
)

// execPlaces are the mounts that a random program lies on.
var execPlaces = []string{"plain", "nosuid", "id"}

// randomSet is a few capabilities out of some that have different rules.
func randomSet(r *rand.Rand) world.CapSet {
	all := []kernel.Cap{kernel.CapChown, kernel.CapNetRaw, kernel.CapSetuid, kernel.CapSetpcap, kernel.CapSysAdmin, kernel.CapBpf, kernel.CapSetgid}
	var set world.CapSet
	for _, c := range all {
		if r.IntN(3) == 0 {
			set = set.With(c)
		}
	}
	return set
}

// randomPrograms is a list of programs with set-id bits, owners and capabilities of all kinds.
func randomPrograms(r *rand.Rand, n int) string {
	var b strings.Builder
	ids := []uint32{0, 0, 1000, 1001, 70000, 100000, 101000}
	for i := range n {
		mode := []string{"755", "4755", "2755", "6755", "2745", "4711"}[r.IntN(6)]
		fmt.Fprintf(&b, "prog plain/%d %s %d:%d", i, mode, ids[r.IntN(len(ids))], ids[r.IntN(len(ids))])
		if r.IntN(2) == 0 {
			c := world.FileCaps{Permitted: randomSet(r), Inheritable: randomSet(r), Effective: r.IntN(2) == 0, Version: 2}
			if r.IntN(3) == 0 {
				c.Version, c.Root = 3, world.KUID([]uint32{1000, 100000, 101000}[r.IntN(3)])
			}
			b.WriteString(" " + capsOf(c))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// randomTask is a task with random ids, sets and securebits; ns is 0 or 1.
func randomTask(r *rand.Rand) who {
	ids := []uint32{0, 1000, 1001}
	base := uint32(0)
	t := who{name: "random", ns: r.IntN(3) / 2}
	if t.ns == 1 {
		base = 100000
	}
	id := func() uint32 { return base + ids[r.IntN(len(ids))] }
	t.uid, t.gid = id(), id()
	if r.IntN(2) == 0 {
		t.real = &[2]uint32{id(), id()}
	}
	if r.IntN(3) == 0 {
		t.groups = []uint32{id()}
	}
	t.caps, t.idle = randomSet(r), randomSet(r)
	m := &credentials{Inheritable: randomSet(r), NoNewPrivs: r.IntN(5) == 0}
	if r.IntN(2) == 0 {
		m.Dropped = randomSet(r)
	}
	if r.IntN(3) == 0 {
		m.Securebits = uint32([]int{1, 4, 16, 64, 1 | 4, 1 | 16, 64 | 16}[r.IntN(7)])
	}
	m.Ambient = randomSet(r) & m.Inheritable & (t.caps | t.idle)
	t.more = m
	return t
}

// TestKernelExecRandom executes random programs as random tasks, in the initial user namespace and in another one, on a plain, a
// nosuid and an idmapped mount, and compares errno, ids and all five sets with the prediction.
func TestKernelExecRandom(t *testing.T) {
	dir, ok := isolated(t)
	if !ok {
		return
	}
	const programs, cases = 120, 1500
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	l := newLab(t, dir, "dir plain 755 0:0\ndir nosuid 755 0:0\ndir id 755 0:0\n"+randomPrograms(r, programs))
	l.child(100000, 65536, false)
	l.bind("/plain", "/nosuid", world.MountNoSuid)
	l.idmap("/plain", "/id", 1, 0)
	denied := 0
	for i := range cases {
		task := randomTask(r)
		call := fmt.Sprintf(`execve("/%s/%d", ["x"], [])`, execPlaces[r.IntN(len(execPlaces))], r.IntN(programs))
		want := l.afterwards(task, call)
		got := l.perform(task, call)
		if !strings.HasPrefix(got, "- ") {
			denied++
		}
		if want != got {
			t.Errorf("seed %d, case %d: %s as uid %d gid %d real %v groups %v effective %v permitted %v %+v\npredicted %s\nkernel    %s", seed, i, call, task.uid, task.gid, task.real, task.groups,
				task.caps, task.caps|task.idle, *task.more, want, got)
			if t.Failed() && i > 40 {
				break
			}
		}
	}
	t.Logf("seed %d: %d cases, %d denied", seed, cases, denied)
}
