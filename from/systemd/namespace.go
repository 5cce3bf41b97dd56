package systemd

import (
	"fmt"

	"syscallstory/story"
)

// Namespace is the mount namespace in which the processes of a service run.
type Namespace struct {
	// Own is true where they get one of their own: a copy of the host's all of whose mounts are made slaves, and then Final.
	// Otherwise they share the host's.
	Own bool
	// Unsure is why it is not known whether they do; empty where it is.
	Unsure string
	Final  string      // shared, slave or private
	Why    string      // the setting that decides: PrivateTmp=yes
	At     story.Place // its place
}

// switches are the settings that are booleans, or words beside.
var switches = []string{"PrivateMounts", "PrivateTmp", "PrivateDevices", "PrivateNetwork", "PrivateIPC", "PrivatePIDs", "PrivateBPF", "ProtectSystem", "ProtectHome", "ProtectKernelTunables",
	"ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "DynamicUser", "MountAPIVFS", "BindLogSockets"}

// words are the values of them that are no booleans.
var words = map[string][]string{"ProtectSystem": {"full", "strict"}, "ProtectHome": {"read-only", "tmpfs"}, "ProtectControlGroups": {"private", "strict"}, "PrivateTmp": {"disconnected"}}

// lists are the settings whose entries are mounts of the service's own.
var lists = []string{"ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "ReadWriteDirectories", "ReadOnlyDirectories", "InaccessibleDirectories", "BindPaths",
	"BindReadOnlyPaths", "TemporaryFileSystem", "MountImages", "ExtensionImages", "ExtensionDirectories", "RootImage", "LogNamespace", "IPCNamespacePath"}

// Versions of systemd in which something has changed.
const (
	sharedAlone = 239 // MountFlags=shared alone makes no namespace any more
	netMounts   = 254 // a network namespace of its own implies PrivateMounts=, unless that is given
)

// Namespace tells what the unit's settings make: exec_needs_mount_namespace and setup_namespace in systemd.
func (u *Unit) Namespace() Namespace {
	n := Namespace{Final: "shared"}
	flags := u.last("MountFlags")
	if flags != nil && flags.value != "" {
		n.Final = flags.value
	}
	if s := u.asks(); s != nil {
		n.Own, n.Why, n.At = true, s.key+"="+s.value, s.at
		return n
	}
	unsure := func(s *setting, from int, before bool) {
		switch {
		case u.version == 0:
			n.Unsure = fmt.Sprintf("%s=%s means something else since systemd %d, and its version is not known", s.key, s.value, from)
		case u.version < from == before:
			n.Own = true
		}
		n.Why, n.At = s.key+"="+s.value, s.at
	}
	switch net := u.network(); {
	case n.Final == "shared" && flags != nil && flags.value != "":
		unsure(flags, sharedAlone, true)
	case net != nil && u.last("PrivateMounts") == nil:
		unsure(net, netMounts, false)
	}
	return n
}

// asks returns a setting for which every release of systemd that knows it makes a mount namespace, nil if there is none.
func (u *Unit) asks() *setting {
	if s := u.last("MountFlags"); s != nil && (s.value == "slave" || s.value == "private") {
		return s
	}
	for _, key := range switches {
		if key != "PrivateNetwork" && key != "MountAPIVFS" && u.on(key) {
			return u.last(key)
		}
	}
	for _, key := range lists {
		if s := u.listed(key); s != nil {
			return s
		}
	}
	for _, word := range [][2]string{{"ProtectProc", "default"}, {"ProcSubset", "all"}} {
		if s := u.listed(word[0]); s != nil && s.value != word[1] {
			return s
		}
	}
	if s := u.listed("RootDirectory"); s != nil && s.value != "/" {
		if v := u.last("MountAPIVFS"); v == nil || v.value == "" || u.on("MountAPIVFS") {
			return s
		}
		for _, key := range []string{"RuntimeDirectory", "StateDirectory", "CacheDirectory", "LogsDirectory", "ConfigurationDirectory"} {
			if d := u.listed(key); d != nil {
				return d
			}
		}
	}
	return nil
}

// on reports whether a switch is on; every word but a lie turns it on.
func (u *Unit) on(key string) bool {
	s := u.last(key)
	if s == nil || s.value == "" {
		return false
	}
	yes, ok := truth(s.value)
	return yes || !ok
}

// network returns the setting for a network namespace of its own.
func (u *Unit) network() *setting {
	if u.on("PrivateNetwork") {
		return u.last("PrivateNetwork")
	}
	return u.listed("NetworkNamespacePath")
}

// Sees returns the propagation that a mount of the host, shared, slave, private or unbindable, has in the namespace.
func (n Namespace) Sees(host string) Kind {
	k := KindOf(host)
	if !n.Own {
		return k
	}
	if k.Shared {
		k = Kind{Slave: true}
	}
	switch n.Final {
	case "shared":
		k.Shared = true
	case "private":
		k = Kind{}
	}
	return k
}

// Kind is a mount's propagation; neither is private.
type Kind struct{ Shared, Slave bool }

// KindOf reads the word of a node file.
func KindOf(word string) Kind { return Kind{Shared: word == "shared", Slave: word == "slave"} }

// String writes it as the node file does, and both where it is both.
func (k Kind) String() string {
	switch {
	case k.Shared && k.Slave:
		return "shared and slave"
	case k.Shared:
		return "shared"
	case k.Slave:
		return "slave"
	}
	return "private"
}
