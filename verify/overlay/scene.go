// Package overlay is the area overlay of verify: random layers, mounted by the kernel and merged by the model, and sequences of
// calls on them. Compared are the errno of each call, what stat says of its objects, and at the end of a sequence every merged
// name with what it holds, the whole upper layer with its whiteouts and marks, and how many bytes were copied there.
package overlay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// File is an object of a layer.
type File struct {
	Path   string
	Type   string // dir file link fifo null whiteout xwhiteout hard
	Mode   uint16 `json:",omitempty"`
	UID    uint32 `json:",omitempty"`
	GID    uint32 `json:",omitempty"`
	Size   int64  `json:",omitempty"`
	Target string `json:",omitempty"` // of a link, or the other name of a hard one
	Opaque string `json:",omitempty"` // y or x
	Data   string `json:",omitempty"` // a file with attributes only, whose data is at this path of the data-only layers
	Xattr  bool   `json:",omitempty"` // it has user.x
}

// Step is a call or, without one, a new mount.
type Step struct {
	Call string `json:",omitempty"`
	// Remount: same mounts the same layers again, clean after what volatile has left was removed; down makes the upper layer the top
	// one of the lower ones.
	Remount string `json:",omitempty"`
	Set     string `json:",omitempty"` // the options of the new mount
}

// Scene is layers, how they are mounted, and what is done.
type Scene struct {
	Set      string   // a name of sets
	Separate bool     `json:",omitempty"` // each layer lies on a filesystem of its own
	Nested   bool     `json:",omitempty"` // the lower layers are an overlay themselves
	ReadOnly bool     `json:",omitempty"` // there is no upper layer
	User     bool     `json:",omitempty"` // mounted in a user namespace
	Volatile bool     `json:",omitempty"`
	Data     int      `json:",omitempty"` // how many of the layers, from below, hold data only
	Room     int      `json:",omitempty"` // how many pages less one the upper layer's filesystem has left
	Layers   [][]File // the upper one first
	Steps    []Step
}

// options of a mount.
type options struct {
	redirect, nofollow, metacopy, index, xino, userxattr, export bool
	text                                                         string
}

// sets are the options that are mounted with, by name.
var sets = map[string]options{
	"default":   {},
	"redirect":  {redirect: true, text: "redirect_dir=on"},
	"follow":    {text: "redirect_dir=follow"},
	"nofollow":  {nofollow: true, text: "redirect_dir=nofollow"},
	"metacopy":  {redirect: true, metacopy: true, text: "metacopy=on,redirect_dir=on"},
	"index":     {index: true, text: "index=on"},
	"export":    {index: true, export: true, text: "nfs_export=on"},
	"moved":     {redirect: true, index: true, export: true, text: "redirect_dir=on,nfs_export=on"},
	"all":       {redirect: true, metacopy: true, index: true, text: "metacopy=on,redirect_dir=on,index=on"},
	"xino":      {xino: true, text: "xino=on"},
	"unmarked":  {nofollow: true},
	"userxattr": {userxattr: true, nofollow: true, text: "userxattr"},
}

// Text prints a scene for a person, behind it in a form that --case reads.
func (s *Scene) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  mounted with %s", cmpText(sets[s.Set].text, "no options"))
	for _, w := range []struct {
		on   bool
		text string
	}{{s.Separate, "layers on filesystems of their own"}, {s.Nested, "the lower layers an overlay themselves"}, {s.ReadOnly, "no upper layer"}, {s.User, "in a user namespace"},
		{s.Volatile, "volatile"}, {s.Data > 0, fmt.Sprintf("%d layers of data only", s.Data)}, {s.Room > 0, fmt.Sprintf("%d pages left", s.Room-1)}} {
		if w.on {
			fmt.Fprintf(&b, ", %s", w.text)
		}
	}
	b.WriteByte('\n')
	for i, l := range s.Layers {
		name := "upper"
		if i > 0 {
			name = fmt.Sprintf("lower %d", i)
		}
		fmt.Fprintf(&b, "  %s:\n", name)
		for _, f := range l {
			fmt.Fprintf(&b, "    %s %s", f.Type, f.Path)
			if f.Type == "dir" || f.Type == "file" {
				fmt.Fprintf(&b, " %o %d:%d", f.Mode, f.UID, f.GID)
			}
			if f.Type == "file" {
				fmt.Fprintf(&b, " %d bytes", f.Size)
			}
			if f.Target != "" {
				fmt.Fprintf(&b, " -> %s", f.Target)
			}
			if f.Data != "" {
				fmt.Fprintf(&b, " data in %s", f.Data)
			}
			if f.Opaque != "" {
				fmt.Fprintf(&b, " opaque=%s", f.Opaque)
			}
			if f.Xattr {
				b.WriteString(" user.x")
			}
			b.WriteByte('\n')
		}
	}
	for _, st := range s.Steps {
		if st.Call != "" {
			fmt.Fprintf(&b, "  %s\n", st.Call)
		} else {
			fmt.Fprintf(&b, "  mounted again: %s, %s\n", st.Remount, cmpText(sets[st.Set].text, "no options"))
		}
	}
	text, _ := json.Marshal(s)
	fmt.Fprintf(&b, "%s\n", text)
	return b.String()
}

func cmpText(s, none string) string {
	if s == "" {
		return none
	}
	return s
}

// clone copies a scene, so that it can be made smaller.
func (s *Scene) clone() *Scene {
	c := *s
	c.Layers = slices.Clone(s.Layers)
	for i := range c.Layers {
		c.Layers[i] = slices.Clone(c.Layers[i])
	}
	c.Steps = slices.Clone(s.Steps)
	return &c
}

// ParseScene reads what Text has printed last.
func ParseScene(text []byte) (*Scene, error) {
	s := new(Scene)
	if i := strings.IndexByte(string(text), '{'); i >= 0 {
		text = text[i:]
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("a scene: %w", err)
	}
	if len(s.Layers) < 2 || len(s.Layers) > maxLayers {
		return nil, fmt.Errorf("a scene has 2 to %d layers, this one %d", maxLayers, len(s.Layers))
	}
	if s.Data < 0 || len(s.Layers)-s.Data < 2 {
		return nil, fmt.Errorf("of %d layers %d are said to hold data only", len(s.Layers), s.Data)
	}
	for _, st := range append([]Step{{Set: s.Set, Remount: "same"}}, s.Steps...) {
		if _, ok := sets[st.Set]; st.Call == "" && (!ok || st.Remount != "same" && st.Remount != "clean" && st.Remount != "down") {
			return nil, fmt.Errorf("a scene has no mount %q %q", st.Remount, st.Set)
		}
	}
	return s, nil
}

// maxLayers is how many a scene has, the upper one included.
const maxLayers = 5
