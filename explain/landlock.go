package explain

import (
	"syscallstory/check"
	"syscallstory/story"
	"syscallstory/syscalls"
	"syscallstory/vfs"
)

// Routes of Landlock's calls: security/landlock/syscalls.c.

func init() {
	routes["landlock_create_ruleset"], routes["landlock_add_rule"], routes["landlock_restrict_self"] = landlockCreate, landlockAddRule, landlockRestrict
}

func landlockCreate(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	fs, _ := a[0].Field("handled_access_fs")
	net, _ := a[0].Field("handled_access_net")
	scoped, _ := a[0].Field("scoped")
	return vfs.LandlockCreate(c, vfs.LandlockAttr{FS: fs.Val, Net: net.Val, Scoped: scoped.Val, Size: a[1].Val, Flags: a[2].Val, Null: isNull(&a[0]), Lost: !a[0].Struct() && !isNull(&a[0])})
}

func landlockAddRule(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.LandlockAddRule(c, dfd(&a[0]), a[1].Val, a[3].Val, isNull(&a[2]))
}

func landlockRestrict(c *check.Check, call *syscalls.Call) story.Errno {
	a := call.Args
	return vfs.LandlockRestrict(c, dfd(&a[0]), a[1].Val)
}
