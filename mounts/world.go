package mounts

import (
	"fmt"

	"syscallstory/from/live"
	"syscallstory/world"
)

// FromWorld takes the mounts that a world has, in as many namespaces as it knows.
func FromWorld(w *world.World) *Machine {
	var tables []live.MountTable
	for ns := range w.MountNS {
		if w.MountNS[ns].Alone {
			continue
		}
		t := live.MountTable{Command: fmt.Sprintf("mount namespace %d, %s", ns, w.MountNS[ns].Name)}
		for i := 1; i < len(w.Mounts); i++ {
			m := &w.Mounts[i]
			if int(m.NS) != ns || m.Gone || m.Hidden {
				continue
			}
			t.Mounts = append(t.Mounts, live.TableMount{ID: i, Parent: int(m.Parent), Device: fmt.Sprintf("filesystem %d", m.SB), Root: w.FS.Path(m.Root), Point: w.PathText(world.Path{Mount: world.MountID(i), Dentry: m.Root}),
				Flags: m.Flags, Group: m.Group, Master: m.Master, Unbindable: m.Unbindable, Type: w.FS.SB(m.SB).Type, Source: m.Source})
		}
		if len(t.Mounts) > 0 {
			tables = append(tables, t)
		}
	}
	return New(tables, w.Kernel)
}
