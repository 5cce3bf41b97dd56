// Package node reads a node file: the facts of a machine that no Pod holds, such as its kernel, security modules, settings,
// container engine and mounts.
package node

import (
	"fmt"
	"path"
	"strings"

	"syscallstory/internal/strictyaml"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Node is the content of a node file.
type Node struct {
	Kernel struct {
		Release string `json:"release"`
		Arch    string `json:"arch"`
	} `json:"kernel"`
	LSM struct {
		Active      []string `json:"active"`
		BPFPrograms []string `json:"bpfPrograms"`
	} `json:"lsm"`
	Sysctls map[string]int `json:"sysctls"`
	Engine  struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"engine"`
	Runtime Runtime `json:"runtime"`
	Kubelet struct {
		Version        string `json:"version"`
		SeccompDefault *bool  `json:"seccompDefault"`
	} `json:"kubelet"`
	Mounts []Mount `json:"mounts"`
	Files  string  `json:"files"` // an mtree specification with the owners of the host root's files

	doc   *strictyaml.Doc
	local map[string]string // fields that were read from this machine, and where
	here  *Node             // whose kernel, modules and sysctls count instead
	mine  bool              // here's mounts count too
}

// Runtime is what loads the containers' seccomp profiles: runc or crun, with the libseccomp that it is linked with.
type Runtime struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Libseccomp string `json:"libseccomp"`
}

// String writes it as runc@1.1.5+2.5.5, empty where it is not known.
func (r Runtime) String() string {
	s := r.Name
	if r.Version != "" {
		s += "@" + r.Version
	}
	if r.Libseccomp != "" {
		s += "+" + r.Libseccomp
	}
	return s
}

// Localized returns the node with the kernel, the security modules and the sysctls of this machine, on which a call is to be
// performed, and with its mounts where the host's files are this machine's. n may be nil.
func (n *Node) Localized(mounts bool) (*Node, error) {
	here, err := Local()
	if err != nil {
		return nil, err
	}
	out := &Node{}
	if n != nil {
		*out = *n
	}
	out.Runtime = Runtime{} // the filter that a call is performed under is story's own
	if out.here = here; mounts {
		out.Mounts, out.mine = here.Mounts, true
	}
	return out, nil
}

// Mount is a mount of the host.
type Mount struct {
	Point   string   `json:"mountPoint"`
	Type    string   `json:"fsType"`
	Options []string `json:"options"`
	// Propagation is shared, slave, private or unbindable.
	Propagation string `json:"propagation"`
}

// Parse reads a node file.
func Parse(file string, text []byte) (*Node, error) {
	docs, err := strictyaml.Parse(file, text)
	if err != nil {
		return nil, err
	}
	if len(docs) > 1 {
		return nil, docs[1].Errorf(docs[1].Node, "a node file holds one document")
	}
	n := &Node{doc: docs[0]}
	if err := docs[0].Decode(n); err != nil {
		return nil, err
	}
	if n.doc.Has("kernel.release") {
		if _, err := kernel.ParseRelease(n.Kernel.Release); err != nil {
			return nil, docs[0].Fail("kernel.release", "%v", err)
		}
	}
	if docs[0].Has("runtime") && n.Runtime.Name != "runc" && n.Runtime.Name != "crun" {
		return nil, docs[0].Fail("runtime", "runtime %q: runc and crun are modelled", n.Runtime.Name)
	}
	for i, m := range n.Mounts {
		at := fmt.Sprintf("mounts[%d]", i)
		if !path.IsAbs(m.Point) || path.Clean(m.Point) != m.Point {
			return nil, docs[0].Fail(at+".mountPoint", "mountPoint %q is not an absolute path in its shortest form", m.Point)
		}
		switch m.Propagation {
		case "", "shared", "slave", "private", "unbindable":
		default:
			return nil, docs[0].Fail(at+".propagation", "unknown propagation %q: shared, slave, private and unbindable exist", m.Propagation)
		}
	}
	return n, nil
}

// At returns the Origin of a field.
func (n *Node) At(w *world.World, path string) story.Origin {
	if n.mine && strings.HasPrefix(path, "mounts") {
		return n.here.At(w, path)
	}
	if n.doc != nil {
		return w.Add(n.doc.Place(path))
	}
	for p := path; ; {
		if from := n.local[p]; from != "" {
			return w.Text("this machine's " + from)
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			return w.Text("this machine")
		}
		p = p[:i]
	}
}

// Apply puts the node's facts into a world; n may be nil, then they are missing.
func (n *Node) Apply(w *world.World) {
	miss := func(what string) story.Origin { return w.Miss(what+" of the node is not known", "--node FILE") }
	if n == nil {
		n = &Node{}
	}
	given := n
	if n.here != nil {
		n = n.here
	}
	has := func(path string) bool { return n.doc != nil && n.doc.Has(path) || n.local[path] != "" }
	w.Arch, w.KernelAt = "x86_64", miss("the kernel")
	if has("kernel.release") {
		w.Kernel, _ = kernel.ParseRelease(n.Kernel.Release)
		w.KernelAt = n.At(w, "kernel.release")
	}
	if n.Kernel.Arch != "" {
		w.Arch = n.Kernel.Arch
	}
	w.LSMs.At = miss("the list of security modules")
	if has("lsm.active") {
		w.LSMs = world.Given(n.LSM.Active, n.At(w, "lsm.active"))
	}
	w.BPFHooks.At = miss("the list of BPF-LSM programs")
	if has("lsm.bpfPrograms") {
		w.BPFHooks = world.Given(n.LSM.BPFPrograms, n.At(w, "lsm.bpfPrograms"))
	}
	// What this machine does not tell this user, a node file may.
	if !w.BPFHooks.Known() && given != n && given.doc != nil && given.doc.Has("lsm.bpfPrograms") {
		w.BPFHooks = world.Given(given.LSM.BPFPrograms, given.At(w, "lsm.bpfPrograms"))
	}
	for s := range kernel.NumSysctls {
		name := s.String()
		w.Sysctls[s].At = miss(name)
		if at := "sysctls[" + quote(name) + "]"; has(at) {
			w.Sysctls[s] = world.Given(n.Sysctls[name], n.At(w, at))
		}
	}
}

func quote(s string) string { return `"` + s + `"` }

// MountOf returns the mount of the host that a path lies on; nil if the node file lists none.
func (n *Node) MountOf(path string) *Mount {
	var best *Mount
	if n == nil {
		return nil
	}
	for i := range n.Mounts {
		m := &n.Mounts[i]
		below := m.Point == "/" || path == m.Point || strings.HasPrefix(path, m.Point+"/")
		if below && (best == nil || len(m.Point) >= len(best.Point)) {
			best = m
		}
	}
	return best
}
