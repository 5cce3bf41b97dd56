package explain

import (
	"syscallstory/lsm"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// HookCall is a hook of the security framework that a call comes to.
type HookCall struct {
	Hook    string       `json:"hook"`
	Op      string       `json:"op"`
	Object  string       `json:"object"`
	Reached bool         `json:"reached"` // false: an earlier check refuses the call
	Modules []HookModule `json:"modules"`
}

// HookModule is an active module that has a function on the hook.
type HookModule struct {
	Name   string `json:"name"`
	May    string `json:"may"` // decides, may refuse or cannot refuse
	Reason string `json:"reason"`
}

// Hooks lists the hooks that a call comes to, in their order. Where a check refuses the call, those behind it are listed as if
// it had not.
func (j *Judge) Hooks(call *syscalls.Call) []HookCall {
	j.judge(call, true, nil)
	reached := len(j.c.Met())
	var forgiven []story.Step
	for range 8 {
		step, denied := j.c.Decided()
		if !denied || len(forgiven) > 0 && !j.c.Forgave() {
			break
		}
		forgiven = append(forgiven, step)
		j.judge(call, true, forgiven)
	}
	stack := j.c.LSM.(*lsm.Stack)
	out := []HookCall{}
	for i, m := range j.c.Met() {
		h := HookCall{Hook: m.Hook.String(), Op: m.Op.String(), Reached: i < reached, Modules: []HookModule{}}
		if m.Path.Dentry != 0 {
			h.Object = j.w.PathText(world.PathOf(m.Path.Ref()))
		}
		for _, o := range stack.Opinions(j.w, m.Hook) {
			h.Modules = append(h.Modules, HookModule{o.Module, o.May, o.Reason})
		}
		out = append(out, h)
	}
	return out
}

// LSMsKnown reports whether the node's active modules are known.
func (j *Judge) LSMsKnown() bool { return j.w.LSMs.Known() }
