package edits

import (
	"fmt"
	"strings"

	"syscallstory/world"
)

// ManagerOf tells from the path of a process's cgroup who has started it, as the engines and systemd name cgroups. It is empty where the
// path names nobody, as within a cgroup namespace.
func ManagerOf(cgroup string) world.Manager {
	parts := strings.Split(strings.Trim(cgroup, "/"), "/")
	kubernetes := false
	for _, p := range parts {
		kubernetes = kubernetes || strings.HasPrefix(p, "kubepods")
	}
	for i := len(parts) - 1; i >= 0; i-- {
		p := strings.TrimSuffix(parts[i], ".scope")
		for _, e := range []struct{ prefix, name string }{{"docker-", "docker"}, {"libpod-", "podman"}, {"nerdctl-", "nerdctl"}, {"cri-containerd-", "kubernetes"}, {"crio-", "kubernetes"}} {
			if id, ok := strings.CutPrefix(p, e.prefix); ok && hexID(id) {
				return world.Manager{Name: e.name, ID: id[:12]}
			}
		}
		if hexID(p) && i > 0 {
			switch {
			case kubernetes:
				return world.Manager{Name: "kubernetes", ID: p[:12]}
			case parts[i-1] == "docker", parts[i-1] == "nerdctl":
				return world.Manager{Name: parts[i-1], ID: p[:12]}
			case parts[i-1] == "libpod_parent":
				return world.Manager{Name: "podman", ID: p[:12]}
			}
		}
	}
	if last := parts[len(parts)-1]; !kubernetes && strings.HasSuffix(last, ".service") && len(last) > len(".service") && !strings.HasPrefix(last, "user@") {
		return world.Manager{Name: "systemd", ID: last}
	}
	if kubernetes {
		return world.Manager{Name: "kubernetes"}
	}
	return world.Manager{}
}

func hexID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// start says one setting in the words of each manager; those of setpriv(1) stand for anybody else.
type start struct {
	engine  string // an option of docker, podman and nerdctl run
	pod     string // a field of the Pod, as YAML
	unit    string // a line of the unit's [Service]
	setpriv string // what stands between setpriv and the program; else, whatever says it
}

// words returns what to write, and where, for a manager; empty where it has no words for it.
func (s start) words(m world.Manager) (patch, where string) {
	switch m.Name {
	case "docker", "podman", "nerdctl":
		if s.engine == "" {
			return "", ""
		}
		return m.Name + " run " + s.engine + " …", "the container's options"
	case "kubernetes":
		return s.pod, "the Pod"
	case "systemd":
		if s.unit == "" {
			return "", ""
		}
		return fmt.Sprintf("systemctl edit %s\n[Service]\n%s", m.ID, s.unit), m.ID
	}
	return s.setpriv, "whatever starts it"
}
