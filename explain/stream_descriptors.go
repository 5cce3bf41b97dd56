package explain

import (
	"strconv"
	"strings"

	"syscallstory/syscalls"
	"syscallstory/vfs"
	"syscallstory/world"
)

// descriptors opens those that a call has opened which leads to no file with a name: a copy is what the other one is, of the rest the numbers
// are known. False where even these are not.
func (j *Judge) descriptors(call *syscalls.Call, ret int64) bool {
	t, a := &j.w.Task, call.Args
	var numbers []int
	made := world.FD{At: j.w.Miss("what "+call.Name+" has opened is not known", "")}
	copied := func(from int) {
		if f := t.FDByNumber(from); f != nil {
			made = *f
			made.Flags &^= vfs.OCloexec
			const dupFDCloexec = 1030
			if call.Name == "dup3" && a[2].Val&vfs.OCloexec != 0 || call.Name == "fcntl" && a[1].Val == dupFDCloexec {
				made.Flags |= vfs.OCloexec
			}
		}
	}
	switch call.Name {
	case "recvmsg", "recvmmsg", "bpf":
		return false
	case "pipe", "pipe2":
		numbers = pair(a[0].Str)
	case "socketpair":
		numbers = pair(a[3].Str)
	case "dup2", "dup3":
		numbers = []int{int(int32(a[1].Val))}
		copied(int(int32(a[0].Val)))
	case "dup", "fcntl":
		numbers = []int{int(ret)}
		copied(int(int32(a[0].Val)))
	case "accept", "accept4":
		numbers = []int{int(ret)}
		if f := t.FDByNumber(int(int32(a[0].Val))); f != nil && f.Socket != nil {
			peer := *f.Socket
			peer.Listens, peer.Connected, peer.Bound = false, true, true
			made = world.FD{Kind: world.FDSocket, Socket: &peer, Flags: 2, At: j.w.Text("the stream has made it")}
		}
	default:
		numbers = []int{int(ret)}
	}
	if len(numbers) == 0 || numbers[0] < 0 {
		return false
	}
	for _, n := range numbers {
		j.close(n)
		made.N = n
		t.FDs = append(t.FDs, made)
		t.OpenFDs.V++
	}
	return true
}

// pair reads the two descriptors that strace prints, [3, 4].
func pair(text string) (numbers []int) {
	for part := range strings.SplitSeq(strings.Trim(text, "[]"), ",") {
		part, _, _ = strings.Cut(strings.TrimSpace(part), "<")
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}
