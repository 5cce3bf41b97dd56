package edits

import (
	"path"
	"strings"

	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// Missing offers to make a name that is not there, or to put something in the place of a link that leads
// nowhere. name is its whole path, rest what the call's path has behind it.
func (r *Refusal) Missing() {
	dir, name := r.Obj, strings.TrimSuffix(r.Path, "/")+"/"+r.fact(0)
	if r.Step.Code == story.SymlinkLimit {
		dir, name = world.Path{Mount: dir.Mount, Dentry: r.W.FS.D(dir.Dentry).Parent}, r.Path
	}
	names := []string{path.Base(name)}
	if rest := Rest(r.W, r.Call, name); rest != "" {
		names = append(names, strings.Split(rest, "/")...)
	}
	if wantsDirectory(r.Call) {
		r.Words.Make(dir, names, world.TypeDir|0o755)
		return
	}
	r.Words.Make(dir, names, world.TypeReg|0o644)
	if len(names) > 1 { // a call that makes the last name itself
		r.Words.Make(dir, names[:len(names)-1], world.TypeDir|0o755)
	}
}

// wantsDirectory reports whether a call has no use for anything but a directory.
func wantsDirectory(c *syscalls.Call) bool {
	switch c.Name {
	case "chdir", "chroot", "rmdir", "pivot_root":
		return true
	}
	return strings.Contains(c.String(), "O_DIRECTORY")
}

// Rest returns what of a call's path lies behind a name, where that is plain.
func Rest(w *world.World, call *syscalls.Call, name string) string {
	for i := range call.Args {
		p := call.Args[i].Str
		if p == "" {
			continue
		}
		if !path.IsAbs(p) {
			p = path.Join(w.PathText(w.Task.Cwd), p)
		}
		if r, ok := strings.CutPrefix(path.Clean(p), name+"/"); ok {
			return r
		}
	}
	return ""
}

// Make adds names to a directory of a world, each in the one before; the last has the mode, the others are directories.
func Make(w *world.World, dir world.DentryID, names []string, mode uint16) {
	made := w.Text("the fix makes it")
	for i, name := range names {
		ino := world.Inode{SB: w.FS.I(dir).SB, Mode: world.TypeDir | 0o755, Known: world.KnownAll, Whole: true, Nlink: 1, Layer: 2, At: made}
		if i == len(names)-1 {
			ino.Mode, ino.Whole = mode, mode&world.TypeMask == world.TypeDir
		}
		dir = w.FS.Add(dir, name, ino)
	}
}

// MakeCommand is Make in the words of a shell.
func MakeCommand(dir string, names []string, mode uint16, quote func(string) string) string {
	full := path.Join(append([]string{dir}, names...)...)
	if mode&world.TypeMask == world.TypeDir {
		return "mkdir -p " + quote(full)
	}
	if len(names) > 1 {
		return "mkdir -p " + quote(path.Dir(full)) + " && touch " + quote(full)
	}
	return "touch " + quote(full)
}
