//go:build linux

package live

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"syscallstory/from/edits"
)

// Container is a container that an engine runs on this machine: processes whose cgroup's path holds its id.
type Container struct {
	ID     string
	Engine string // empty: the path does not say
	PID    int    // of the process that has run longest
	labels
}

// labels are what an engine's own records call a container. Empty is what they do not say, or what cannot be read.
type labels struct {
	name, pod, namespace string
	sandbox              bool // it holds a Pod's namespaces and runs nothing of the Pod's
}

// String names a container to a person.
func (c *Container) String() string {
	s := c.ID[:12]
	switch {
	case c.pod != "":
		s += fmt.Sprintf(" (%s of Pod %s/%s)", cmp.Or(c.name, "a container"), c.namespace, c.pod)
	case c.name != "":
		s += " (" + c.name + ")"
	}
	return s
}

// Containers lists the containers that run here, by their ids.
func Containers() []Container {
	found := map[string]*Container{}
	began := map[string]uint64{}
	for _, pid := range pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			continue // it has exited
		}
		for line := range bytes.Lines(text) {
			f := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
			if len(f) != 3 {
				continue
			}
			id, engine := edits.ContainerOf(f[2])
			if id == "" {
				continue
			}
			at, err := startTime(pid)
			if err != nil {
				break
			}
			if c := found[id]; c == nil || at < began[id] {
				found[id], began[id] = &Container{ID: id, Engine: engine, PID: pid}, at
			}
			break
		}
	}
	var all []Container
	for _, c := range found {
		c.labels = recorded("/", c.store(), c.ID)
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// stores are where engines keep the upper layer of a container's root, from which the place of their records follows.
var stores = []*regexp.Regexp{regexp.MustCompile(`^(/.*)/overlay/[0-9a-f]{64}/diff$`), regexp.MustCompile(`^(/.*)/overlay2/[0-9a-f]{64}/diff$`)}

// store is the directory of the engine's own that holds the container's upper layer; empty where that is not known.
func (c *Container) store() string {
	all, err := Overlays(c.PID)
	if err != nil {
		return ""
	}
	for _, o := range all {
		for _, s := range stores {
			if m := s.FindStringSubmatch(o.Upper); m != nil && o.Point == "/" {
				return m[1]
			}
		}
	}
	return ""
}

// startTime is when a process has begun, in ticks since the boot (proc_pid_stat(5)).
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	f := strings.Fields(rest)
	if len(f) < 20 {
		return 0, errors.New("stat has too few fields")
	}
	if f[0] == "Z" || f[0] == "X" {
		return 0, errors.New("it has exited")
	}
	return strconv.ParseUint(f[19], 10, 64)
}

// annotations are where the engines write in a bundle whose container it is: containerd's plugin for Kubernetes, CRI-O, nerdctl.
var annotations = []struct{ name, pod, namespace, kind string }{
	{"io.kubernetes.cri.container-name", "io.kubernetes.cri.sandbox-name", "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri.container-type"},
	{"io.kubernetes.container.name", "io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.cri-o.ContainerType"},
	{name: "nerdctl/name"},
}

// recorded reads what an engine keeps of a container, in its usual places below root or in its store.
func recorded(root, store, id string) (l labels) {
	if store == "" {
		store = "var/lib/docker"
		if _, err := os.Stat(filepath.Join(root, "var/lib/docker/containers", id)); err != nil {
			store = "var/lib/containers/storage"
		}
		store = filepath.Join(root, store)
	}
	for _, pattern := range []string{
		filepath.Join(root, "run/containerd/io.containerd.runtime.v2.task/*", id, "config.json"),
		filepath.Join(root, "run/k3s/containerd/io.containerd.runtime.v2.task/*", id, "config.json"),
		filepath.Join(root, "run/containers/storage/overlay-containers", id, "userdata/config.json"),
	} {
		var bundle struct {
			Annotations map[string]string `json:"annotations"`
		}
		if !readRecord(pattern, &bundle) {
			continue
		}
		for _, a := range annotations {
			of := bundle.Annotations
			if of[a.name] == "" && of[a.pod] == "" {
				continue
			}
			return labels{of[a.name], of[a.pod], of[a.namespace], of[a.kind] == "sandbox"}
		}
	}
	var docker struct {
		Name   string
		Config struct{ Labels map[string]string }
	}
	if readRecord(filepath.Join(store, "containers", id, "config.v2.json"), &docker) {
		if of := docker.Config.Labels; of["io.kubernetes.pod.name"] != "" { // cri-dockerd
			return labels{of["io.kubernetes.container.name"], of["io.kubernetes.pod.name"], of["io.kubernetes.pod.namespace"], of["io.kubernetes.docker.type"] == "podsandbox"}
		}
		return labels{name: strings.TrimPrefix(docker.Name, "/")}
	}
	var stored []struct {
		ID    string   `json:"id"`
		Names []string `json:"names"`
	}
	readRecord(filepath.Join(store, "overlay-containers/containers.json"), &stored)
	for _, s := range stored {
		if s.ID == id && len(s.Names) > 0 {
			return labels{name: s.Names[0]}
		}
	}
	return l
}

// maxRecord bounds what is read of an engine's record.
const maxRecord = 16 << 20

// readRecord reads the one file that a pattern names.
func readRecord(pattern string, to any) bool {
	all, err := filepath.Glob(pattern)
	if err != nil || len(all) == 0 {
		return false
	}
	st, err := os.Stat(all[0])
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxRecord {
		return false
	}
	text, err := os.ReadFile(all[0])
	return err == nil && json.Unmarshal(text, to) == nil
}

// Wanted names a container: its id, the beginning of that, or its name; or the Pod that it is in.
type Wanted struct{ Container, Pod, Namespace string }

func (w *Wanted) String() string {
	var parts []string
	if w.Container != "" {
		parts = append(parts, "container "+w.Container)
	}
	if w.Pod != "" {
		parts = append(parts, "Pod "+w.Pod)
	}
	if w.Namespace != "" {
		parts = append(parts, "namespace "+w.Namespace)
	}
	return strings.Join(parts, " of ")
}

// Find picks the one that is meant. A Pod's sandbox counts by its id only.
func (w *Wanted) Find(all []Container) (*Container, error) {
	var found []Container
	for _, c := range all {
		if w.Pod != "" && c.pod != w.Pod || w.Namespace != "" && c.namespace != w.Namespace {
			continue
		}
		if w.Container == c.ID {
			return &c, nil
		}
		if w.Container == "" && !c.sandbox || w.Container != "" && (strings.HasPrefix(c.ID, w.Container) || !c.sandbox && c.name == w.Container) {
			found = append(found, c)
		}
	}
	list := func(of []Container) string {
		var names []string
		for i := range of {
			names = append(names, of[i].String())
		}
		return strings.Join(names, ", ")
	}
	switch {
	case len(found) == 1:
		return &found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("%s: %d containers are meant: %s", w, len(found), list(found))
	case len(all) == 0:
		return nil, fmt.Errorf("%s: no process that is seen here has a cgroup that is named after a container; name a process with --pid", w)
	}
	return nil, fmt.Errorf("%s: no process that is seen here has a cgroup of that name; there are %s", w, list(all))
}
