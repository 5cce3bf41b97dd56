package fix

import (
	"path"
	"strings"

	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// callEdits offers changes of the call itself, for refusals that no other edit helps against: flags that are left out, a
// path that is shorter, another call for the same purpose.
func callEdits(call *syscalls.Call, r world.Refused) []story.Edit {
	var out []story.Edit
	offer := func(text string, change func(c *syscalls.Call)) {
		c := *call
		c.Args = append([]syscalls.Arg{}, call.Args...)
		change(&c)
		if s := c.String(); s != call.String() {
			out = append(out, story.Edit{ID: "call " + s, Kind: "call", Path: call.String(), Patch: s, Text: text, Exposes: "nothing: the program asks for less", Risk: story.Safe, Do: &c})
		}
	}
	for i := range call.Args {
		a := call.Args[i]
		switch a.Kind {
		case syscalls.Path:
			set := func(text, p string) {
				offer(text, func(c *syscalls.Call) { c.Args[i].Str, c.Args[i].Fault, c.Args[i].Val = p, false, 1 })
			}
			if a.Fault || a.Str == "" {
				set("name a path", ".")
				continue
			}
			set("leave the last slash out", strings.TrimRight(a.Str, "/"))
			if r.Step.Code == story.NotDirectory || r.Step.Code == story.WantDirectory {
				set("end the path at "+r.Entry.Object, r.Entry.Object)
			}
			if r.Step.Code == story.NameExists || r.Step.Code == story.CreateExists {
				set("name what is not there yet", strings.TrimRight(a.Str, "/")+".new")
			}
			if len(a.Str) > 255 {
				set("use a shorter path", shorten(a.Str))
			}
		case syscalls.FD:
			if int32(a.Val) >= 0 || int32(a.Val) != -100 {
				offer("use AT_FDCWD", func(c *syscalls.Call) { c.Args[i].Val, c.Args[i].FDPath = ^uint64(99), "" })
			}
		case syscalls.Open, syscalls.At, syscalls.Access, syscalls.Eaccess, syscalls.Statx:
			for _, f := range a.Flags() {
				offer("leave "+f.Name+" out", func(c *syscalls.Call) { c.Args[i].Val &^= f.Bits })
			}
			if a.Kind == syscalls.Open && a.Val&3 != 0 {
				offer("open it read-only", func(c *syscalls.Call) { c.Args[i].Val &^= 0o1103 })
				offer("open it with O_PATH", func(c *syscalls.Call) { c.Args[i].Val = 0o10000000 })
			} else if a.Kind == syscalls.Open {
				offer("open it with O_PATH", func(c *syscalls.Call) { c.Args[i].Val = 0o10000000 | a.Val&0o400000 })
			}
			if a.Kind == syscalls.Open && r.Step.Code == story.AppendOnly {
				offer("append to it", func(c *syscalls.Call) { c.Args[i].Val = c.Args[i].Val&^0o1000 | 0o2000 })
			}
		case syscalls.How:
			if a.Fault {
				continue
			}
			for k := range 2 {
				set := syscalls.HowFlags(a, k)
				for _, f := range set {
					offer("leave "+f.Name+" out", func(c *syscalls.Call) { c.Args[i].How[2*k] &^= f.Bits })
				}
			}
			offer("leave the mode out", func(c *syscalls.Call) { c.Args[i].How[1] = 0 })
			offer("ask for O_RDONLY alone", func(c *syscalls.Call) { c.Args[i].How = [3]uint64{} })
		case syscalls.Out:
			if a.Fault {
				offer("give an address that can be written to", func(c *syscalls.Call) { c.Args[i].Fault, c.Args[i].Val = false, 1 })
			}
		}
	}
	for from, to := range map[string]string{"openat2": "openat", "statx": "newfstatat", "faccessat2": "faccessat", "openat": "open", "newfstatat": "stat", "faccessat": "access"} {
		if call.Name != from || r.Step.Code != story.NoSyscall && r.Step.Code != story.SeccompFilter && r.Step.Code != story.OpenHow {
			continue
		}
		if c := older(call, to); c != nil {
			out = append(out, story.Edit{ID: "call " + c.String(), Kind: "call", Path: call.String(), Patch: c.String(), Text: "call " + to + " instead", Exposes: "nothing: the program asks for the same", Risk: story.Safe, Do: c})
		}
	}
	return out
}

// shorten cuts each name to 255 bytes, and the path to what the kernel takes.
func shorten(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		if len(parts[i]) > 255 {
			parts[i] = parts[i][:255]
		}
	}
	for p = strings.Join(parts, "/"); len(p) > 4095; {
		p = path.Dir(p)
	}
	return p
}

// older writes a call in the words of one that older kernels and narrower filters have.
func older(call *syscalls.Call, to string) *syscalls.Call {
	args := call.ArgTexts()
	switch {
	case to == "openat" && len(args) >= 3:
		how := call.Args[2].How
		c, err := syscalls.Parse(call.ABI, to+"("+strings.Join(append(append([]string{}, args[:2]...), "0"), ", ")+")")
		if err != nil {
			return nil
		}
		c.Args[2].Val = how[0]
		return c
	case (to == "open" || to == "stat" || to == "access") && int32(call.Args[0].Val) == -100:
		args = args[1:]
		if to == "stat" {
			args = args[:1]
		}
	case to == "newfstatat" && len(args) >= 2:
		args = args[:2]
	case to == "faccessat" && len(args) >= 3:
		args = args[:3]
	default:
		return nil
	}
	c, err := syscalls.Parse(call.ABI, to+"("+strings.Join(args, ", ")+")")
	if err != nil {
		return nil
	}
	return c
}
