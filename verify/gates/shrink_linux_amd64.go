package gates

import (
	"slices"

	"syscallstory/syscalls"
)

// maxTries bounds how many scenes are built to make one small.
const maxTries = 400

// ask builds a case and returns what the model and the kernel say.
func (w *worker) ask(c *Case) (model, kernel ending, err error) {
	call, err := syscalls.Parse(syscalls.X8664, c.Call)
	if err != nil {
		return ending{}, ending{}, err
	}
	j, _, err := w.judge(&c.Scene, c.Task, []*syscalls.Call{call})
	if err != nil {
		return ending{}, ending{}, err
	}
	if hurts(call) && j[0].end.errno == 0 {
		return j[0].end, ending{missing: true}, nil
	}
	kernel, err = w.stage.alone(&c.Scene, &c.Scene.Tasks[c.Task], call)
	return j[0].end, kernel, err
}

// shrink makes a case small for which model and kernel differ as long as both say what they said.
func (w *worker) shrink(c Case, model, kernel ending) (Case, ending, ending) {
	c.Scene = *c.Scene.clone()
	c.Scene.Tasks, c.Task = []Task{c.Scene.Tasks[c.Task]}, 0
	tries := 0
	try := func(change func(s *Scene) bool) bool {
		if tries++; tries > maxTries {
			return false
		}
		next := Case{Scene: *c.Scene.clone(), Call: c.Call}
		if !change(&next.Scene) {
			return false
		}
		m, k, err := w.ask(&next)
		if err != nil || m != model || k != kernel {
			return false
		}
		c = next
		return true
	}
	for again := true; again && tries < maxTries; {
		again = false
		for i := len(c.Scene.Items) - 1; i > 0; i-- {
			again = try(func(s *Scene) bool { s.Items = slices.Delete(s.Items, i, i+1); return true }) || again
		}
		for _, change := range simplifications {
			again = try(change) || again
		}
	}
	return c, model, kernel
}

// simplifications make a scene simpler; each says whether there was something to do.
var simplifications = []func(s *Scene) bool{
	func(s *Scene) bool { had := len(s.IPC) > 0; s.IPC = nil; return had },
	func(s *Scene) bool { had := len(s.Targets) > 0; s.Targets = nil; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := len(t.Filter) > 0; t.Filter = nil; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := len(t.Filters) > 0; t.Filters = nil; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := len(t.Landlock) > 0; t.Landlock = nil; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := len(t.Groups) > 0; t.Groups = nil; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.Effective != 0; t.Effective = 0; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.Permitted != 0; t.Permitted = 0; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.Real != nil; t.Real, t.Saved = nil, nil; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.Root != ""; t.Root = ""; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.Cwd != "/w"; t.Cwd = "/w"; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.OwnMounts; t.OwnMounts = false; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.NS != 0; t.NS, t.OwnMounts = 0, false; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.NoNewPrivs; t.NoNewPrivs = false; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.UID != 0; t.UID = 0; return had },
	func(s *Scene) bool { t := &s.Tasks[0]; had := t.GID != 0; t.GID = 0; return had },
	func(s *Scene) bool {
		t := &s.Tasks[0]
		had := len(t.FDs) > 0
		if had {
			t.FDs = t.FDs[:len(t.FDs)-1]
		}
		return had
	},
	func(s *Scene) bool {
		n := len(s.Namespaces)
		for i := range s.Items {
			if m := s.Items[i].Mount; m != nil && (m.Owner == n || m.IDMap == n) {
				return false
			}
		}
		if n == 0 || s.Tasks[0].NS == n || slices.ContainsFunc(s.Targets, func(t Task) bool { return t.NS == n }) {
			return false
		}
		s.Namespaces = s.Namespaces[:n-1]
		return true
	},
	func(s *Scene) bool {
		for i := range s.Items {
			if m := s.Items[i].Mount; m != nil && len(m.Flags) > 0 {
				m.Flags = m.Flags[1:]
				return true
			}
		}
		return false
	},
	func(s *Scene) bool {
		return simpler(s, func(f *File) bool { had := len(f.ACL) > 0; f.ACL = nil; return had })
	},
	func(s *Scene) bool {
		return simpler(s, func(f *File) bool { had := f.Immutable || f.Append; f.Immutable, f.Append = false, false; return had })
	},
	func(s *Scene) bool {
		return simpler(s, func(f *File) bool { had := f.Caps != nil; f.Caps = nil; return had })
	},
	func(s *Scene) bool {
		return simpler(s, func(f *File) bool { had := f.Program != ""; f.Program, f.Interp = "", ""; return had })
	},
	func(s *Scene) bool {
		return simpler(s, func(f *File) bool { had := f.Size > 0; f.Size = 0; return had })
	},
	func(s *Scene) bool {
		return simpler(s, func(f *File) bool { had := f.UID != 0; f.UID = 0; return had })
	},
	func(s *Scene) bool {
		return simpler(s, func(f *File) bool { had := f.GID != 0; f.GID = 0; return had })
	},
	func(s *Scene) bool {
		for i := range s.Layers {
			if n := len(s.Layers[i].Files); n > 1 {
				s.Layers[i].Files = s.Layers[i].Files[:n-1]
				return true
			}
		}
		return false
	},
}

// simpler changes every file.
func simpler(s *Scene, change func(*File) bool) bool {
	any := false
	for i := range s.Items {
		if f := s.Items[i].File; f != nil {
			any = change(f) || any
		}
	}
	return any
}
