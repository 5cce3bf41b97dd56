package edits

import (
	"fmt"
	"slices"
	"strings"

	"syscallstory/world"
)

// ManagerOf tells from the path of a process's cgroup who has started it, as the engines and systemd name cgroups. It is empty where the
// path names nobody, as within a cgroup namespace.
func ManagerOf(cgroup string) world.Manager {
	parts := strings.Split(strings.Trim(cgroup, "/"), "/")
	kubernetes := ofKubernetes(parts)
	for i := len(parts) - 1; i >= 0; i-- {
		if id, engine := container(parts, i, kubernetes); engine != "" {
			return world.Manager{Name: engine, ID: id[:12]}
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

// ContainerOf is the id of the container that the path of a process's cgroup names, the innermost one of several; empty where it names none.
// The engine is empty where the path holds an id and does not say whose.
func ContainerOf(cgroup string) (id, engine string) {
	parts := strings.Split(strings.Trim(cgroup, "/"), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if id, engine := container(parts, i, ofKubernetes(parts)); id != "" {
			return id, engine
		}
	}
	return "", ""
}

func ofKubernetes(parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(p, "kubepods") })
}

// container reads one part of a path. What an engine runs beside a container (libpod-conmon-ID.scope) is not in it.
func container(parts []string, i int, kubernetes bool) (id, engine string) {
	p := strings.TrimSuffix(parts[i], ".scope")
	for _, e := range []struct{ prefix, name string }{{"docker-", "docker"}, {"libpod-", "podman"}, {"nerdctl-", "nerdctl"}, {"cri-containerd-", "kubernetes"}, {"crio-", "kubernetes"}} {
		if id, ok := strings.CutPrefix(p, e.prefix); ok && hexID(id) {
			return id, e.name
		}
	}
	switch {
	case !hexID(p):
		return "", ""
	case i == 0:
		return p, ""
	case kubernetes:
		return p, "kubernetes"
	case parts[i-1] == "docker", parts[i-1] == "nerdctl":
		return p, parts[i-1]
	case parts[i-1] == "libpod_parent":
		return p, "podman"
	}
	return p, ""
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
