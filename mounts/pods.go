package mounts

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"syscallstory/mount"
	"syscallstory/story"
)

// VolumeStory tells what a volumeMount has become, or what a container gets without being asked.
type VolumeStory struct {
	Container   string       `json:"container"`
	By          string       `json:"by"`     // volumeMount, or who mounts it without being asked: runtime, kubelet, containerd, API server
	Volume      string       `json:"volume"` // empty where By is no volumeMount
	Kind        string       `json:"kind"`
	Source      string       `json:"source"`               // on the node; empty where nothing of the node is mounted
	SourceLink  string       `json:"sourceLink,omitempty"` // as the Pod has it, where that leads over a link
	Point       string       `json:"point"`                // in the container
	PointLink   string       `json:"pointLink,omitempty"`  // as the Pod has it, where that leads over a link of the image
	At          *story.Place `json:"at"`
	Asked       string       `json:"asked"`             // None, HostToContainer or Bidirectional
	Option      string       `json:"option"`            // what the runtime is told
	Refused     string       `json:"refused,omitempty"` // why the engine does not start the container
	Filesystem  string       `json:"filesystem"`        // that it lies on
	Flags       string       `json:"flags"`
	IDMapped    bool         `json:"idmapped"`         // with the Pod's user namespace
	Unsure      string       `json:"unsure,omitempty"` // why it is not known whether it is there
	Propagation string       `json:"propagation"`
	Below       []string     `json:"below"`      // mounts on it
	In          bool         `json:"seesHost"`   // what the host mounts below the source from now on arrives
	Out         bool         `json:"seenByHost"` // what the container mounts below the point is seen by the host
	Missing     []string     `json:"missing"`    // mounts of the host below the source that are not there
}

// options are the words in which the runtime is told.
var options = map[string]string{"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}

// Volumes tells of every volumeMount of the planned containers, and then of what else is mounted in them.
func (m *Machine) Volumes() []VolumeStory {
	out := []VolumeStory{}
	for _, i := range m.inOrder() {
		v := &m.volumes[i]
		s := VolumeStory{Container: v.in, By: cmp.Or(v.made.By, "volumeMount"), Volume: v.Volume, Kind: v.Kind, Source: path.Join(v.Base, v.SubPath), Point: v.Point, PointLink: v.link, IDMapped: v.made.IDMapped,
			Asked: v.Propagation, Option: options[v.Propagation], Below: []string{}, Missing: []string{}}
		if v.Real != "" && v.Real != s.Source {
			s.Source, s.SourceLink = v.Real, s.Source
		}
		if at := v.At; v.made.Volume != 0 {
			s.At = &at
		} else {
			s.Asked, s.Option = "", ""
		}
		if v.made.Unsure {
			s.Unsure = "whether this kernel has " + v.Point + " is not known; a runtime leaves out what is not there"
		}
		if v.id == 0 {
			for _, r := range m.Refused {
				if r.Container == v.in {
					s.Refused = r.Text
				}
			}
			out = append(out, s)
			continue
		}
		n := m.tree.Node(v.id)
		s.Flags, s.Propagation = n.Flags.String(), kindText(n)
		if d := m.detail(m.tree, v.id); d != nil {
			if s.Filesystem = d.Type; d.Source != d.Type {
				s.Filesystem += " " + d.Source
			}
		}
		if s.By != "volumeMount" {
			out = append(out, s)
			continue
		}
		here := map[string]bool{}
		for c := range m.tree.Children(v.id) {
			point := m.sight(m.tree).point(c)
			here[strings.TrimPrefix(point, strings.TrimSuffix(v.Point, "/"))] = true
			s.Below = append(s.Below, m.text(c, point))
		}
		s.In = m.reaches(0, v.Host, func(r mount.ID) bool { return m.below(r, v.id) })
		s.Out = m.reaches(v.ns, v.Point, func(r mount.ID) bool { return nsIndex(m.tree.Node(r).NS) == 0 })
		s.Missing = append(s.Missing, m.lost(v, here)...)
		out = append(out, s)
	}
	return out
}

// inOrder lists the mounts of each container, its volumeMounts first and as the Pod has them.
func (m *Machine) inOrder() []int {
	out := make([]int, len(m.volumes))
	rank := map[string]int{}
	for i := range m.volumes {
		if out[i] = i; rank[m.volumes[i].in] == 0 {
			rank[m.volumes[i].in] = len(rank) + 1
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		x, y := &m.volumes[a], &m.volumes[b]
		number := func(v *volume) int { return cmp.Or(v.made.Volume, len(m.volumes)+1) }
		return cmp.Or(rank[x.in]-rank[y.in], number(x)-number(y))
	})
	return out
}

func (m *Machine) text(id mount.ID, point string) string {
	text := point
	if d := m.detail(m.tree, id); d != nil {
		text += " (" + d.Type + " " + d.Source + ")"
	}
	return text + ", " + kindText(m.tree.Node(id))
}

// reaches reports whether one of the mounts that get a copy of what is made below a directory is such.
func (m *Machine) reaches(from int, dir string, such func(mount.ID) bool) bool {
	at, err := m.place(m.tree, from, path.Join(dir, "a mount that is made"))
	if err != nil {
		return false
	}
	for r := range m.tree.Receivers(at.Mount, at.Dentry) {
		if such(r) {
			return true
		}
	}
	return false
}

// below reports whether a mount is another one or sits on it.
func (m *Machine) below(id, root mount.ID) bool {
	for id != root {
		up := m.tree.Node(id).Parent
		if up == id {
			return false
		}
		id = up
	}
	return true
}

// lost lists the host's mounts below a volume that the container has no copy of.
func (m *Machine) lost(v *volume, here map[string]bool) []string {
	var out []string
	at, err := m.place(m.tree, 0, v.Host)
	if err != nil {
		return nil
	}
	host := m.tree.Node(at.Mount)
	base, kids := v.Host, at.Mount
	if host.Parent != at.Mount && m.sight(m.tree).point(at.Mount) == v.Host { // something sits on the directory itself
		if m.tree.Node(v.id).SB != host.SB && !here[""] {
			out = append(out, m.text(at.Mount, v.Host)+" on the host")
		}
	}
	for c := range m.tree.Children(kids) {
		point := m.sight(m.tree).point(c)
		rel, ok := strings.CutPrefix(point, strings.TrimSuffix(base, "/")+"/")
		if ok && !here["/"+rel] {
			out = append(out, m.text(c, point)+" on the host")
		}
	}
	return out
}

// WriteVolumes prints what the volumes have become.
func WriteVolumes(w io.Writer, all []VolumeStory) error {
	var b strings.Builder
	in, asked := "", true
	for i := range all {
		s := &all[i]
		if s.Container != in {
			if in != "" {
				b.WriteByte('\n')
			}
			in, asked = s.Container, true
			fmt.Fprintf(&b, "%s\n", in)
		}
		if s.By == "volumeMount" {
			s.write(&b)
			continue
		}
		if asked {
			b.WriteString("  without being asked:\n")
		}
		asked = false
		s.own(&b)
	}
	_, err := io.WriteString(w, printableLines(b.String()))
	return err
}

func (s *VolumeStory) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %s  ←  %s of the node, volume %s (%s)", s.Point, s.Source, s.Volume, s.Kind)
	if s.At != nil && s.At.Line > 0 {
		fmt.Fprintf(b, "  %s:%d", s.At.File, s.At.Line)
	}
	b.WriteByte('\n')
	if s.PointLink != "" {
		fmt.Fprintf(b, "      mountPath %s leads over a link of the image to %s\n", s.PointLink, s.Point)
	}
	if s.SourceLink != "" {
		fmt.Fprintf(b, "      %s of the node leads over a link to %s\n", s.SourceLink, s.Source)
	}
	fmt.Fprintf(b, "      mountPropagation %s: the runtime makes it %s\n", s.Asked, s.Option)
	if s.Refused != "" {
		fmt.Fprintf(b, "      the container is not started: %s\n", s.Refused)
		return
	}
	fmt.Fprintf(b, "      %s, %s, %s\n", s.Filesystem, s.Flags, s.Propagation)
	if s.IDMapped {
		b.WriteString("      idmapped with the Pod's user namespace: a file of the node's uid 0 is one of the container's uid 0\n")
	}
	for _, m := range s.Below {
		fmt.Fprintf(b, "      on it: %s\n", m)
	}
	for _, m := range s.Missing {
		fmt.Fprintf(b, "      not on it: %s\n", m)
	}
	word := map[bool]string{true: "arrives", false: "does not arrive"}
	fmt.Fprintf(b, "      what the host mounts below %s from now on %s in the container; what the container mounts below %s %s on the host\n", s.Source, word[s.In], s.Point, word[s.Out])
}

// own is the line of a mount that no manifest asks for.
func (s *VolumeStory) own(b *strings.Builder) {
	fmt.Fprintf(b, "  %s  ←  ", s.Point)
	if s.Source != "" {
		fmt.Fprintf(b, "%s of the node, ", s.Source)
	}
	fmt.Fprintf(b, "%s, %s, %s, by %s", s.Filesystem, s.Flags, s.Propagation, who(s.By))
	if s.IDMapped {
		b.WriteString(", idmapped")
	}
	if s.Unsure != "" {
		b.WriteString(", if the kernel has it")
	}
	b.WriteByte('\n')
}

// who puts an article before what is no name.
func who(by string) string {
	if slices.Contains([]string{"containerd", "cri-o", "docker"}, by) {
		return by
	}
	return "the " + by
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
