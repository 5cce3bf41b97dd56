package explain

import (
	"syscallstory/check"
	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of the calls on sockets: net/socket.c.

func socket(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.NewSocket(c, int(int32(a[0].Val)), a[1].Val&0xffffffff, int(int32(a[2].Val)), false)
}

func socketpair(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	if e := vfs.NewSocket(c, int(int32(a[0].Val)), a[1].Val&0xffffffff, int(int32(a[2].Val)), true); e != 0 {
		return e
	}
	if isNull(&a[3]) {
		return vfs.Invalid(c, story.EFAULT, "the descriptors have no place")
	}
	return copyOut(c, &a[3])
}

// address reads a socket's address as it was written.
func address(a, size *syscalls.Arg) vfs.Address {
	field := func(name string) syscalls.Field {
		f, _ := a.Field(name)
		return f
	}
	out := vfs.Address{Len: int64(int32(size.Val)), Null: a.Fault, Lost: !a.Struct() && !a.Fault, Family: int(field("sa_family").Val), Groups: uint32(field("nl_groups").Val)}
	switch out.Family {
	case 1:
		out.Path = field("sun_path").Str
	case 10:
		out.Port, out.Host = uint16(field("sin6_port").Val), field("sin6_addr").Str
	default:
		out.Port, out.Host = uint16(field("sin_port").Val), field("sin_addr").Str
	}
	return out
}

func bind(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Bind(c, dfd(&a[0]), address(&a[1], &a[2]))
}

func connect(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.Connect(c, dfd(&a[0]), address(&a[1], &a[2]))
}

func listen(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Listen(c, dfd(&call.Args[0]))
}

func accept(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Accept(c, dfd(&call.Args[0]), 0)
}

func accept4(c *check.Check, call *syscalls.Call) story.Errno {
	return vfs.Accept(c, dfd(&call.Args[0]), call.Args[3].Val)
}

func setsockopt(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	o := vfs.Option{Level: int(int32(a[1].Val)), Name: int(int32(a[2].Val)), Len: int64(int32(a[4].Val)), Null: isNull(&a[3]), Bad: a[3].Fault && a[3].Val != 0, Lost: !a[3].Fault && len(a[3].Fields) == 0}
	if len(a[3].Fields) > 0 {
		f := a[3].Fields[0]
		o.Val, o.Str, o.Text = int64(f.Val), f.Str, f.Text
	}
	if o.Len < 0 {
		switch c.K.Has(kernel.SockoptFirst) {
		case kernel.No:
			return vfs.Invalid(c, story.EINVAL, "a length is not negative")
		case kernel.NotKnown:
			c.MayEnd(story.EINVAL)
		}
	}
	return vfs.Setsockopt(c, dfd(&a[0]), o)
}
