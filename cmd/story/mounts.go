package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"syscallstory/container"
	"syscallstory/from/live"
	"syscallstory/from/node"
	"syscallstory/kernel"
	"syscallstory/mounts"
)

func (p *program) mountsCommand() *cobra.Command {
	c := &cobra.Command{Use: "mounts", Short: "mounts of this machine's namespaces or of Pods on a node, and what an operation would change"}
	c.AddCommand(p.mountsTree(), p.mountsWhatIf(), p.mountsResolve(), p.mountsExplain())
	return c
}

// scene is where mount namespaces come from: this machine, Pods on a node, or a snapshot.
type scene struct {
	subject
	tables []string // mountinfo files
	kernel string
}

func (s *scene) flags(f *pflag.FlagSet) {
	f.StringVarP(&s.file, "file", "f", "", "instead of this machine: Pods and workloads that run on the node; - for standard input")
	f.StringVarP(&s.pod, "pod", "p", "", "only this Pod or workload of the file")
	f.StringVarP(&s.container, "container", "c", "", "only this container")
	f.StringVar(&s.node, "node", "", "the node's mounts and engine: a file, or local for this machine")
	f.StringVar(&s.rootfs, "rootfs", "", "with -f: the image's files, whose links mount points follow: a directory, or embedded for a tiny built-in one")
	f.StringVar(&s.hostRoot, "host-root", "", "with -f: the host's files, whose links hostPaths and subPaths follow: a directory")
	f.StringArrayVar(&s.tables, "mountinfo", nil, "instead of this machine: mountinfo files of processes of one machine; more than once")
	f.StringVar(&s.kernel, "kernel", "", "kernel release, as 6.18, where it is not this machine's or the node's")
	f.StringArrayVar(&s.units, "unit", nil, "unit file, or drop-in, of the node's containerd.service, kubelet.service and the like; more than once")
}

// planned reports whether the namespaces are made, and not read.
func (s *scene) planned() bool { return s.file != "" || s.node != "" || len(s.units) > 0 }

// machine reads the mount namespaces of processes, of all of them where none is named, or plans those of Pods.
func (p *program) machine(s *scene, pids []int) (*mounts.Machine, error) {
	if s.file == "" && (s.pod != "" || s.container != "" || s.rootfs != "" || s.hostRoot != "") {
		return nil, errors.New("-p, -c, --rootfs and --host-root go with -f")
	}
	if s.planned() {
		if len(pids) > 0 || s.world != "" || len(s.tables) > 0 {
			return nil, errors.New("--pid, --world and --mountinfo are for mounts that are there; -f, --node and --unit for those of Pods on a node")
		}
		return p.planned(s)
	}
	if s.world != "" {
		in, err := openSnapshot(s.world)
		if err != nil {
			return nil, err
		}
		w, err := in.World()
		if err != nil {
			return nil, err
		}
		return mounts.FromWorld(w), nil
	}
	release, err := node.Running()
	if s.kernel != "" {
		release, err = kernel.ParseRelease(s.kernel)
	}
	if err != nil {
		return nil, err
	}
	if len(s.tables) > 0 {
		tables, err := readTables(s.tables)
		if err != nil || len(pids) > 0 {
			return nil, cmp.Or(err, errors.New("--pid and --mountinfo exclude each other"))
		}
		return mounts.New(tables, release), nil
	}
	tables, skipped, err := live.MountTables(pids)
	if errors.Is(err, fs.ErrPermission) {
		return nil, &container.Incapable{Err: asRoot(err)}
	}
	if err != nil {
		return nil, err
	}
	for _, s := range skipped {
		fmt.Fprintln(p.errs, "not read:", s)
	}
	return mounts.New(tables, release), nil
}

// asRoot says who may do what was not permitted.
func asRoot(err error) error {
	if os.Geteuid() == 0 {
		return fmt.Errorf("%w: CAP_SYS_PTRACE over the process is needed, and that no security module or namespace keeps it from this root", err)
	}
	return fmt.Errorf("%w: run as root", err)
}

// readTables reads mountinfo files, a namespace each.
func readTables(files []string) ([]live.MountTable, error) {
	var out []live.MountTable
	for _, f := range files {
		text, err := readFile(f, 256<<20)
		if err != nil {
			return nil, err
		}
		lines, err := live.ParseMountTable(f, text)
		if err != nil {
			return nil, err
		}
		if len(lines) == 0 {
			return nil, fmt.Errorf("%s: there is no mount in it", f)
		}
		out = append(out, live.MountTable{Command: f, Mounts: lines})
	}
	return out, nil
}

// planned makes the namespaces of Pods on a node.
func (p *program) planned(s *scene) (*mounts.Machine, error) {
	setup := mounts.Setup{Container: s.container}
	if s.file != "" {
		ws, o, err := s.manifest(p.in)
		if err != nil {
			return nil, err
		}
		setup.Node, setup.Pods, setup.Options = o.Node, ws, o
		if s.pod != "" {
			w, err := s.workload(s.name(), ws)
			if err != nil {
				return nil, err
			}
			setup.Pods = setup.Pods[:0:0]
			setup.Pods = append(setup.Pods, w)
		}
	} else {
		o, err := s.options()
		if err != nil {
			return nil, err
		}
		setup.Node = o.Node
	}
	if s.node == "local" {
		tables, _, err := live.MountTables([]int{os.Getpid()})
		if err != nil {
			return nil, err
		}
		setup.Host = tables[0].Mounts
	}
	release, err := kernel.ParseRelease(cmp.Or(s.kernel, "6.18"))
	if err == nil && s.kernel != "" {
		return p.plan(setup, release)
	}
	if err == nil && setup.Node != nil && setup.Node.Kernel.Release != "" {
		release, err = setup.Node.Release()
	} else if err == nil {
		fmt.Fprintln(p.errs, "assumed: the node's kernel is Linux 6.18, as --node does not say")
	}
	if err != nil {
		return nil, err
	}
	return p.plan(setup, release)
}

func (p *program) plan(setup mounts.Setup, release kernel.Release) (*mounts.Machine, error) {
	m, err := mounts.Plan(setup, release)
	if err != nil {
		return nil, err
	}
	for _, n := range m.Notes {
		fmt.Fprintln(p.errs, "note:", n)
	}
	return m, nil
}

// refusedToo tells of containers that are not started.
func (p *program) refusedToo(m *mounts.Machine) {
	for _, r := range m.Refused {
		fmt.Fprintf(p.errs, "not started: %s: %s\n", r.Container, r.Text)
		p.code = exitDenied
	}
}

func (p *program) mountsTree() *cobra.Command {
	var pids []int
	var output string
	var s scene
	c := &cobra.Command{Use: "tree", Short: "every mount namespace with its mounts, and who gets what is mounted on each", Args: cobra.NoArgs,
		Example: "  story mounts tree\n  story mounts tree --pid 4711 --pid 1 -o svg > mounts.svg\n  story mounts tree -f pods.yaml --node node.yaml --unit containerd.service",
		RunE: func(*cobra.Command, []string) error {
			if !slices.Contains([]string{"text", "json", "dot", "svg"}, output) {
				return fmt.Errorf("-o %s: text, json, dot and svg exist", output)
			}
			m, err := p.machine(&s, pids)
			if err != nil {
				return err
			}
			p.refusedToo(m)
			if output == "text" {
				return m.Text(p.out)
			}
			switch all := m.Tree(); output {
			case "dot":
				return mounts.DOT(p.out, all)
			case "svg":
				return mounts.SVG(p.out, all)
			default:
				return p.json(all, mounts.Flat(all))
			}
		}}
	c.Flags().IntSliceVar(&pids, "pid", nil, "only the namespaces of these processes")
	c.Flags().StringVar(&s.world, "world", "", "a snapshot that story snapshot has written")
	s.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text, json, dot or svg")
	return c
}

// json prints a value; what is nested deeply is not indented.
func (p *program) json(v any, flat bool) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	if flat {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(v)
}

func (p *program) mountsWhatIf() *cobra.Command {
	pid := os.Getpid()
	var output, in string
	var s scene
	c := &cobra.Command{Use: "what-if OP...", Short: "what operations would change, in every mount namespace", Args: some("an operation, such as 'mount /data/x'"),
		Long: "Make operations in a copy of this machine's mounts, or of those of Pods on a node, and tell what changes in which namespace, and which\n" +
			"mounts that show the same place get nothing, and why. OP: mount P, bind A B, rbind A B, move A B, umount [-l] P, make-shared P, make-rslave P\n" +
			"and their kin. Links are followed on this machine; elsewhere paths are taken as they are written. What is not there is taken to be a directory.",
		Example: "  story mounts what-if 'mount /data/x'\n  story mounts what-if --pid 4711 'make-rshared /' 'bind /a /b'\n" +
			"  story mounts what-if -f pods.yaml --node node.yaml --in web/app 'mount /data/x'",
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s: text and json exist", output)
			}
			if !strings.Contains(args[0], " ") { // one operation, without quotes
				args = []string{strings.Join(args, " ")}
			}
			pidGiven := c.Flags().Changed("pid")
			var pids []int
			if pidGiven && s.file != "" {
				pids = []int{pid}
			}
			m, err := p.machine(&s, pids)
			if err != nil {
				return err
			}
			p.refusedToo(m)
			ns, err := namespaceOf(m, pid, in, s.planned() || len(s.tables) > 0)
			if err != nil {
				return err
			}
			if !s.planned() && len(s.tables) == 0 {
				args = p.followed(pid, args)
			}
			all, err := m.WhatIf(ns, args)
			if err != nil {
				return err
			}
			for _, o := range all {
				if o.Errno != "" {
					p.code = exitDenied
				}
			}
			if output == "json" {
				return p.json(all, true)
			}
			return mounts.WriteText(p.out, all)
		}}
	c.Flags().IntVar(&pid, "pid", pid, "the process in whose namespace the operations are made")
	c.Flags().StringVar(&in, "in", "", "with -f, --node or --mountinfo: the namespace in which they are made: the host, a service such as containerd.service, POD/CONTAINER, the file")
	s.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// followed replaces the paths of operations by what they lead to on this machine.
func (p *program) followed(pid int, ops []string) []string {
	out := slices.Clone(ops)
	for i, op := range out {
		words := strings.Fields(op)
		for k, w := range words {
			if !strings.HasPrefix(w, "/") {
				continue
			}
			real, there := live.RealPath(pid, w)
			if !there {
				fmt.Fprintf(p.errs, "note: %q is not there now; it is taken to be a directory\n", w)
			}
			if real != path.Clean(w) && !strings.Contains(real, " ") {
				fmt.Fprintf(p.errs, "note: %q leads over a link to %q\n", w, real)
				words[k] = real
			}
		}
		out[i] = strings.Join(words, " ")
	}
	return out
}

// namespaceOf finds the namespace in which operations are made.
func namespaceOf(m *mounts.Machine, pid int, in string, planned bool) (int, error) {
	if planned {
		if in == "" {
			return 0, nil
		}
		return m.Named(in)
	}
	if in != "" {
		return 0, errors.New("--in names a namespace of Pods on a node; on this machine --pid does")
	}
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return 0, &container.Incapable{Err: asRoot(fmt.Errorf("the mount namespace of process %d: %w", pid, err))}
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("the mount namespace of process %d: there is no such process", pid)
	case err != nil:
		return 0, fmt.Errorf("the mount namespace of process %d: %w", pid, err)
	}
	var inode uint64
	if _, err := fmt.Sscanf(link, "mnt:[%d]", &inode); err != nil {
		return 0, fmt.Errorf("/proc/%d/ns/mnt leads to %q", pid, link)
	}
	ns, ok := m.Find(inode)
	if !ok {
		return 0, fmt.Errorf("the mount namespace of process %d was not read", pid)
	}
	return ns, nil
}

func (p *program) mountsResolve() *cobra.Command {
	var s subject
	var o whatIf
	var output string
	c := &cobra.Command{Use: "resolve PATH...", Short: "where a path leads, name by name: mounts and filesystems that are crossed", Args: some("a path, such as /data/x"),
		Long: "Follow paths as a process would, links and .. included, and tell for each name which mounts sit on it: the filesystem, what of it is shown, flags and\n" +
			"propagation. Where the host has a mount that is missing there it is told. No permission is asked for. Exit status 3 where a name is not known.",
		Example: "  story mounts resolve --pid 4711 /data/x/file\n  story mounts resolve -f pod.yaml --host-root / --node local /data/x/file",
		RunE: func(_ *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s: text and json exist", output)
			}
			if slices.Contains(args, "") {
				return errors.New("a path is empty")
			}
			if s.pid == 0 && s.world == "" && s.file == "" {
				s.pid = os.Getpid()
			}
			in, err := s.input(p.in)
			if err != nil {
				return err
			}
			facts, err := o.facts()
			if err != nil {
				return err
			}
			w, err := facts.Over(in).World()
			if err != nil {
				return err
			}
			var all []mounts.Resolved
			for i, path := range args {
				r := mounts.Resolve(w, path)
				if all = append(all, r); !r.Sure {
					p.code = exitUndetermined
				}
				if output == "json" {
					continue
				}
				if i > 0 {
					fmt.Fprintln(p.out)
				}
				if err := mounts.WriteResolved(p.out, r); err != nil {
					return err
				}
			}
			switch {
			case output == "text":
				return nil
			case len(all) == 1:
				return p.json(all[0], true)
			}
			return p.json(all, true)
		}}
	s.flags(c.Flags())
	o.set = c.Flags()
	c.Flags().StringVar(&o.cwd, "cwd", "", "working directory")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

func (p *program) mountsExplain() *cobra.Command {
	var s scene
	var output string
	c := &cobra.Command{Use: "explain -f FILE --node NODE", Short: "what is mounted in the containers of Pods: where, of what, flags, propagation", Args: cobra.NoArgs,
		Long: "Tell for each volumeMount what kubelet, engine and runtime mount: the source on the node, flags, what None, HostToContainer and Bidirectional become, whether\n" +
			"later mounts of the host arrive and those of the container are seen by the host, and why an engine would not start the container. Then what every container\n" +
			"gets: /proc and its masked paths, /dev, /sys, the files of kubelet and engine.",
		Example: "  story mounts explain -f pod.yaml --node node.yaml --unit containerd.service",
		RunE: func(*cobra.Command, []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s: text and json exist", output)
			}
			if s.file == "" {
				return errors.New("name a Pod with -f FILE")
			}
			m, err := p.machine(&s, nil)
			if err != nil {
				return err
			}
			for _, r := range m.Refused {
				p.code = exitDenied
				if r.Volume == "" {
					fmt.Fprintf(p.errs, "not started: %s: %s\n", r.Container, r.Text)
				}
			}
			if output == "json" {
				return p.json(m.Volumes(), true)
			}
			return mounts.WriteVolumes(p.out, m.Volumes())
		}}
	s.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}
