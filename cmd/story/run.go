package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syscallstory/container"
	"syscallstory/explain"
	"syscallstory/fix"
	"syscallstory/probe"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// runFlags are the flags of run.
type runFlags struct {
	subject
	whatIf
	view
	perform            []string
	shadow, hostWrites bool
	sequence           bool
	timeout            time.Duration
}

func (p *program) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{Use: "run -f FILE [flags] --perform CALL... | -- CMD...", Short: "perform calls, or run a command, in a real container made from the subject, beside what is predicted",
		Long: `Launch a container with the subject's files, mounts, ids, capabilities and seccomp filter, in namespaces of its own, and
make calls in it. Prediction and kernel stand side by side; the node's kernel, security modules and sysctls are those of this
machine.

Files that are not given as a real directory, and those of a --host-root that is not /, are private copies. With
--host-root / the host's own files are used: calls that would change them are performed only with --shadow or
--allow-host-writes.

Exit status: 0 allowed, 1 denied or killed, 2 usage or bad input, 3 undetermined, 4 prediction and kernel disagree, 5 this
machine cannot do it. With -- CMD the command's own.`,
		Example: `  story run -f pod.yaml --rootfs embedded --perform 'open("/etc/passwd", O_WRONLY)'
  story run -f pod.yaml --rootfs ./image --perform - < calls
  story run -f pod.yaml --rootfs ./image -- /bin/sh -c 'id; ls /data'`,
		RunE: func(c *cobra.Command, args []string) error { return p.run(&f, args, c.ArgsLenAtDash() == 0) }}
	s := c.Flags()
	f.subject.flags(s)
	f.whatIf.flags(s)
	s.StringArrayVar(&f.perform, "perform", nil, "a call to make, as strace writes it; may be given several times; - for those of standard input, one a line, in order")
	s.BoolVar(&f.sequence, "sequence", false, "make all calls by one task in one container")
	s.BoolVar(&f.shadow, "shadow", false, "work on private copies of the host's files")
	s.BoolVar(&f.hostWrites, "allow-host-writes", false, "let calls change the host's files and open its devices")
	s.DurationVar(&f.timeout, "timeout", time.Second, "how long a call may take before it counts as blocked")
	f.view.flags(s)
	return c
}

func (p *program) run(f *runFlags, args []string, dash bool) error {
	if err := f.view.check(); err != nil {
		return err
	}
	switch {
	case len(args) > 0 && !dash:
		return fmt.Errorf("%q: calls are given with --perform, a command behind --", args[0])
	case len(args) == 0 && len(f.perform) == 0:
		return errors.New(`name a call with --perform 'open("/data/x", O_WRONLY)', or a command behind --`)
	case len(args) > 0 && len(f.perform) > 0:
		return errors.New("--perform and a command behind -- exclude each other")
	case f.timeout <= 0 || f.timeout > time.Minute:
		return errors.New("--timeout: it is between 1ms and 1m")
	}
	if f.pid != 0 {
		return errors.New("--pid: a process that runs is not launched; story explain --pid predicts its calls")
	}
	if f.world != "" {
		return errors.New("--world: a snapshot holds no contents of files, so that no container can be made from it; story explain --world predicts its calls")
	}
	f.localize = true
	in, err := f.input(p.in)
	if err != nil {
		return err
	}
	facts, err := f.facts()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &runner{in: facts.Over(in), f: f, out: newWriter(p.out, f.view)}
	if len(args) > 0 {
		p.code, err = r.command(ctx, args, p)
		return err
	}
	groups, err := f.groups(p.in)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := r.perform(ctx, g); err != nil {
			return err
		}
	}
	p.code = r.code
	return r.out.close()
}

// groups are the calls that one task, or a task with those that it makes, is to make in a container.
func (f *runFlags) groups(in io.Reader) (groups [][]syscalls.Made, err error) {
	if len(f.perform) == 1 && f.perform[0] == "-" {
		if f.file == "-" {
			return nil, errors.New("standard input holds the Pod or the calls, not both")
		}
		var all []syscalls.Made
		err := eachCall(in, "<stdin>", syscalls.X8664, func(c *syscalls.Call, r syscalls.Result) error {
			if all = append(all, syscalls.Made{Call: c, Result: r}); len(all) > probe.MaxCalls {
				return fmt.Errorf("<stdin>: a container makes at most %d calls", probe.MaxCalls)
			}
			return nil
		})
		return [][]syscalls.Made{all}, err
	}
	for _, text := range f.perform {
		c, r, err := syscalls.ParseLine(syscalls.X8664, text)
		if err != nil {
			return nil, err
		}
		if m := (syscalls.Made{Call: c, Result: r}); f.sequence && len(groups) > 0 {
			groups[0] = append(groups[0], m)
		} else {
			groups = append(groups, []syscalls.Made{m})
		}
	}
	return groups, nil
}

// runner performs calls and prints both stories.
type runner struct {
	in   world.Input
	f    *runFlags
	out  *writer
	code int
}

// prepare makes the world that is launched, and a judge of it.
func (r *runner) prepare() (*container.Plan, *explain.Judge, error) {
	w, err := r.in.World()
	if err != nil {
		return nil, nil, err
	}
	plan, err := container.Prepare(w, r.options())
	j, bindErr := bind(w)
	if bindErr != nil {
		return nil, nil, bindErr
	}
	if err == nil {
		plan.Load(j.Programs())
	}
	return plan, j, err
}

func (r *runner) options() container.Options {
	return container.Options{Shadow: r.f.shadow, HostWrites: r.f.hostWrites, Timeout: r.f.timeout, Rootless: os.Getuid() != 0}
}

// perform predicts and makes the calls of one task, and of those that it makes.
func (r *runner) perform(ctx context.Context, calls []syscalls.Made) error {
	plan, j, planErr := r.prepare()
	if j == nil {
		return planErr
	}
	var pairs []story.Run
	stream := j.Stream()
	for _, c := range calls {
		stream.Turn(c.PID)
		s := j.Story(c.Call)
		pairs = append(pairs, story.Run{Predicted: s})
		if plan != nil && planErr == nil {
			planErr = plan.Refuses(s)
		}
		switch s.Verdict {
		case story.Allowed.String():
			stream.Apply(c.Call, -1)
		case story.Undetermined.String():
			stream.ApplyUnsure(c.Call)
		}
	}
	if planErr == nil {
		o, err := plan.Perform(ctx, calls)
		if err != nil {
			return err
		}
		for i := range pairs {
			performed(&pairs[i], j, calls[i].Call, o.Results[i])
		}
		if len(pairs) == 1 {
			effects(&pairs[0], o.Effects)
		}
		for i := range pairs {
			pairs[i].Compare(len(pairs) == 1)
		}
	}
	for i := range pairs {
		s := pairs[i].Predicted
		if plan != nil {
			for _, n := range plan.Notes {
				s.Findings = append(s.Findings, story.Finding{Severity: "note", Text: n})
			}
		}
		if planErr != nil {
			pairs[i].Reason = planErr.Error()
		}
		if s.Verdict == story.Denied.String() && len(calls) == 1 && !r.f.quiet {
			fixes, err := fix.Search(r.in, r.bindLocal, calls[i].Call)
			if err != nil {
				return err
			}
			s.Fixes = append(s.Fixes, fixes...)
		}
		r.code = worse(r.code, exitOf(&pairs[i]))
		if err := r.out.write(&pairs[i]); err != nil {
			return err
		}
	}
	return nil
}

// bindLocal judges an edited world as it would be launched.
func (r *runner) bindLocal(w *world.World) (*explain.Judge, error) {
	if _, err := container.Prepare(w, r.options()); err != nil && len(w.Refusals) == 0 {
		return nil, err
	}
	return bind(w)
}

// performed makes the story of what the kernel has answered.
func performed(pair *story.Run, j *explain.Judge, c *syscalls.Call, res probe.Result) {
	s := j.Performed(c)
	switch {
	case res.Skipped:
		return
	case res.Signal != 0:
		s.Verdict = story.Killed.String()
	case res.Blocked:
		s.Verdict = story.Blocks.String()
	case res.Ret < 0 && res.Ret > -4096:
		s.Verdict = story.Denied.String()
		name := story.Errno(-res.Ret).String()
		s.Errno = &name
	default:
		s.Verdict = story.Allowed.String()
	}
	pair.Performed = s
}

// effects are the changes that were seen, in the words of the prediction.
func effects(pair *story.Run, seen []container.Effect) {
	if pair.Performed == nil {
		return
	}
	for _, e := range seen {
		size := e.Size
		switch e.Kind {
		case "copied-up":
			pair.Performed.Effects = append(pair.Performed.Effects, story.Effect{Kind: e.Kind, Path: e.Path, Bytes: &size})
		case "created", "removed":
			pair.Performed.Effects = append(pair.Performed.Effects, story.Effect{Kind: e.Kind, Path: e.Path})
		}
	}
	slices.SortFunc(pair.Performed.Effects, func(a, b story.Effect) int { return strings.Compare(a.Kind+a.Path, b.Kind+b.Path) })
}

// exitOf is the exit code of one performed call.
func exitOf(p *story.Run) int {
	s := p.Performed
	switch {
	case p.Agree != nil && !*p.Agree:
		return exitDisagree
	case s == nil && p.Predicted.Verdict == story.Denied.String() && p.Predicted.Errno == nil:
		return exitDenied // the container is not started: no call is ever made
	case s == nil:
		return exitIncapable
	case s.Verdict == story.Allowed.String():
		return exitAllowed
	}
	return exitDenied
}

// command runs a command in a container.
func (r *runner) command(ctx context.Context, args []string, p *program) (int, error) {
	plan, j, err := r.prepare()
	if err != nil {
		return exitFailed, err
	}
	if broken := late(j); len(broken) > 0 {
		return exitFailed, fmt.Errorf("the seccomp filter refuses %s, which the runtime itself calls once the filter is loaded: the container would not start", strings.Join(broken, ", "))
	}
	code, err := plan.Exec(ctx, args, []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}, container.Streams{In: p.in, Out: p.out, Err: p.errs})
	if err != nil {
		switch {
		case strings.Contains(err.Error(), "not found") || strings.Contains(err.Error(), "no such file"):
			return exitNotFound, err
		case strings.Contains(err.Error(), "execve") && strings.Contains(err.Error(), "permission denied"):
			return exitNotExecutable, err
		}
		return exitFailed, err
	}
	return code, nil
}

// late lists what a runtime calls behind the filter that it has loaded, and that the filter refuses: with no_new_privs it is
// loaded right before execve, else before the ids and capabilities are given up. A Go runtime needs some calls at any time.
func late(j *explain.Judge) []string {
	calls := []string{"execve", "futex", "rt_sigreturn", "nanosleep"}
	if !j.NoNewPrivs() {
		calls = append(calls, "setgroups", "setresgid", "setresuid", "prctl", "capset")
	}
	var out []string
	for _, c := range calls {
		if !j.SeccompAllows(c) {
			out = append(out, c)
		}
	}
	return out
}
