package edits

import (
	"fmt"
	"strings"

	"syscallstory/story"
	"syscallstory/world"
)

// Confinement says changes of SELinux's in the terms of an input that starts a container.
type Confinement interface {
	Level(level string) // the container's own
	Unconfined()        // run it without SELinux's confinement
}

// selinux offers another label of the file, narrow ones first, then another one of the container. Whether one helps the policy tells.
func (r *Refusal) selinux() {
	task, at := r.W.Task.LabelOf("selinux")
	if !at.Known() || task == "" {
		task = r.W.Task.EngineLabel.Value
	}
	words, container := r.Words.(Confinement)
	if r.Obj.Dentry != 0 {
		has := r.context()
		for _, to := range r.relabels(task, has) {
			r.relabel(has, to)
		}
		if _, level := levels(has); container && level != "" {
			words.Level(level)
		}
	}
	if container {
		words.Unconfined()
	}
}

// context is the label of what was refused, as far as the world has it.
func (r *Refusal) context() string {
	ino := r.W.FS.I(r.Obj.Dentry)
	switch {
	case ino.Known&world.KnownContext != 0:
		return ino.Context
	case r.Obj.Mount != 0:
		return r.W.Mounts[r.Obj.Mount].Label.V
	}
	return ""
}

// relabels are labels under which the file may be used: its own with the task's level, that of the container's files, and that of files
// which all containers share.
func (r *Refusal) relabels(task, has string) (all []string) {
	sb := r.W.FS.SBOf(r.Obj.Dentry)
	if !sb.Contexts.Known() || sb.Contexts.V.Context != "" { // context= gives all files one label
		return nil
	}
	add := func(to string) {
		if to == has || strings.Count(to, ":") < 3 {
			return
		}
		for _, have := range all {
			if have == to {
				return
			}
		}
		all = append(all, to)
	}
	own, _ := levels(has)
	_, level := levels(task)
	if own != "" && level != "" {
		add(own + ":" + level)
	}
	root := r.W.FS.SB(r.W.Mounts[r.W.Task.Root.Mount].SB)
	mine := root.Contexts.V.Context
	add(mine)
	if kind, _ := levels(mine); kind != "" {
		add(kind + ":s0")
	}
	return all
}

// levels cuts a context into what stands before its level, and the highest one of its range.
func levels(context string) (kind, level string) {
	parts := strings.SplitN(context, ":", 4)
	if len(parts) < 3 {
		return "", ""
	}
	kind = strings.Join(parts[:3], ":")
	if len(parts) == 4 {
		low, high, ranged := strings.Cut(parts[3], "-")
		if level = low; ranged {
			level = high
		}
	}
	return kind, level
}

func (r *Refusal) relabel(has, to string) {
	name := r.W.PathText(r.Obj)
	exposes := name + " to whoever may use " + to
	if strings.HasSuffix(to, ":s0") {
		exposes = name + " to every container"
	}
	if has != "" {
		exposes += fmt.Sprintf("; who uses it as %s may lose it", has)
	}
	r.Words.File(File{At: r.Obj, Command: func(p string) string { return "chcon -h " + to + " " + p }, Text: "label " + name + " " + to, Exposes: exposes, Risk: story.Widens,
		Change: func(ino *world.Inode) { ino.Context, ino.Known = to, ino.Known|world.KnownContext }})
}
