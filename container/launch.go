package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/container/inside"
	"syscallstory/probe"
	"syscallstory/seccomp"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// firstName is what the first process is called: a program that is started under this name is one.
const firstName = "story-init"

func init() {
	if len(os.Args) > 0 && os.Args[0] == firstName {
		inside.Main()
	}
}

// Incapable is an error of the machine, not of the input.
type Incapable struct{ Err error }

func (e *Incapable) Error() string { return e.Err.Error() }
func (e *Incapable) Unwrap() error { return e.Err }

// Outcome is what a container's first process has seen.
type Outcome struct {
	Results []probe.Result
	Effects []Effect
	Took    time.Duration // in the first process
}

// Effect is what has changed, as the container sees it.
type Effect struct {
	Kind string // created, removed, resized, copied-up
	Path string
	Size int64
}

// Load sets the filters that the task runs under, oldest first.
func (p *Plan) Load(filters []seccomp.Program) {
	p.spec.Task.Filters, p.spec.Task.Leaves = nil, seccomp.Stack(filters).EndsThread()
	for _, f := range filters {
		var prog probe.Filter
		for _, in := range f {
			prog = prog.Append(in.Code, in.JT, in.JF, in.K)
		}
		p.spec.Task.Filters = append(p.spec.Task.Filters, prog)
	}
}

// Perform launches a container and makes calls in it, one after another by one task and those that it makes.
func (p *Plan) Perform(ctx context.Context, calls []syscalls.Made) (*Outcome, error) {
	spec := p.spec
	made, fds, err := p.calls(calls)
	if err != nil {
		return nil, err
	}
	spec.Calls, spec.FDs = made, append(slices.Clone(spec.FDs), fds...)
	r, err := p.launch(ctx, &spec, nil)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Results: r.Results, Took: r.Took}
	for _, e := range r.Effects {
		x := p.effect(e)
		if x.Kind == "copied-up" && e.Mode&unix.S_IFMT == unix.S_IFDIR {
			continue // the directories above come along; only files are told
		}
		out.Effects = append(out.Effects, x)
	}
	return out, nil
}

// effect names a change as the container sees it: a file of the upper layer that a lower one has too was copied up.
func (p *Plan) effect(e inside.Effect) Effect {
	out := Effect{Kind: e.Kind, Path: "/" + e.Path, Size: e.Size}
	if e.Tree >= 0 {
		longest := -1
		for _, m := range p.at[e.Tree] {
			if rel, ok := strings.CutPrefix("/"+e.Path, strings.TrimSuffix("/"+m.source, "/")+"/"); ok && len(m.source) > longest {
				out.Path, longest = filepath.Join(m.target, rel), len(m.source)
			}
		}
		return out
	}
	if e.Kind == "created" && p.lower(e.Path) {
		out.Kind = "copied-up"
	}
	return out
}

// lower reports whether a lower layer has a path.
func (p *Plan) lower(path string) bool {
	for _, l := range p.spec.Lower {
		if l[0] != '#' {
			if _, err := os.Lstat(filepath.Join(l, path)); err == nil {
				return true
			}
			continue
		}
		var n int
		fmt.Sscanf(l, "#%d", &n)
		for i := range p.spec.Trees[n].Nodes {
			if p.spec.Trees[n].Nodes[i].Path == path {
				return true
			}
		}
	}
	return false
}

// Streams are a command's standard descriptors.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Exec launches a container and runs a command in it; the status is the command's, 128+n for a signal.
func (p *Plan) Exec(ctx context.Context, command, env []string, s Streams) (int, error) {
	spec := p.spec
	spec.Command, spec.Env = command, env
	r, err := p.launch(ctx, &spec, &s)
	if err != nil {
		return 0, err
	}
	return r.status, nil
}

type report struct {
	inside.Report
	status int
}

// launch starts the first process and waits for its report and its end.
func (p *Plan) launch(ctx context.Context, spec *inside.Spec, s *Streams) (*report, error) {
	maps := p.maps
	dir, done, err := stateDir()
	if err != nil {
		return nil, &Incapable{err}
	}
	defer done()
	spec.Dir = dir
	in, err := memory("spec", spec.Encode())
	if err != nil {
		return nil, &Incapable{err}
	}
	defer in.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, &Incapable{err}
	}
	defer r.Close()
	defer w.Close()
	path, closer, err := firstProgram()
	if err != nil {
		return nil, &Incapable{err}
	}
	defer closer()
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = []string{firstName}
	cmd.ExtraFiles = []*os.File{in, w}
	cmd.Env = []string{"GOMAXPROCS=2", "GOGC=off"}
	if s != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	} else {
		cmd.Stderr = &bytes.Buffer{}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: p.namespaces, Pdeathsig: unix.SIGKILL}
	if len(spec.UIDs) > 0 { // the other namespaces belong to the user namespace, and are made with it
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS
	}
	var goOn *os.File // what the first process waits for until its maps are written
	if maps != nil {
		attr := cmd.SysProcAttr
		attr.Cloneflags |= unix.CLONE_NEWUSER
		if maps.helpers {
			wait, w, err := os.Pipe()
			if err != nil {
				return nil, &Incapable{err}
			}
			defer wait.Close()
			defer w.Close()
			goOn = w
			cmd.ExtraFiles = append(cmd.ExtraFiles, wait)
			cmd.Args = append(cmd.Args, inside.WaitForMaps)
			for c := range uintptr(64) { // execve would take them from a process whose uid is not mapped yet
				if _, _, e := unix.Syscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_READ, c, 0, 0, 0, 0); e != 0 {
					break
				}
				attr.AmbientCaps = append(attr.AmbientCaps, c)
			}
		} else {
			attr.UidMappings, attr.GidMappings = sysMap(maps.uids), sysMap(maps.gids)
		}
	}
	// Pdeathsig counts from the thread that has started the process: it must live as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return nil, &Incapable{fmt.Errorf("start the container's first process: %w", err)}
	}
	w.Close()
	if goOn != nil {
		if err := maps.write(cmd.Process.Pid); err != nil {
			cmd.Process.Kill()
			cmd.Wait()
			return nil, &Incapable{err}
		}
		goOn.Close()
	}
	out := &report{}
	said, readErr := io.ReadAll(io.LimitReader(r, 64<<20))
	waitErr := cmd.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(said) == 0 && s != nil { // it was replaced by the command
		var exit *exec.ExitError
		switch {
		case waitErr == nil:
			return out, nil
		case errors.As(waitErr, &exit):
			if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
				out.status = 128 + int(ws.Signal())
			} else {
				out.status = ws.ExitStatus()
			}
			return out, nil
		}
		return nil, waitErr
	}
	if readErr == nil {
		readErr = json.Unmarshal(said, &out.Report)
	}
	if readErr != nil {
		msg := ""
		if b, ok := cmd.Stderr.(*bytes.Buffer); ok {
			msg = firstLine(b.Bytes())
		}
		return nil, &Incapable{fmt.Errorf("the container's first process ended without a report: %v %s", waitErr, msg)}
	}
	if out.Error != "" {
		return nil, &Incapable{fmt.Errorf("%s: %s", out.Step, out.Error)}
	}
	return out, nil
}

func sysMap(m world.IDMap) (out []syscall.SysProcIDMap) {
	for _, e := range m {
		out = append(out, syscall.SysProcIDMap{ContainerID: int(e.Inside), HostID: int(e.Outside), Size: int(e.Count)})
	}
	return out
}

func firstLine(b []byte) string {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// memory makes a file that is only memory.
func memory(name string, text []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(text); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// StateRoot is where directories of containers are made.
var StateRoot = func() string {
	if os.Getuid() == 0 {
		return "/run/story"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "story")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("story-%d", os.Getuid()))
}()

// stateDir makes a directory on which the container builds, in its own mount namespace: for everybody else it stays empty.
// A lock on it says that its owner lives; directories whose owner has died are removed.
func stateDir() (string, func(), error) {
	if err := os.MkdirAll(StateRoot, 0o755); err != nil {
		return "", nil, err
	}
	Reap()
	dir, err := os.MkdirTemp(StateRoot, "c")
	if err != nil {
		return "", nil, err
	}
	lock, err := os.Open(dir)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		os.Remove(dir)
		return "", nil, err
	}
	return dir, func() {
		os.Remove(dir)
		lock.Close()
	}, nil
}

// Reap removes what commands that were killed have left: empty directories that nobody has locked.
func Reap() {
	entries, err := os.ReadDir(StateRoot)
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(StateRoot, e.Name())
		if st, err := e.Info(); err != nil || time.Since(st.ModTime()) < time.Second {
			continue // it may be about to be locked
		}
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.Remove(dir)
		}
		f.Close()
	}
}
