package fix

import (
	"path"

	"syscallstory/explain"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// probes are the calls of the corpus for each object.
var probes = []string{"O_RDONLY", "O_WRONLY", "O_WRONLY|O_TRUNC", "O_WRONLY|O_CREAT, 0644"}

// maxMountProbes is how many mounts of a namespace are probed.
const maxMountProbes = 256

// Corpus is the published set of probe calls by which fixes are compared: openings for reading, for writing and for making
// a name, of each object class that the world has: the call's own object, its neighbours in the same directory, the mount
// points, and the places that every container has. Beside them count every syscall that the filters let pass and every
// capability.
func Corpus(w *world.World, call *syscalls.Call) []*syscalls.Call {
	objects := []string{"/", "/etc/passwd", "/etc/shadow", "/tmp/probe", "/var/log/probe", "/root/probe", "/proc/sysrq-trigger", "/dev/null"}
	for i := range call.Args {
		if p := call.Args[i].Str; p != "" {
			objects = append(objects, p, path.Join(path.Dir(p), "probe"))
		}
	}
	for i := 1; i < min(len(w.Mounts), maxMountProbes); i++ {
		if m := &w.Mounts[i]; m.Point != "" && m.NS == w.Task.MountNS && w.FS.I(m.Root).Is(world.TypeDir) {
			objects = append(objects, path.Join(m.Point, "probe"))
		}
	}
	abi := call.ABI
	seen := map[string]bool{}
	var all []*syscalls.Call
	for _, o := range objects {
		for _, flags := range probes {
			text := `openat(AT_FDCWD, "` + o + `", ` + flags + `)`
			if c, err := syscalls.Parse(abi, text); err == nil && !seen[text] {
				seen[text] = true
				all = append(all, c)
			}
		}
	}
	return all
}

// allowed lists what a judge lets pass of the corpus.
func allowed(j *explain.Judge, corpus []*syscalls.Call) map[string]bool {
	out := map[string]bool{}
	for _, c := range corpus {
		if v := j.Verdict(c).Verdict; v != story.Denied && v != story.Killed {
			out[c.String()] = true
		}
	}
	for _, n := range syscalls.Names(j.ABI()) {
		if j.SeccompAllows(n) {
			out[n] = true
		}
	}
	for _, c := range j.Capabilities() {
		out[c.String()] = true
	}
	return out
}
