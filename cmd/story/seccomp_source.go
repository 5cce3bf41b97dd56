package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"syscallstory/container"
	"syscallstory/explain"
	"syscallstory/from/live"
	"syscallstory/from/node"
	"syscallstory/from/oci"
	"syscallstory/from/pod"
	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/seccomp/engines"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// sourceHelp tells what a SOURCE can be.
const sourceHelp = `A SOURCE is
  docker, containerd, cri-o, podman
                the engine's default profile; of a version: containerd@1.7.29
  FILE          a profile as Docker or the OCI runtime specification write it; a Pod or workload (choose with -p and -c);
                a program: struct sock_filter as it lies in memory, a C array, JSON, or assembly text
  DIR           an OCI bundle, or its config.json
  pid:N         what a live process, or thread, has loaded (as root)
  -             standard input
A profile is resolved against --arch, --kernel and the capabilities; a Pod and a bundle bring their own capabilities.`

// target is what a profile is resolved against.
type target struct {
	arch, kernel    string
	runtime         string
	capAdd, capDrop []string
	pod             subject
}

func (t *target) flags(f *pflag.FlagSet) {
	f.StringVar(&t.arch, "arch", "x86_64", "x86_64 or arm64")
	f.StringVar(&t.kernel, "kernel", "", "kernel release, as 6.18; this machine's where it is not given")
	f.StringVar(&t.runtime, "runtime", "", "as this runtime loads a profile: NAME[@VERSION][+LIBSECCOMP], as runc@1.1.5+2.5.5 or crun@1.8.1")
	f.StringSliceVar(&t.capAdd, "cap-add", nil, "capabilities beside those that the engine gives by default (14; CRI-O 9), or ALL")
	f.StringSliceVar(&t.capDrop, "cap-drop", nil, "capabilities that it does not get, or ALL")
	f.StringVarP(&t.pod.pod, "pod", "p", "", "name of the Pod or workload, where the file holds several")
	f.StringVarP(&t.pod.container, "container", "c", "", "container, where there are several")
	f.StringVar(&t.pod.node, "node", "", "a Pod's node: a file, or local for this machine")
	f.StringVar(&t.pod.hostRoot, "host-root", "", "the host's files, where a Pod's Localhost profile lies: a directory")
}

// source is the filters that a SOURCE stands for, oldest first.
type source struct {
	name    string
	abi     syscalls.ABI
	filters []explain.Filter // without a profile: a bare program
	running bool             // they are a live process's: their flags are known
}

func (s *source) stack() seccomp.Stack {
	var out seccomp.Stack
	for _, f := range s.filters {
		out = append(out, f.Program)
	}
	return out
}

// abis lists the ABIs whose calls the filters tell apart.
func (s *source) abis() []syscalls.ABI {
	if len(s.filters) == 1 && s.filters[0].Profile != nil {
		return s.filters[0].Profile.ABIs
	}
	if s.abi == syscalls.ARM64 {
		return []syscalls.ABI{syscalls.ARM64, syscalls.ARM}
	}
	return []syscalls.ABI{syscalls.X8664, syscalls.I386, syscalls.X32}
}

// profile returns the only filter's profile.
func (s *source) profile() (*seccomp.Resolved, error) {
	switch {
	case len(s.filters) == 0:
		return nil, fmt.Errorf("%s: it has no seccomp profile (Unconfined)", s.name)
	case len(s.filters) > 1 || s.filters[0].Profile == nil:
		return nil, fmt.Errorf("%s: a profile is needed here, not a program", s.name)
	}
	return s.filters[0].Profile, nil
}

// undetermined is an answer that the input leaves open: exit code 3.
type undetermined struct{ error }

// read reads a SOURCE.
func (t *target) read(p *program, name string) (*source, error) {
	abi, ok := syscalls.ParseABI(t.arch)
	if !ok || abi != syscalls.X8664 && abi != syscalls.ARM64 {
		return nil, fmt.Errorf("--arch %s: x86_64 and arm64 exist", t.arch)
	}
	s := &source{name: name, abi: abi}
	if pid, ok := strings.CutPrefix(name, "pid:"); ok {
		_, err := s.live(pid)
		return s, err
	}
	if engine, version, _ := strings.Cut(name, "@"); slices.Contains(engines.Names, engine) {
		d, err := engines.Default(engine, version)
		if err != nil {
			return nil, err
		}
		if d.Note != "" && version != "" {
			fmt.Fprintln(p.errs, "assumed:", d.Note)
		}
		return s, t.add(s, d.File, d.Text, pod.DefaultCaps(engine))
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, "config.json")
	}
	text, err := readSource(p, name)
	if err != nil {
		return nil, err
	}
	switch kindOf(text) {
	case "profile":
		return s, t.add(s, name, text, pod.DefaultCaps(""))
	case "pod":
		return s, t.workload(p, s, name)
	case "bundle":
		b, err := oci.Parse(name, text)
		if err != nil || b.Seccomp == nil {
			return s, err
		}
		return s, t.add(s, name, b.Seccomp, b.Bounding)
	}
	prog, err := seccomp.ReadProgram(name, text, s.abi)
	if err != nil {
		return nil, err
	}
	s.filters = []explain.Filter{{Name: name, Program: prog}}
	return s, nil
}

// live reads the filters of a process.
func (s *source) live(pid string) (*live.Seccomp, error) {
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 0 {
		return nil, fmt.Errorf("%q is not the id of a process", pid)
	}
	l, err := live.ReadSeccomp(n)
	if err != nil {
		var e *live.ReadError
		if errors.As(err, &e) && e.Need != "" {
			return nil, &container.Incapable{Err: err}
		}
		return nil, err
	}
	if l.Mode == 1 {
		return l, fmt.Errorf("process %d is in strict mode: it has no filter, and may make read, write, _exit and rt_sigreturn only", n)
	}
	s.running = true
	for i, f := range l.Filters {
		prog, err := seccomp.ParseRaw(f.Program)
		if err == nil {
			err = prog.Check()
		}
		if err != nil {
			return l, fmt.Errorf("process %d: %w", n, err)
		}
		s.filters = append(s.filters, explain.Filter{Name: fmt.Sprintf("pid %d, filter %d", n, i), Program: prog, Log: l.Filters[i].Log})
	}
	return l, nil
}

// readSource reads a file, or standard input for -.
func readSource(p *program, name string) ([]byte, error) {
	if name != "-" {
		return readFile(name, seccomp.MaxProfile)
	}
	text, err := io.ReadAll(io.LimitReader(p.in, seccomp.MaxProfile+1))
	if err == nil && len(text) > seccomp.MaxProfile {
		err = fmt.Errorf("<stdin>: it has more than %d bytes", seccomp.MaxProfile)
	}
	return text, err
}

// cArray is what a C array without a declaration begins with.
var cArray = regexp.MustCompile(`^\{\s*(0x|\d|BPF_|\.)`)

var podLike = regexp.MustCompile(`(?m)^(apiVersion|kind)\s*:`)

// kindOf recognises a file by what it begins with: profile, bundle, pod, or program for what is left.
func kindOf(text []byte) string {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' || cArray.Match(trimmed) {
		if podLike.Match(text) && bytes.IndexByte(text, 0) < 0 {
			return "pod"
		}
		return "program"
	}
	dec := json.NewDecoder(bytes.NewReader(trimmed))
	for depth := 0; ; {
		t, err := dec.Token()
		if err != nil {
			return "profile" // whose parser says where it is wrong
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		case "ociVersion":
			if depth == 1 {
				return "bundle"
			}
		case "apiVersion", "kind":
			if depth == 1 {
				return "pod"
			}
		case "defaultAction":
			if depth == 1 {
				return "profile"
			}
		}
	}
}

// add resolves and compiles a profile.
func (t *target) add(s *source, file string, text []byte, base world.CapSet) error {
	p, err := seccomp.Parse(file, text)
	if err != nil {
		return err
	}
	add, err := caps("--cap-add", t.capAdd)
	if err != nil {
		return err
	}
	drop, err := caps("--cap-drop", t.capDrop)
	if err != nil {
		return err
	}
	rel, err := t.release()
	if err != nil {
		return err
	}
	r := p.Resolve(seccomp.Target{ABI: s.abi, Caps: (base | add) &^ drop, Kernel: rel})
	if t.runtime != "" {
		rt, err := seccomp.ParseRuntime(t.runtime)
		if err != nil {
			return fmt.Errorf("--runtime: %w", err)
		}
		r = r.LoadedBy(rt)
		for _, name := range slices.Sorted(maps.Keys(r.Unsure())) {
			return undetermined{fmt.Errorf("%s: %s: %s", file, name, r.Unsure()[name])}
		}
	}
	prog, err := r.Compile()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	s.filters = append(s.filters, explain.Filter{Name: file, Profile: r, Program: prog, Log: p.Log})
	return nil
}

func (t *target) release() (kernel.Release, error) {
	text := t.kernel
	if text == "" {
		here, err := node.Local()
		if err != nil {
			return kernel.Release{}, err
		}
		text = here.Kernel.Release
	}
	rel, err := kernel.ParseRelease(text)
	if err != nil {
		return rel, fmt.Errorf("--kernel: %w", err)
	}
	return rel, nil
}

// workload takes the filters that a Pod's container gets.
func (t *target) workload(p *program, s *source, file string) error {
	sub := t.pod
	sub.file = file
	in, err := sub.input(p.in)
	if err != nil {
		return err
	}
	if t.kernel != "" || t.capAdd != nil || t.capDrop != nil {
		var o world.WhatIf
		if o.CapAdd, err = caps("--cap-add", t.capAdd); err != nil {
			return err
		}
		if o.CapDrop, err = caps("--cap-drop", t.capDrop); err != nil {
			return err
		}
		if t.kernel != "" {
			rel, err := t.release()
			if err != nil {
				return err
			}
			o.Kernel = &rel
		}
		in = o.Over(in)
	}
	w, err := in.World()
	if err != nil {
		return err
	}
	// What an API server refuses, and fields without effect, may be why another profile is in force than the author thinks.
	for _, r := range w.Refusals {
		at := w.Place(r.At)
		fmt.Fprintf(p.errs, "%s:%d:%d: the API server refuses this: %s\n", at.File, at.Line, at.Col, r.Facts[0])
	}
	for _, f := range w.Findings {
		fmt.Fprintf(p.errs, "%s:%d:%d: %s: %s\n", f.At.File, f.At.Line, f.At.Col, f.Severity, f.Text)
	}
	if w.Task.Seccomp.Mode == world.SeccompNotKnown {
		why, _ := w.Reason(w.Task.Seccomp.At)
		return undetermined{fmt.Errorf("%s: %s; facts of the node are given with --node FILE and --host-root DIR", file, why.Text)}
	}
	j, err := bind(w)
	if err != nil {
		return err
	}
	s.filters, s.abi = j.Filters(), j.ABI()
	return nil
}
