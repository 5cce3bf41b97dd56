// Package node reads a node file: the facts of a machine that no Pod holds, such as its kernel, security modules, settings,
// container engine and mounts.
package node

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"syscallstory/from/systemd"
	"syscallstory/internal/strictyaml"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Node is the content of a node file.
type Node struct {
	Kernel struct {
		Release string `json:"release"` // uname -r
		Version string `json:"version"` // uname -v, where Debian names the stable update
		Arch    string `json:"arch"`
	} `json:"kernel"`
	LSM struct {
		Active      []string `json:"active"`
		BPFPrograms []string `json:"bpfPrograms"` // "file_open: program 7 deny" where the hook is known
		Lockdown    string   `json:"lockdown"`    // none, integrity or confidentiality
		EVMKey      *bool    `json:"evmKey"`      // EVM has a key to check attributes with
	} `json:"lsm"`
	Sysctls map[string]Setting `json:"sysctls"`
	Binfmts *bool              `json:"binfmtMisc"` // handlers are registered with binfmt_misc
	// Filesystems are the types that the kernel has, built in or loaded: /proc/filesystems.
	Filesystems []string `json:"filesystems"`
	// Features are what the kernel is built with, by kernel.Feature's names.
	Features map[string]bool `json:"features"`
	Engine   struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"engine"`
	Runtime Runtime `json:"runtime"`
	Kubelet struct {
		Version        string `json:"version"`
		SeccompDefault *bool  `json:"seccompDefault"`
	} `json:"kubelet"`
	// Systemd says how the services of engine and kubelet are started.
	Systemd struct {
		Version int      `json:"version"`
		Units   []string `json:"units"` // unit files and drop-ins, relative to the node file
	} `json:"systemd"`
	Mounts []Mount `json:"mounts"`
	Files  string  `json:"files"` // an mtree specification with the owners of the host root's files

	doc   *strictyaml.Doc
	local map[string]string // fields that were read from this machine, and where
	here  *Node             // whose kernel, modules and sysctls count instead
	mine  bool              // here's mounts count too
	units []*systemd.Unit
}

// Setting is a sysctl's value: a number, or for net.ipv4.ping_group_range a string of two.
type Setting int

// UnmarshalJSON reads both.
func (s *Setting) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		return json.Unmarshal(b, (*int)(s))
	}
	v, err := kernel.PingGroupRange.ParseValue(text)
	if err != nil {
		return fmt.Errorf("an integer is expected, or \"0 2147483647\" for a range, not %q", text)
	}
	*s = Setting(v)
	return nil
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
	Source      string `json:"source"` // what is mounted, in words: /dev/sda1, server:/export
	Later       bool   `json:"later"`  // it was mounted after the containers had been started
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
	if v := n.Systemd.Version; v < 0 || v > 9999 {
		return nil, docs[0].Fail("systemd.version", "systemd has no version %d", v)
	}
	switch n.LSM.Lockdown {
	case "", "none", "integrity", "confidentiality":
	default:
		return nil, docs[0].Fail("lsm.lockdown", "lockdown %q: none, integrity and confidentiality exist", n.LSM.Lockdown)
	}
	for name := range n.Features {
		if _, ok := kernel.ParseFeature(name); !ok {
			return nil, docs[0].Fail("features["+quote(name)+"]", "unknown feature %q: modules, kexec, iopl and the like decide calls", name)
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
		w.Kernel, _ = n.Release()
		w.KernelAt = n.At(w, "kernel.release")
	}
	if n.Kernel.Arch != "" {
		w.Arch = n.Kernel.Arch
	}
	w.LSMs.At = miss("the list of security modules")
	if has("lsm.active") {
		w.LSMs = world.Given(n.LSM.Active, n.At(w, "lsm.active"))
	}
	w.Lockdown.At = miss("the mode of lockdown")
	if has("lsm.lockdown") {
		w.Lockdown = world.Given(n.LSM.Lockdown, n.At(w, "lsm.lockdown"))
	}
	w.EVM.At = miss("whether EVM has a key")
	if has("lsm.evmKey") && n.LSM.EVMKey != nil {
		w.EVM = world.Given(*n.LSM.EVMKey, n.At(w, "lsm.evmKey"))
	}
	w.BPFHooks.At = miss("the list of BPF-LSM programs")
	if has("lsm.bpfPrograms") {
		w.BPFHooks = world.Given(n.LSM.BPFPrograms, n.At(w, "lsm.bpfPrograms"))
	}
	// What this machine does not tell this user, a node file may.
	if !w.BPFHooks.Known() && given != n && given.doc != nil && given.doc.Has("lsm.bpfPrograms") {
		w.BPFHooks = world.Given(given.LSM.BPFPrograms, given.At(w, "lsm.bpfPrograms"))
	}
	w.Filesystems.At = miss("which filesystems the kernel has")
	if has("filesystems") {
		w.Filesystems = world.Given(n.Filesystems, n.At(w, "filesystems"))
	}
	w.Binfmts.At = miss("whether handlers are registered with binfmt_misc")
	if has("binfmtMisc") {
		w.Binfmts = world.Given(n.Binfmts != nil && *n.Binfmts, n.At(w, "binfmtMisc"))
	}
	for s := range kernel.NumSysctls {
		name := s.String()
		w.Sysctls[s].At = miss(name)
		if at := "sysctls[" + quote(name) + "]"; has(at) {
			w.Sysctls[s] = world.Given(int(n.Sysctls[name]), n.At(w, at))
		} else if s.Optional() {
			w.Sysctls[s] = world.Given(kernel.NotThere, w.Suppose("the kernel has no setting "+name, "--node FILE that lists it"))
		}
	}
	for f := range kernel.NumFeatures {
		w.Features[f].At = miss("whether the kernel has " + f.Config())
		for _, name := range []string{f.String(), f.Config()} {
			if at := "features[" + quote(name) + "]"; has(at) {
				w.Features[f] = world.Given(n.Features[name], n.At(w, at))
			}
		}
	}
}

func quote(s string) string { return `"` + s + `"` }

// MountOf returns the mount of the host that a path lies on when a container is started; nil if the node file lists none.
func (n *Node) MountOf(path string) *Mount {
	var best *Mount
	if n == nil {
		return nil
	}
	for i := range n.Mounts {
		m := &n.Mounts[i]
		below := m.Point == "/" || path == m.Point || strings.HasPrefix(path, m.Point+"/")
		if below && !m.Later && (best == nil || len(m.Point) >= len(best.Point)) {
			best = m
		}
	}
	return best
}
