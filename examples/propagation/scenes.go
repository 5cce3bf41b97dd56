package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"

	"syscallstory/from/live"
	"syscallstory/from/node"
	"syscallstory/from/pod"
	"syscallstory/mounts"
)

// The files of this directory that the scenes are made of.
var (
	//go:embed pod.yaml
	podNone string
	//go:embed host-to-container.yaml
	podHostToContainer string
	//go:embed bidirectional.yaml
	podBidirectional string
	//go:embed slave/containerd.service
	unitSlave string
	//go:embed private-tmp/containerd.service
	unitPrivateTmp string
)

// scene is a Pod on a node, with the unit file of its engine.
type scene struct {
	title string
	pod   string
	mode  string // mountPropagation
	unit  string // empty: the engine shares the host's mount namespace
	final string // what the unit makes of it at last
	why   string
}

var scenes = []scene{
	{"mountPropagation: None", podNone, "None", "", "", "the runtime has made the volume's mount private (rprivate): a bind of /data as it was when the container started"},
	{"mountPropagation: HostToContainer", podHostToContainer, "HostToContainer", "", "", "the volume's mount is a slave of the host's (rslave): events come in, none goes out"},
	{"mountPropagation: Bidirectional", podBidirectional, "Bidirectional", "", "", "the volume's mount is a peer of the host's (rshared): events go both ways, which is why the API server asks for a privileged container"},
	{"HostToContainer, containerd.service with MountFlags=slave", podHostToContainer, "HostToContainer", unitSlave, "slave",
		"containerd's mounts are slaves of the host's, and the container's are slaves of the same master: what the host mounts arrives"},
	{"Bidirectional, containerd.service with MountFlags=slave", podBidirectional, "Bidirectional", unitSlave, "slave",
		"in containerd's namespace /data lies on a slave, which sends nothing: containerd refuses to start the container"},
	{"Bidirectional, containerd.service with PrivateTmp=yes", podBidirectional, "Bidirectional", unitPrivateTmp, "shared",
		"systemd makes everything a slave and then shared again: containerd finds a shared mount and is content, but its peers are in its own namespace only"},
}

// result is what is foretold of a scene, or what has happened.
type result struct {
	Refused string // why the container does not start
	In      bool   // a mount that the host makes below /data is seen in the container
	Out     bool   // one that the container makes is seen on the host
}

func (r result) String() string {
	if r.Refused != "" {
		return "the container does not start: " + r.Refused
	}
	word := map[bool]string{true: "is seen", false: "is not seen"}
	return fmt.Sprintf("what the host mounts %s in the container; what the container mounts %s on the host", word[r.In], word[r.Out])
}

// foretell asks the model, which knows the Pod, the unit file and the mounts of the host.
func (s *scene) foretell(data string) (result, error) {
	ws, err := pod.Parse("pod.yaml", []byte(strings.Replace(s.pod, "path: /data", "path: "+data, 1)))
	if err != nil {
		return result{}, err
	}
	n := &node.Node{}
	n.Engine.Name, n.Runtime.Name, n.Runtime.Version, n.Systemd.Version = "containerd", "runc", "1.1.5", 252
	if s.unit != "" {
		if err := n.AddUnit("containerd.service", []byte(s.unit)); err != nil {
			return result{}, err
		}
	}
	tables, _, err := live.MountTables([]int{os.Getpid()})
	if err != nil {
		return result{}, err
	}
	release, err := node.Running()
	if err != nil {
		return result{}, err
	}
	m, err := mounts.Plan(mounts.Setup{Node: n, Host: tables[0].Mounts, Pods: ws}, release)
	if err != nil {
		return result{}, err
	}
	v := m.Volumes()[0]
	return result{v.Refused, v.In, v.Out}, nil
}
