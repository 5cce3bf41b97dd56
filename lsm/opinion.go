package lsm

import (
	"slices"

	"syscallstory/story"
	"syscallstory/world"
)

// Opinion is what a module can do at a hook.
type Opinion struct {
	Module string
	// May is "decides" for what is modelled, "may refuse" for what is not known, "cannot refuse" for what passes every call.
	May    string
	Reason string
}

// Opinions lists the active modules that have a function on the hook, in the kernel's order.
func (s *Stack) Opinions(w *world.World, h story.Hook) []Opinion {
	var all []Opinion
	for _, name := range w.LSMs.V {
		if name == "capability" {
			if set := hooks(name); set[h] {
				all = append(all, Opinion{name, "decides", "it is gate capability of the story"})
			}
			continue
		}
		i := slices.IndexFunc(s.modules, func(m module) bool { return m.name == name })
		if i >= 0 && s.modules[i].on[h] {
			all = append(all, s.modules[i].opinion(h))
		}
	}
	if !w.LSMs.Known() {
		for i := range s.modules {
			if s.modules[i].on[h] {
				all = append(all, s.modules[i].opinion(h))
			}
		}
	}
	return all
}

func (m *module) opinion(h story.Hook) Opinion {
	switch m.kind {
	case silent:
		return Opinion{m.name, "may refuse", m.policy}
	case bpf:
		return Opinion{m.name, "may refuse", m.programs[h]}
	case policied:
		return Opinion{m.name, "may refuse", "by its policy"}
	case landlock:
		return Opinion{m.name, "decides", "the task has rulesets"}
	case lockdown:
		return Opinion{m.name, "decides", "by its mode"}
	}
	return Opinion{m.name, "cannot refuse", m.reason}
}
