package node

import (
	"slices"

	"syscallstory/from/systemd"
)

// AddUnit takes a unit file of a service, or a drop-in of one that was added before, into account.
func (n *Node) AddUnit(file string, text []byte) error {
	name := systemd.NameOf(file)
	if i := slices.IndexFunc(n.units, func(u *systemd.Unit) bool { return u.Name == name }); i >= 0 {
		u := *n.units[i]
		if err := u.Add(file, text); err != nil {
			return err
		}
		n.units = slices.Clone(n.units)
		n.units[i] = &u
		return nil
	}
	u, err := systemd.Parse(file, text, n.Systemd.Version)
	if err != nil {
		return err
	}
	n.units = append(slices.Clip(n.units), u)
	return nil
}

// DropUnit forgets a unit: its service shares the host's mount namespace.
func (n *Node) DropUnit(name string) {
	n.units = slices.DeleteFunc(slices.Clone(n.units), func(u *systemd.Unit) bool { return u.Name == name })
}

// Units lists the services whose unit files are known.
func (n *Node) Units() []*systemd.Unit {
	if n == nil {
		return nil
	}
	return n.units
}

// engineUnits are the names that packages give the services of the engines, the first that is known counts.
var engineUnits = map[string][]string{"containerd": {"containerd.service"}, "cri-o": {"crio.service", "cri-o.service"}, "docker": {"docker.service"},
	"": {"containerd.service", "crio.service", "cri-o.service", "docker.service"}}

// EngineUnit returns the service of the container engine, which looks at the sources of volumes; nil where its unit file is not known.
func (n *Node) EngineUnit() *systemd.Unit { return n.unit(engineUnits[n.engine()]...) }

// RuntimeUnit returns the service below which runc is started, so that its mount namespace is what containers are made from. Docker
// has had containerd as a service of its own since 18.09.
func (n *Node) RuntimeUnit() *systemd.Unit {
	if n.engine() == "docker" {
		if u := n.unit("containerd.service"); u != nil {
			return u
		}
	}
	return n.EngineUnit()
}

// KubeletUnit returns the service of the kubelet, which mounts volumes.
func (n *Node) KubeletUnit() *systemd.Unit { return n.unit("kubelet.service") }

func (n *Node) engine() string {
	if n == nil {
		return ""
	}
	return n.Engine.Name
}

func (n *Node) unit(names ...string) *systemd.Unit {
	if n == nil {
		return nil
	}
	for _, name := range names {
		for _, u := range n.units {
			if u.Name == name {
				return u
			}
		}
	}
	return nil
}
