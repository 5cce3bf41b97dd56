package probe

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// tasks are those that the first one has made, as its caller sees them.
type tasks struct {
	calls []Call
	open  int // descriptor of the one whose call is awaited, with its number
	of    int
	gone  bool // it has ended in that call
}

// pid is the id of a task, if the first one has made it: what others return are ids of their own PID namespace.
func (t *tasks) pid(sh *shared, number int) int {
	for i := range t.calls {
		if c := &t.calls[i]; c.Makes == number && c.By == 0 && int(atomic.LoadUint32(&sh.done)) > i && sh.ret[i] > 0 {
			return int(sh.ret[i])
		}
	}
	return 0
}

// died reports that the task whose call has begun has ended in it. That it was its filter is what is left: it makes no other call.
func (t *tasks) died(sh *shared) bool {
	begun := int(atomic.LoadUint32(&sh.begun))
	if begun == 0 || begun == int(atomic.LoadUint32(&sh.done)) || t.calls[begun-1].By == 0 {
		return false
	}
	by := t.calls[begun-1].By
	if t.of != by {
		t.close()
		pid := t.pid(sh, by)
		if pid == 0 {
			return false
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return false
		}
		t.open, t.of = fd, by
	}
	poll := []unix.PollFd{{Fd: int32(t.open), Events: unix.POLLIN}}
	n, _ := unix.Poll(poll, 0)
	t.gone = n > 0 && int(atomic.LoadUint32(&sh.done)) < begun
	return t.gone
}

func (t *tasks) close() {
	if t.of != 0 {
		unix.Close(t.open)
		t.of = 0
	}
}

// end kills the tasks, whose ids are theirs as long as the first one has not waited for them.
func (t *tasks) end(sh *shared) {
	t.close()
	for i := range t.calls {
		if c := &t.calls[i]; c.Makes != 0 {
			if pid := t.pid(sh, c.Makes); pid != 0 {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
}
