package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"syscallstory/container"
	"syscallstory/from/live"
	"syscallstory/image"
	"syscallstory/overlay"
	"syscallstory/overlay/stack"
)

// layerFlags name an overlay: one that is mounted, directories, or an image.
type layerFlags struct {
	pid        int
	wanted     live.Wanted
	at         string
	upper      string
	lower      []string
	data       []string
	image, tag string
	userxattr  bool
	metacopy   bool
	output     string
}

func (f *layerFlags) flags(s *pflag.FlagSet) {
	s.IntVar(&f.pid, "pid", 0, "a process: the overlay that it has as /, or at --at")
	s.StringVarP(&f.wanted.Container, "container", "c", "", "a container that runs here: its id, the beginning of it, or its name; instead of --pid")
	s.StringVarP(&f.wanted.Pod, "pod", "p", "", "the Pod that it is in")
	s.StringVarP(&f.wanted.Namespace, "namespace", "n", "", "the Pod's namespace, where several have one of that name")
	s.StringVar(&f.at, "at", "", "where the overlay is mounted; without a process or container as this process sees it")
	s.StringSliceVar(&f.lower, "lower", nil, "a lower layer's directory, the top one first; may be given several times")
	s.StringSliceVar(&f.data, "data", nil, "a layer of data only")
	s.StringVar(&f.upper, "upper", "", "the upper layer's directory")
	s.StringVar(&f.image, "image", "", "an OCI image layout or what docker save writes, a directory or an archive; its top layer counts as the upper one in diff")
	s.StringVar(&f.tag, "tag", "", "of several images in --image, the one with this tag or digest")
	s.BoolVar(&f.userxattr, "userxattr", false, "the layers' marks are user.overlay.*, as for a mount with that option")
	s.BoolVar(&f.metacopy, "metacopy", true, "copies of attributes are followed to their data, as for a mount with that option")
	s.StringVarP(&f.output, "output", "o", "text", "text or json")
}

// layerInfo is a layer as `overlay layers` tells it.
type layerInfo struct {
	Layer  int          `json:"layer"`
	Kind   string       `json:"kind"` // upper, lower, data
	Name   string       `json:"name"`
	Origin string       `json:"origin,omitempty"` // the engine's or the image's name of it
	Step   string       `json:"step,omitempty"`   // of the image's build
	Packed int64        `json:"packed,omitempty"`
	Usage  *stack.Usage `json:"usage"`
}

// opened is an overlay whose layers can be read.
type opened struct {
	*stack.Stack
	point   string // where it is mounted
	options string
	export  bool // nfs_export=on
	infos   []layerInfo
	dirs    []string // the layers' directories, as Names
}

// open opens the layers. topIsUpper: an image's top layer stands for the upper one.
func (f *layerFlags) open(topIsUpper bool) (*opened, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if f.image != "" {
		return f.openImage(topIsUpper)
	}
	o := &opened{Stack: &stack.Stack{Options: overlay.Options{Metacopy: f.metacopy}}}
	upper, lower, data, user := f.upper, f.lower, f.data, f.userxattr
	if f.pid != 0 || f.at != "" {
		m, err := f.mounted()
		if err != nil {
			return nil, err
		}
		upper, lower, data, user = m.Upper, m.Lower, m.Data, m.UserXattr
		o.point, o.options, o.export = m.Point, m.Options, m.NFSExport
		o.Options = overlay.Options{NoFollow: m.NoFollow, Metacopy: m.Metacopy}
	}
	if upper == "" && len(lower) == 0 || len(lower) == 0 && f.at == "" && f.pid == 0 {
		return nil, errors.New("an overlay has at least one lower layer: --lower")
	}
	add := func(kind, dir string) (stack.Layer, error) {
		if o.point != "" && !path.IsAbs(dir) {
			return nil, fmt.Errorf("layer %s: it is relative to the directory in which the overlay was mounted, which nothing tells", dir)
		}
		l, err := stack.Dir(dir, user)
		if err != nil {
			return nil, err
		}
		o.Names, o.dirs = append(o.Names, dir), append(o.dirs, dir)
		o.infos = append(o.infos, layerInfo{Kind: kind, Name: dir, Origin: stack.Engine(dir)})
		return l, nil
	}
	var err error
	if upper != "" {
		if o.Upper, err = add("upper", upper); err != nil {
			return nil, f.mountedHint(err)
		}
	}
	for i, d := range lower {
		l, err := add("lower", d)
		if err != nil {
			o.Close()
			return nil, f.mountedHint(err)
		}
		o.Lower = append(o.Lower, l)
		o.infos[len(o.infos)-1].Layer = i + 1
	}
	for i, d := range data {
		l, err := add("data", d)
		if err != nil {
			o.Close()
			return nil, f.mountedHint(err)
		}
		o.Data = append(o.Data, l)
		o.infos[len(o.infos)-1].Layer = -1 - i
	}
	return o, nil
}

// check holds the flags against one another, and finds the container that is meant.
func (f *layerFlags) check() error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("-o %s: text and json exist", f.output)
	}
	n := 0
	for _, given := range []bool{f.pid != 0 || f.wanted != (live.Wanted{}) || f.at != "", len(f.lower)+len(f.data) > 0 || f.upper != "", f.image != ""} {
		if given {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New("name one overlay: --pid, --container or --at for one that is mounted, --lower and --upper for directories, or --image")
	case f.pid < 0:
		return fmt.Errorf("--pid %d: it is not the id of a process", f.pid)
	case f.image == "" && f.tag != "":
		return errors.New("--tag goes with --image")
	}
	return f.find()
}

// find turns the name of a container into a process of it.
func (f *layerFlags) find() error {
	if f.wanted == (live.Wanted{}) {
		return nil
	}
	if f.pid != 0 {
		return errors.New("--pid and --container, --pod exclude each other")
	}
	if f.wanted.Container == "" && f.wanted.Pod == "" {
		return errors.New("--namespace goes with --pod")
	}
	c, err := f.wanted.Find(live.Containers())
	if err != nil {
		return err
	}
	f.pid, f.wanted = c.PID, live.Wanted{}
	return nil
}

// mountedHint says what is the matter where a mounted overlay's layers cannot be opened: their paths are those of whoever mounted.
func (f *layerFlags) mountedHint(err error) error {
	if f.pid == 0 && f.at == "" {
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return &container.Incapable{Err: err}
	}
	return &container.Incapable{Err: fmt.Errorf("%w: the mount names its layers as who mounted it saw them; here they are not there, or may not be read", err)}
}

// mounted finds the overlay that is meant.
func (f *layerFlags) mounted() (*live.OverlayMount, error) {
	pid, at := f.pid, path.Clean("/"+f.at)
	self := pid == 0
	if self {
		pid = selfPID()
	}
	all, err := live.Overlays(pid)
	if err != nil {
		var e *live.ReadError
		if errors.As(err, &e) && e.Need != "" {
			return nil, &container.Incapable{Err: err}
		}
		return nil, err
	}
	var points []string
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Point == at {
			return &all[i], nil
		}
		points = append(points, all[i].Point)
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("no overlay is mounted at %s: the mount namespace has none", at)
	}
	slices.Sort(points)
	return nil, fmt.Errorf("no overlay is mounted at %s; there are overlays at %s", at, strings.Join(slices.Compact(points), ", "))
}

// openImage reads an image.
func (f *layerFlags) openImage(topIsUpper bool) (*opened, error) {
	im, err := image.Open(f.image, f.tag)
	if err != nil {
		return nil, err
	}
	if len(im.Layers) == 0 {
		return nil, fmt.Errorf("image %s has no layers", f.image)
	}
	o := &opened{Stack: &stack.Stack{Options: overlay.Options{Metacopy: true}}}
	for i := len(im.Layers) - 1; i >= 0; i-- {
		l := &im.Layers[i]
		layer := stack.Image(l.Tree)
		info := layerInfo{Kind: "lower", Name: l.Digest, Origin: l.DiffID, Step: l.CreatedBy, Packed: l.Size}
		if topIsUpper && i == len(im.Layers)-1 {
			o.Upper, info.Kind = layer, "upper"
		} else {
			o.Lower = append(o.Lower, layer)
			info.Layer = len(o.Lower)
		}
		o.Names = append(o.Names, l.Digest)
		o.infos = append(o.infos, info)
	}
	return o, nil
}

func (p *program) overlayCommand() *cobra.Command {
	c := &cobra.Command{Use: "overlay", Short: "layers: what serves a path, what a container has changed, what a write would copy",
		Long: "Of an overlay that is mounted (--pid, --container, --at), of directories (--lower, --upper), or of an image that is not unpacked (--image)."}
	c.AddCommand(p.overlayLayers(), p.overlayWhich(), p.overlayDiff(), p.overlayCost(), p.overlayExplain())
	return c
}

// atLeastOne asks for arguments in the words of the command.
func atLeastOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New("name " + what)
		}
		return nil
	}
}

func encodeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (p *program) overlayLayers() *cobra.Command {
	var f layerFlags
	c := &cobra.Command{Use: "layers", Short: "each layer, from the top, with what it holds", Args: cobra.NoArgs,
		Example: "  story overlay layers --pid 4711\n  story overlay layers --container 3f4e8d\n  story overlay layers --image saved.tar",
		RunE: func(*cobra.Command, []string) error {
			o, err := f.open(false)
			if err != nil {
				return err
			}
			defer o.Close()
			all := o.layers()
			for i := range all {
				u, err := stack.Use(all[i])
				if err != nil {
					return err
				}
				o.infos[i].Usage = &u
			}
			if f.output == "json" {
				return encodeJSON(p.out, struct {
					SchemaVersion string      `json:"schemaVersion"`
					Point         string      `json:"point"`
					Options       string      `json:"options"`
					Layers        []layerInfo `json:"layers"`
				}{"1", o.point, o.options, o.infos})
			}
			for _, l := range o.infos {
				number := l.Kind
				if l.Layer > 0 {
					number = fmt.Sprintf("%s %d", l.Kind, l.Layer)
				}
				fmt.Fprintf(p.out, "%-8s %s\n", number, l.Name)
				for _, s := range []string{l.Origin, l.Step} {
					if s != "" {
						fmt.Fprintf(p.out, "         %s\n", s)
					}
				}
				u := l.Usage
				fmt.Fprintf(p.out, "         %d bytes in %d files, %d directories", u.Bytes, u.Files, u.Dirs)
				if u.Whiteouts+u.Opaque > 0 {
					fmt.Fprintf(p.out, ", %d whiteouts, %d opaque", u.Whiteouts, u.Opaque)
				}
				fmt.Fprintln(p.out)
			}
			return nil
		}}
	f.flags(c.Flags())
	return c
}

// layers lists the layers in the order of infos.
func (o *opened) layers() []stack.Layer {
	var all []stack.Layer
	if o.Upper != nil {
		all = append(all, o.Upper)
	}
	return append(append(all, o.Lower...), o.Data...)
}

func (p *program) overlayWhich() *cobra.Command {
	var f layerFlags
	c := &cobra.Command{Use: "which PATH...", Short: "which layer serves a path, and what is hidden below it", Args: atLeastOne("a path of the overlay, such as /etc/passwd"),
		Long:    "PATH is one of the overlay, from its root; links are not followed. A path that is not there ends in exit code 1.",
		Example: "  story overlay which --pid 4711 /etc/hosts\n  story overlay which --lower l1,l2 --upper u /etc/passwd",
		RunE: func(_ *cobra.Command, args []string) error {
			o, err := f.open(false)
			if err != nil {
				return err
			}
			defer o.Close()
			all := []*stack.Answer{}
			for _, a := range args {
				ans, err := o.Which(a)
				if err != nil {
					return err
				}
				if ans.Errno != "" {
					p.code = exitDenied
				}
				all = append(all, ans)
			}
			if f.output == "json" {
				if len(all) == 1 {
					return encodeJSON(p.out, all[0])
				}
				return encodeJSON(p.out, all)
			}
			for _, a := range all {
				writeAnswer(p.out, a)
			}
			return nil
		}}
	f.flags(c.Flags())
	return c
}

func writeAnswer(w io.Writer, a *stack.Answer) {
	line := func(what string, x *stack.Where) {
		fmt.Fprintf(w, "  %-8s %s: %s", what, x.Name, x.Path)
		switch {
		case strings.HasPrefix(x.Type, "whiteout"):
			fmt.Fprintf(w, "  %s", x.Type)
		case x.Target != "":
			fmt.Fprintf(w, "  %s to %s", x.Type, x.Target)
		default:
			fmt.Fprintf(w, "  %s %s %d:%d", x.Type, x.Mode, x.UID, x.GID)
			if x.Type == "file" {
				fmt.Fprintf(w, ", %d bytes", x.Size)
			}
		}
		if x.Why != "" {
			fmt.Fprintf(w, " (%s)", x.Why)
		}
		fmt.Fprintln(w)
	}
	if fmt.Fprint(w, a.Path); a.Errno != "" {
		fmt.Fprintf(w, ": %s", a.Errno)
	}
	fmt.Fprintln(w)
	if a.Served != nil {
		line("served", a.Served)
	}
	for i := range a.Merged {
		line("merged", &a.Merged[i])
	}
	if a.Data != nil {
		line("data", a.Data)
	}
	for i := range a.Hidden {
		line("hidden", &a.Hidden[i])
	}
	for _, r := range a.Redirects {
		fmt.Fprintf(w, "  redirect: the layers below go on at %s\n", r)
	}
	for _, n := range a.Notes {
		fmt.Fprintf(w, "  note: %s\n", n)
	}
}

func (p *program) overlayDiff() *cobra.Command {
	var f layerFlags
	c := &cobra.Command{Use: "diff", Short: "what the upper layer changes, with bytes", Args: cobra.NoArgs,
		Long: "A: added, M: modified, D: removed; bytes are those that the upper layer holds for it. A directory that was copied up only because\n" +
			"something below it was is no change. Exit code 1 where there is one, 0 where there is none.",
		Example: "  story overlay diff --pid 4711\n  story overlay diff --pod web --container nginx\n  story overlay diff --image saved.tar   # what the image's top layer changes",
		RunE: func(*cobra.Command, []string) error {
			o, err := f.open(true)
			if err != nil {
				return err
			}
			defer o.Close()
			if o.Upper == nil {
				return errors.New("the overlay has no upper layer: nothing can be changed in it")
			}
			changes := []stack.Change{}
			t, err := o.Diff(func(c *stack.Change) error {
				changes = append(changes, *c)
				return nil
			})
			if err != nil {
				return err
			}
			slices.SortFunc(changes, func(a, b stack.Change) int { return strings.Compare(a.Path, b.Path) })
			if len(changes) > 0 {
				p.code = exitDenied
			}
			if f.output == "json" {
				return encodeJSON(p.out, struct {
					SchemaVersion string         `json:"schemaVersion"`
					Changes       []stack.Change `json:"changes"`
					Totals        stack.Totals   `json:"totals"`
				}{"1", changes, t})
			}
			for i := range changes {
				writeChange(p.out, &changes[i])
			}
			_, err = fmt.Fprintf(p.out, "%d added, %d modified, %d removed; %d bytes in the upper layer\n", t.Added, t.Modified, t.Removed, t.Bytes)
			return err
		}}
	f.flags(c.Flags())
	return c
}

func writeChange(w io.Writer, c *stack.Change) {
	fmt.Fprintf(w, "%s %10d  %s", c.Kind, c.Bytes, c.Path)
	if c.Type == "directory" {
		fmt.Fprint(w, "/")
	}
	var notes []string
	if c.Type != "file" && c.Type != "directory" {
		notes = append(notes, c.Type)
	}
	if c.Note != "" {
		notes = append(notes, c.Note)
	}
	if c.From != "" {
		notes = append(notes, "from "+c.From)
	}
	if c.Link != "" {
		notes = append(notes, "another name of "+c.Link)
	}
	if len(notes) > 0 {
		fmt.Fprintf(w, "  (%s)", strings.Join(notes, "; "))
	}
	fmt.Fprintln(w)
}
