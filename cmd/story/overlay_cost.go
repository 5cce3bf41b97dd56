package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"syscallstory/from/files"
	"syscallstory/from/node"
	"syscallstory/image"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

func selfPID() int { return os.Getpid() }

// unionWorld makes the world of root in a container that has the overlay as its root, and nothing else.
func (f *layerFlags) unionWorld() (*world.World, error) {
	w := world.New()
	n, err := node.Local()
	if err != nil {
		return nil, err
	}
	n.Apply(w)
	at := w.Suppose("the call is made by root with every capability, and the mounter has them too", "--pid for a process as it is")
	cr := world.Cred{Effective: world.AllCaps, Permitted: world.AllCaps, Bounding: world.AllCaps, UIDAt: at, GIDAt: at, GroupsAt: at, EffectiveAt: at, BoundingAt: at, NoNewAt: at}
	ov := (&world.Overlay{Mounter: cr, UserXattr: f.userxattr, Redirect: world.Given(false, at), NFSExport: world.Given(false, at)}).Under(w.Kernel)
	if f.image != "" {
		im, err := image.Open(f.image, f.tag)
		if err != nil {
			return nil, err
		}
		at := w.Suppose("the engine unpacks the image onto ext4, and the container's upper layer is empty", "")
		ov.Lower, ov.Names = imageLayers(w, im, at)
		id := w.FS.NewSB(world.SB{Type: "ext4", Name: "the container's upper layer", At: at, FlagsAt: at}, world.Inode{Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 2, At: at})
		ov.Upper = w.FS.SB(id).Root
	} else if err := f.layersOf(w, ov, at); err != nil {
		return nil, err
	}
	host := w.InitialNamespaces(at)
	id := overlay.Merger{}.NewOverlay(w.FS, world.SB{Name: "overlay", Overlay: ov, At: at, FlagsAt: at})
	mnt := w.Attach(world.Path{}, world.Mount{Root: w.FS.SB(id).Root, SB: id, Point: "/", Source: "overlay", Origin: at, Why: at})
	w.MountNS = []world.MountNS{{Root: mnt}}
	root := world.Path{Mount: mnt, Dentry: w.FS.SB(id).Root}
	one := world.Given(1, at)
	w.Task = world.Task{Cred: cr, Root: root, Cwd: root, CwdAt: at, Umask: world.Given(uint16(0o22), at), FDsAt: at, NoFile: world.Given(1024, at), OpenFDs: world.Given(0, at), Devices: world.Devices{All: true, At: at},
		NS: host, LandlockAt: at, Threads: one, FSUsers: one, Seccomp: world.Seccomp{At: at}}
	for i := range w.Task.Rlimits {
		w.Task.Rlimits[i] = world.Given(world.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}, at)
	}
	return w, nil
}

// layersOf puts directories, or the layers of a mount, into a world.
func (f *layerFlags) layersOf(w *world.World, ov *world.Overlay, at story.Origin) error {
	o, err := f.open(false)
	if err != nil {
		return err
	}
	defer o.Close()
	ov.NFSExport.V = o.export
	ov.NoFollow, ov.Metacopy = o.Options.NoFollow, o.Options.Metacopy && strings.Contains(o.options, "metacopy=on")
	for i, dir := range o.dirs {
		sb := world.SB{Type: files.Type(dir), Name: dir, At: at, FlagsAt: at}
		if d, err := os.Open(dir); err == nil {
			sb.Room = files.RoomAt(int(d.Fd()), w.Text("statfs of "+dir))
			d.Close()
		}
		id, err := files.Dir(w, sb, dir, "", nil)
		if err != nil {
			return err
		}
		root := w.FS.SB(id).Root
		switch o.infos[i].Kind {
		case "upper":
			ov.Upper = root
		case "lower":
			ov.Lower, ov.Names = append(ov.Lower, root), append(ov.Names, dir)
		default:
			ov.DataOnly = append(ov.DataOnly, root)
		}
	}
	return nil
}

// overlayTask makes the world that calls are judged in: a process's, or that of root in the overlay.
func (p *program) overlayTask(f *layerFlags) (*world.World, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if f.pid == 0 {
		return f.unionWorld()
	}
	if f.at != "" {
		return nil, errors.New("--at: a call names its own path, as the process sees it")
	}
	in, err := (&subject{pid: f.pid}).process()
	if err != nil {
		return nil, err
	}
	return in.World()
}

// costs are what a call copies.
type costs struct {
	Call    string       `json:"call"`
	Verdict string       `json:"verdict"`
	Errno   *string      `json:"errno"`
	Bytes   int64        `json:"bytes"`
	Copies  []copiedName `json:"copies"`
}

type copiedName struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	Text  string `json:"text"`
}

func (p *program) overlayCost() *cobra.Command {
	var f layerFlags
	c := &cobra.Command{Use: "cost CALL...", Short: "what a call would copy to the upper layer", Args: atLeastOne(`a call, such as 'open("/etc/passwd", O_RDWR)'`),
		Long: "Of a process (--pid, --container) with its own rights; of a mount, of directories or of an image in a new container, as root whose / the overlay is. Each call is asked for itself.\n" +
			"Exit code as explain's: 1 where the call is refused, 3 where that is not known.",
		Example: "  story overlay cost --lower l --upper u 'open(\"/var/lib/db\", O_RDWR)' 'chmod(\"/etc/passwd\", 0600)'",
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := p.overlayStories(&f, args)
			if err != nil {
				return err
			}
			list := []costs{}
			for _, s := range all {
				list = append(list, costOf(s))
			}
			if f.output == "json" {
				if len(list) == 1 {
					return encodeJSON(p.out, list[0])
				}
				return encodeJSON(p.out, list)
			}
			for _, k := range list {
				fmt.Fprintf(p.out, "%s: %s", k.Call, k.Verdict)
				if k.Errno != nil {
					fmt.Fprintf(p.out, " (%s)", *k.Errno)
				}
				fmt.Fprintf(p.out, ", %d bytes copied up\n", k.Bytes)
				for _, c := range k.Copies {
					fmt.Fprintf(p.out, "  %10d  %s\n", c.Bytes, c.Text)
				}
			}
			return nil
		}}
	f.flags(c.Flags())
	return c
}

func (p *program) overlayExplain() *cobra.Command {
	var f layerFlags
	var verbose bool
	c := &cobra.Command{Use: "explain CALL...", Short: "the story of a call: which layer serves it, what it copies, where the new file lands", Args: atLeastOne(`a call, such as 'open("/etc/passwd", O_RDWR)'`),
		Long: "As story explain --pid for a process or a container; for a mount and for directories the story of root whose / the overlay is.",
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := p.overlayStories(&f, args)
			if err != nil {
				return err
			}
			w := newWriter(p.out, view{output: f.output, color: "auto", verbose: verbose})
			for _, s := range all {
				if err := w.write(s); err != nil {
					return err
				}
			}
			return w.close()
		}}
	f.flags(c.Flags())
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "print every step")
	return c
}

// overlayStories tells each call's story.
func (p *program) overlayStories(f *layerFlags, args []string) ([]*story.Story, error) {
	var all []*story.Story
	for _, text := range args {
		w, err := p.overlayTask(f)
		if err != nil {
			return nil, err
		}
		j, err := bind(w)
		if err != nil {
			return nil, err
		}
		call, err := syscalls.Parse(j.ABI(), text)
		if err != nil {
			return nil, err
		}
		s := j.Story(call)
		p.code = worse(p.code, storyCode(s))
		all = append(all, s)
	}
	return all, nil
}

func storyCode(s *story.Story) int {
	switch s.Verdict {
	case story.Allowed.String(), story.Blocks.String():
		return exitAllowed
	case story.Undetermined.String():
		return exitUndetermined
	}
	return exitDenied
}

// costOf adds up what a story says is copied.
func costOf(s *story.Story) costs {
	k := costs{Call: s.Call.Text, Verdict: s.Verdict, Errno: s.Errno, Copies: []copiedName{}}
	id := story.OverlayCopyUp.Info().ID
	for _, st := range s.Steps {
		if st.Code != id || st.Outcome != story.Allow.String() {
			continue
		}
		c := copiedName{Path: st.Object, Text: st.Text}
		for _, e := range s.Effects {
			if e.Kind == "copied-up" && e.Path == st.Object && e.Bytes != nil {
				c.Bytes = *e.Bytes
			}
		}
		k.Bytes += c.Bytes
		k.Copies = append(k.Copies, c)
	}
	return k
}
