package gates

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"syscallstory/check"
	"syscallstory/probe"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// ending is how a call ends, for model and kernel alike: an errno, 0 for success, or one of the others.
type ending struct {
	errno   story.Errno
	killed  bool
	blocks  bool
	unsure  bool // the model does not know
	missing bool // the kernel was not asked
}

func (e ending) String() string {
	switch {
	case e.killed:
		return "killed"
	case e.blocks:
		return "blocks"
	case e.unsure:
		return "undetermined"
	case e.missing:
		return "not performed"
	case e.errno == 0:
		return "allowed"
	}
	return e.errno.String()
}

func predicted(end check.End) ending {
	switch {
	case !end.Sure || end.Verdict == story.Undetermined:
		return ending{unsure: true}
	case end.Verdict == story.Killed:
		return ending{killed: true}
	case end.Verdict == story.Blocks:
		return ending{blocks: true}
	}
	return ending{errno: end.Errno}
}

func performed(r probe.Result) ending {
	switch {
	case r.Skipped:
		return ending{missing: true}
	case r.Status == executed:
		return ending{}
	case r.Signal == int(unix.SIGSYS):
		return ending{killed: true}
	case r.Signal != 0:
		return ending{killed: true, errno: story.Errno(r.Signal)}
	case r.Blocked:
		return ending{blocks: true}
	case r.Ret < 0 && r.Ret > -4096:
		return ending{errno: story.Errno(-r.Ret)}
	}
	return ending{}
}

// raw turns calls into what the probe makes, with the pids that the scene's processes have.
func (s *stage) raw(calls []*syscalls.Call) ([]probe.Call, error) {
	out := make([]probe.Call, len(calls))
	for i, c := range calls {
		regs, err := c.Encode()
		if err != nil {
			return nil, err
		}
		out[i].NR = uint64(c.Nr)
		for k, r := range regs {
			out[i].Args[k] = probe.Arg{Val: r.Val, Data: r.Bytes, Pointers: r.Pointers}
			if n := int(r.Val) - firstTarget; n >= 0 && n < len(s.pids) && len(r.Bytes) == 0 {
				out[i].Args[k].Val = uint64(s.pids[n])
			}
		}
	}
	return out, nil
}

// can says why a task cannot be made in the scene that is built.
func (s *stage) can(t *Task) error {
	_, err := s.perform(t, []probe.Call{{NR: unix.SYS_GETPID}})
	return err
}

// errNotMade is a scene or a task that the kernel does not let be made.
var errNotMade = errors.New("it cannot be made")

// play performs calls, none of which changes anything, in the scene that is built.
func (s *stage) play(t *Task, calls []*syscalls.Call) ([]ending, error) {
	out := make([]ending, 0, len(calls))
	for len(out) < len(calls) {
		rest := calls[len(out):]
		rest = rest[:min(len(rest), 64)]
		rc, err := s.raw(rest)
		if err != nil {
			return nil, err
		}
		results, err := s.perform(t, rc)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotMade, err)
		}
		n := len(out)
		for _, r := range results {
			if r.Skipped {
				break
			}
			e := performed(r)
			if e.errno == 0 && (e.blocks || e.killed || changes(calls[len(out)])) {
				s.dirty = true
				s.stirred = s.stirred || !onlyFiles[calls[len(out)].Name]
			}
			// What was made stays where a ruleset then keeps it from being opened.
			s.dirty = s.dirty || len(t.Landlock) > 0 && e.errno == story.EACCES && changes(calls[len(out)])
			out = append(out, e)
		}
		if len(out) == n {
			return nil, fmt.Errorf("%s was not performed", rest[0])
		}
	}
	return out, nil
}

// alone builds the scene anew and performs one call in it.
func (s *stage) alone(sc *Scene, t *Task, call *syscalls.Call) (ending, error) {
	if err := s.build(sc); err != nil {
		return ending{}, err
	}
	e, err := s.play(t, []*syscalls.Call{call})
	if err != nil {
		return ending{}, err
	}
	if e[0].blocks && s.patience < time.Second { // or the machine is busy
		defer func(d time.Duration) { s.patience = d }(s.patience)
		s.patience = time.Second
		if err := s.build(sc); err != nil {
			return ending{}, err
		}
		if e, err = s.play(t, []*syscalls.Call{call}); err != nil {
			return ending{}, err
		}
	}
	// When somebody mounts meanwhile, the kernel may walk again without its shortcut (LOOKUP_RCU): the links of the first
	// walk still count, so that fewer than 40 are too many, and with RESOLVE_BENEATH it gives up with EAGAIN. A program that was
	// just made may be open for writing in a process that another worker forks, as in patiently.
	for try := 0; try < 20 && (e[0].errno == story.ELOOP || e[0].errno == story.EAGAIN || e[0].errno == story.ETXTBSY); try++ {
		if e[0].errno == story.ETXTBSY {
			time.Sleep(time.Millisecond)
		}
		again, err := s.play(t, []*syscalls.Call{call})
		if err != nil || again[0] != e[0] {
			return again[0], err
		}
	}
	return e[0], nil
}

// onlyFiles are the calls that leave processes other than the caller's alone.
var onlyFiles = func() map[string]bool {
	m := map[string]bool{}
	for _, f := range []family{openCalls, nameCalls, attributeCalls, xattrCalls, descriptorCalls, mountCalls} {
		for name := range f {
			m[name] = true
		}
	}
	return m
}()
