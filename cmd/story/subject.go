package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"syscallstory/container"
	"syscallstory/explain"
	"syscallstory/from/edits"
	"syscallstory/from/files"
	"syscallstory/from/live"
	"syscallstory/from/node"
	"syscallstory/from/pod"
	"syscallstory/from/systemd"
	"syscallstory/internal/strictyaml"
	"syscallstory/kernel"
	"syscallstory/overlay"
	"syscallstory/seccomp"
	"syscallstory/seccomp/engines"
	"syscallstory/selinux"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// subject is the flags that name a task, and the facts around it that no manifest holds.
type subject struct {
	file, pod, container, rootfs, hostRoot, node string
	world                                        string
	pid                                          int
	units                                        []string
	localize                                     bool // calls are performed here: the kernel's facts are this machine's
}

func (s *subject) flags(f *pflag.FlagSet) {
	f.StringVarP(&s.file, "file", "f", "", "Pod, workload with a pod template, or List of them; - for standard input")
	f.IntVar(&s.pid, "pid", 0, "a process or thread that runs, by its id")
	f.StringVar(&s.world, "world", "", "a snapshot that story snapshot has written")
	f.StringVarP(&s.pod, "pod", "p", "", "name of the Pod or workload, where the file holds several")
	f.StringVarP(&s.container, "container", "c", "", "container, where there are several")
	f.StringVar(&s.rootfs, "rootfs", "", "the image's files: a directory, or embedded for a tiny built-in one")
	f.StringVar(&s.hostRoot, "host-root", "", "the host's files: a directory")
	f.StringArrayVar(&s.units, "unit", nil, "unit file, or drop-in, of the node's containerd.service, kubelet.service and the like; more than once")
	f.StringVar(&s.node, "node", "", "the node's kernel, security modules, sysctls, engine and mounts: a file, or local for this machine")
}

// input reads the subject.
func (s *subject) input(in io.Reader) (world.Input, error) {
	switch {
	case s.pid != 0 && s.world != "":
		return nil, errors.New("--pid and --world exclude each other")
	case (s.pid != 0 || s.world != "") && (s.file != "" || s.pod != "" || s.container != "" || s.rootfs != "" || s.hostRoot != "" || s.node != "" || len(s.units) > 0):
		return nil, errors.New("--pid and --world name a task and all that it meets; -f, -p, -c, --rootfs, --host-root, --node and --unit go with manifests")
	case s.pid != 0:
		return s.process()
	case s.world != "":
		return openSnapshot(s.world)
	case s.file == "":
		return nil, errors.New("name a Pod with -f FILE, a process with --pid PID or a snapshot with --world FILE")
	}
	ws, o, err := s.manifest(in)
	if err != nil {
		return nil, err
	}
	w, err := s.workload(s.name(), ws)
	if err != nil {
		return nil, err
	}
	return w.Input(o), nil
}

func (s *subject) name() string {
	if s.file == "-" {
		return "<stdin>"
	}
	return s.file
}

// manifest reads the workloads of the file, and what is known of the node.
func (s *subject) manifest(in io.Reader) ([]*pod.Workload, pod.Options, error) {
	o := pod.Options{Container: s.container, Rootfs: s.rootfs, HostRoot: s.hostRoot, Merger: overlay.Merger{}}
	var data []byte
	var err error
	if s.file == "-" {
		data, err = io.ReadAll(io.LimitReader(in, strictyaml.MaxSize+1))
	} else {
		data, err = readFile(s.file, strictyaml.MaxSize)
	}
	if err != nil {
		return nil, o, err
	}
	if err := s.machine(&o); err != nil {
		return nil, o, err
	}
	ws, err := pod.Parse(s.name(), data)
	return ws, o, err
}

// options reads what is known of the node alone.
func (s *subject) options() (o pod.Options, err error) {
	err = s.machine(&o)
	return o, err
}

// machine reads what is known of the node.
func (s *subject) machine(o *pod.Options) (err error) {
	switch s.node {
	case "":
	case "local":
		o.Node, err = node.Local()
	default:
		err = readNode(s.node, o)
	}
	if err == nil && s.localize {
		o.Node, err = o.Node.Localized(s.hostRoot == "/")
	}
	if err == nil && len(s.units) > 0 && o.Node == nil {
		o.Node = &node.Node{}
	}
	for i := 0; err == nil && i < len(s.units); i++ {
		err = readUnit(s.units[i], o.Node)
	}
	return err
}

// readUnit takes a unit file into account.
func readUnit(file string, n *node.Node) error {
	text, err := readFile(file, systemd.MaxSize)
	if err == nil {
		err = n.AddUnit(file, text)
	}
	return err
}

// process reads a live process.
func (s *subject) process() (world.Input, error) {
	if s.pid < 0 {
		return nil, fmt.Errorf("--pid %d: it is not the id of a process", s.pid)
	}
	p, err := live.Open(s.pid, live.Options{Merger: overlay.Merger{}, Policy: func() (*world.Policy, error) { return worldPolicy(runningPolicy) }})
	var e *live.ReadError
	if errors.As(err, &e) && e.Need != "" {
		return nil, &container.Incapable{Err: err}
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// openSnapshot reads a world that was written to a file. A story may change its world, so that each is read anew.
func openSnapshot(name string) (world.Input, error) {
	text, err := readFile(name, world.MaxSnapshot)
	if err != nil {
		return nil, err
	}
	var policy *selinux.Policy
	m := &edits.Machine{PID: "$PID", Read: func() (*world.World, error) {
		w, err := world.ReadSnapshot(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if w.SELinux.Packed == nil {
			return w, nil
		}
		if policy == nil {
			data, err := unpackPolicy(&w.SELinux)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if policy, err = parsePolicy(name, data); err != nil {
				return nil, err
			}
		}
		w.SELinux.Engine = policy
		return w, nil
	}}
	_, err = m.World()
	return m, err
}

// workload picks the one that is meant.
func (s *subject) workload(file string, ws []*pod.Workload) (*pod.Workload, error) {
	var names []string
	var found *pod.Workload
	for _, w := range ws {
		names = append(names, w.Kind+"/"+w.Name)
		if s.pod == w.Name || strings.EqualFold(s.pod, w.Kind+"/"+w.Name) {
			if found != nil {
				return nil, fmt.Errorf("%s: two workloads are named %s; write KIND/NAME", file, s.pod)
			}
			found = w
		}
	}
	switch {
	case found != nil:
		return found, nil
	case s.pod != "":
		return nil, fmt.Errorf("%s: there is no workload %s; there are %s", file, s.pod, strings.Join(names, ", "))
	case len(ws) > 1:
		return nil, fmt.Errorf("%s: there are %d workloads, name one with -p: %s", file, len(ws), strings.Join(names, ", "))
	}
	return ws[0], nil
}

func readNode(file string, o *pod.Options) error {
	data, err := readFile(file, strictyaml.MaxSize)
	if err != nil {
		return err
	}
	if o.Node, err = node.Parse(file, data); err != nil {
		return err
	}
	for _, u := range o.Node.Systemd.Units {
		if err := readUnit(filepath.Join(filepath.Dir(file), u), o.Node); err != nil {
			return err
		}
	}
	if o.Node.Files != "" {
		o.OwnersAt = filepath.Join(filepath.Dir(file), o.Node.Files)
		o.Owners, err = readFile(o.OwnersAt, files.MaxSpec)
	}
	return err
}

// bind makes a judge with the engines' own seccomp profiles.
func bind(w *world.World) (*explain.Judge, error) {
	return explain.Bind(w, func(engine, version string) (string, []byte, string, error) {
		p, err := engines.Default(engine, version)
		if err != nil {
			return "", nil, "", err
		}
		return p.File, p.Text, p.Note, nil
	})
}

// whatIf is the flags that replace facts of any subject.
type whatIf struct {
	uid, gid, umask, groups, seccomp, label, policy, cwd, kernel string
	capAdd, capDrop, fds                                         []string
	noNewPrivs                                                   bool
	set                                                          *pflag.FlagSet
}

func (o *whatIf) flags(f *pflag.FlagSet) {
	o.set = f
	f.StringVar(&o.uid, "uid", "", "run as this uid of the container")
	f.StringVar(&o.gid, "gid", "", "run as this gid of the container")
	f.StringVar(&o.groups, "groups", "", "supplementary groups, with commas")
	f.StringSliceVar(&o.capAdd, "cap-add", nil, "add a capability, or ALL")
	f.StringSliceVar(&o.capDrop, "cap-drop", nil, "drop a capability, or ALL")
	f.BoolVar(&o.noNewPrivs, "no-new-privs", false, "run with no_new_privs")
	f.StringVar(&o.seccomp, "seccomp", "", "seccomp profile: a file, docker for Docker's default, strict for strict mode, or unconfined")
	f.StringVar(&o.label, "selinux-label", "", "run with this SELinux label")
	f.StringVar(&o.policy, "policy", "", "SELinux's binary policy: a file, or a snapshot that holds one; of a process that is alive it is the running kernel's")
	f.StringVar(&o.cwd, "cwd", "", "working directory")
	f.StringVar(&o.umask, "umask", "", "umask, in octal")
	f.StringVar(&o.kernel, "kernel", "", "kernel release, as 6.18")
	f.StringArrayVar(&o.fds, "fd", nil, "an open descriptor: N=PATH[:FLAGS]")
}

// facts reads the flags.
func (o *whatIf) facts() (f world.WhatIf, err error) {
	number := func(flag, text string, base int, into **uint32) {
		if text == "" || err != nil {
			return
		}
		n, e := strconv.ParseUint(text, base, 32)
		if e != nil {
			err = fmt.Errorf("--%s %s: it is not a number", flag, text)
			return
		}
		v := uint32(n)
		*into = &v
	}
	var umask *uint32
	number("uid", o.uid, 10, &f.UID)
	number("gid", o.gid, 10, &f.GID)
	number("umask", o.umask, 8, &umask)
	if umask != nil {
		if *umask > 0o777 {
			return f, fmt.Errorf("--umask %s: it has bits beyond 777", o.umask)
		}
		v := uint16(*umask)
		f.Umask = &v
	}
	if o.set.Changed("groups") {
		f.Groups = []uint32{}
		for _, g := range strings.FieldsFunc(o.groups, func(r rune) bool { return r == ',' }) {
			var v *uint32
			if number("groups", g, 10, &v); v != nil {
				f.Groups = append(f.Groups, *v)
			}
		}
	}
	if err != nil {
		return f, err
	}
	if f.CapAdd, err = caps("--cap-add", o.capAdd); err != nil {
		return f, err
	}
	if f.CapDrop, err = caps("--cap-drop", o.capDrop); err != nil {
		return f, err
	}
	if o.set.Changed("no-new-privs") {
		f.NoNewPrivs = &o.noNewPrivs
	}
	if f.Seccomp, err = profile(o.seccomp); err != nil {
		return f, err
	}
	f.SELinuxLabel, f.Cwd = o.label, o.cwd
	if o.policy != "" {
		if f.Policy, err = worldPolicy(o.policy); err != nil {
			return f, err
		}
	}
	if o.kernel != "" {
		r, err := kernel.ParseRelease(o.kernel)
		if err != nil {
			return f, fmt.Errorf("--kernel: %w", err)
		}
		f.Kernel = &r
	}
	for _, d := range o.fds {
		spec, err := descriptor(d)
		if err != nil {
			return f, err
		}
		f.FDs = append(f.FDs, spec)
	}
	return f, nil
}

func caps(flag string, names []string) (set world.CapSet, err error) {
	for _, n := range names {
		c, ok := kernel.ParseCap(n)
		switch {
		case strings.EqualFold(n, "ALL"):
			set |= world.AllCaps
		case !ok:
			return 0, fmt.Errorf("%s %s: there is no such capability", flag, n)
		default:
			set |= world.Caps(c)
		}
	}
	return set, nil
}

// profile reads what --seccomp names.
func profile(name string) (*world.Seccomp, error) {
	switch name {
	case "":
		return nil, nil
	case "unconfined":
		return &world.Seccomp{}, nil
	case "strict":
		return &world.Seccomp{Mode: world.SeccompStrict}, nil
	case "docker":
		return &world.Seccomp{Mode: world.SeccompFilters, Filters: []world.Filter{{Name: "Docker's default", Engine: "docker", Version: "29"}}}, nil
	}
	text, err := readFile(name, seccomp.MaxProfile)
	if err != nil {
		return nil, fmt.Errorf("--seccomp: %w", err)
	}
	return &world.Seccomp{Mode: world.SeccompFilters, Filters: []world.Filter{{Name: name, File: name, JSON: text}}}, nil
}

// descriptor reads N=PATH[:FLAGS].
func descriptor(text string) (world.FDSpec, error) {
	n, rest, ok := strings.Cut(text, "=")
	num, err := strconv.Atoi(n)
	if !ok || err != nil || num < 0 || num > 1<<20 || !strings.HasPrefix(rest, "/") {
		return world.FDSpec{}, fmt.Errorf("--fd %s: N=/PATH[:FLAGS] is expected", text)
	}
	spec := world.FDSpec{N: num, Path: rest}
	if i := strings.LastIndex(rest, ":O_"); i >= 0 {
		call, err := syscalls.Parse(syscalls.X8664, `open("/", `+rest[i+1:]+`)`)
		if err != nil {
			return spec, fmt.Errorf("--fd %s: %w", text, err)
		}
		spec.Path, spec.Flags = rest[:i], call.Args[1].Val
	}
	return spec, nil
}

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	fh, err := openFile(name)
	if err != nil {
		return nil, err
	}
	defer fh.Close()
	var b bytes.Buffer
	if st, err := fh.Stat(); err == nil && st.Size() <= limit { // a hint: files of proc have none
		b.Grow(int(st.Size()) + bytes.MinRead)
	}
	if _, err = b.ReadFrom(io.LimitReader(fh, limit+1)); err == nil && int64(b.Len()) > limit {
		err = fmt.Errorf("%s: it has more than %d bytes", name, limit)
	}
	return b.Bytes(), err
}

// openFile opens a file that is no directory; errors read as a sentence about it.
func openFile(name string) (*os.File, error) {
	fh, err := os.Open(name)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "open "))
	}
	if st, err := fh.Stat(); err == nil && st.IsDir() {
		fh.Close()
		return nil, fmt.Errorf("%s: it is a directory", name)
	}
	return fh, nil
}
