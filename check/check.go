// Package check is the spine that the kernel's mechanisms share. A Check is one judgement under way: the mechanisms hand it
// each check that they make, as a Step, and it answers with the errno on which the kernel's function would return, or 0 to
// go on. The same code serves the quick verdict, which records nothing and does not allocate, and the full story.
package check

import (
	"math/bits"

	"syscallstory/kernel"
	"syscallstory/story"
	"syscallstory/world"
)

// Mask is what inode_permission is asked for.
type Mask uint8

// The bits are the kernel's MAY_*.
const (
	MayExec   Mask = 1
	MayWrite  Mask = 2
	MayRead   Mask = 4
	MayAppend Mask = 8
	MayAccess Mask = 16
	MayOpen   Mask = 32
	MayChdir  Mask = 64
	NewFile   Mask = 128 // not the kernel's: the path is the directory in which a regular file has just been made
)

// Op returns the operation that a mask stands for in a story.
func (m Mask) Op(dir bool) story.Op {
	switch {
	case m&MayRead != 0 && m&MayWrite != 0:
		return story.OpReadWrite
	case m&MayWrite != 0 && dir:
		return story.OpCreate
	case m&MayWrite != 0:
		return story.OpWrite
	case m&MayRead != 0:
		return story.OpRead
	case m&MayExec != 0 && dir:
		return story.OpSearch
	case m&MayExec != 0:
		return story.OpExec
	}
	return story.OpAccess
}

// Hooks are the kernel's shared helpers that one mechanism calls in another. Package vfs implements them once.
type Hooks interface {
	// InodePermission is inode_permission: may cred do mask with the object?
	InodePermission(c *Check, cred *world.Cred, p world.Path, mask Mask) story.Errno
	// GenericPermission is generic_permission: mode bits, ACL, capabilities.
	GenericPermission(c *Check, cred *world.Cred, p world.Path, mask Mask) story.Errno
	// FollowLink is may_follow_link: fs.protected_symlinks.
	FollowLink(c *Check, link world.Path, dir world.Path) story.Errno
	// SymlinkMount refuses a link whose mount is nosymfollow.
	SymlinkMount(c *Check, link world.Path) story.Errno
	// MagicLink is asked where a link of /proc jumps: may the task follow it, and, where ok, to where?
	MagicLink(c *Check, link world.Path) (to world.Path, ok, certain bool, e story.Errno)
	// CapsTold reports whether a file's capabilities have a form in cred's user namespace (cap_inode_getsecurity).
	CapsTold(c *Check, cred *world.Cred, p world.Path, x world.Xattr) bool
}

// Ops are the rules of a filesystem that has some of its own. An overlay asks as the task, then as its mounter.
type Ops interface {
	// Permission is inode_operations.permission.
	Permission(c *Check, cred *world.Cred, p world.Path, mask Mask) story.Errno
	// Lookup is asked before a directory's filesystem looks a name up.
	Lookup(c *Check, dir world.Path, name string) story.Errno
	// Served tells which layer an object comes from, once it has been looked up.
	Served(c *Check, p world.Path)
	// CopyUp is asked before an object is changed.
	CopyUp(c *Check, p world.Path, what Copying) story.Errno
	// Remove is asked before a name is removed or replaced.
	Remove(c *Check, p world.Path) story.Errno
	// Create is asked before a name is made in a directory.
	Create(c *Check, dir world.Path, name string) story.Errno
}

// Check is one judgement. It is made once for each goroutine and used again for each call.
type Check struct {
	W     *world.World
	K     kernel.Release
	Cred  *world.Cred // the task's credentials; access(2) replaces them while it asks
	Hooks Hooks
	LSM   LSM
	Ops   []Ops // by superblock, nil where the generic rules hold
	Depth uint8 // symbolic links followed

	override  world.Cred
	rec       []story.Step
	recording bool
	words     []string
	effects   []story.Effect
	forgiven  []story.Step
	forgave   bool // what a forgiven refusal has looked at was met
	unsure    ErrnoSet
	blocks    bool
	noStart   bool // an unknown check may keep the container from being started
	maybe     bool // an unknown check may make the call wait
	decided   story.Step
	denied    bool
	Opened    Opened   // what an opening call has come to, or the name that was made
	Removed   Removed  // the name that was removed or renamed
	Changed   Changed  // what else has changed
	Mounting  Mounting // what happens to mounts
	Mounts    any      // package vfs keeps the mounts' tree here between calls
	Moved     Moved    // namespaces that are made or entered
	Became    Became   // what the task itself becomes
	Messages  Messages // what comes into a queue of System V, or out of it
	Copied    []Copied // what an overlay has copied up, a directory before what it holds
	Carried   Carried  // what an overlay has marked for a rename that is refused afterwards
	muted     bool     // a check on behalf of another one: not recorded
	mutedMiss bool
	hooks     []MetHook
	asked     []Asked
	Supposed  []Suppose  // answers that replace the world's; Reset keeps them
	withheld  story.Step // what a security module has said of a capability that the task has
	avcs      []AVC
	NewLabel  string       // SELinux's, of what the call makes
	Lent      world.CapSet // capabilities that the task is to have in its own user namespace; Reset keeps them
	// Deleted says which refusals are not made, as if their check did not stand in the route; nil: all are. Reset keeps it.
	Deleted func(s story.Step) bool
}

// Copying is what a change of an overlay's object needs in the upper layer.
type Copying uint8

const (
	CopyAttributes Copying = iota // its attributes, or the name
	CopyData                      // what it holds, too
	CopyTruncated                 // the file, without what it holds
)

// Copied is an object that an overlay has copied up.
type Copied struct {
	Path       world.Path
	What       Copying
	Attributes bool // without the data (metacopy)
}

// Carried is an object that was marked to be moved to a directory.
type Carried struct{ Path, To world.Path }

// Opened is the file that a call opens; with a Name, one that it makes in the directory Path.
type Opened struct {
	Path  world.Path
	Name  string
	Mode  uint16         // before the umask
	Vague bool           // whether it has setgid is not known
	Flags uint64         // open's
	Link  world.DentryID // what the new name is a link of
	Stays bool           // the file is made before open(2) may be refused
}

// Removed is a name that a call removes or, where Opened has a name, moves there.
type Removed struct {
	Path     world.Path
	Exchange world.DentryID // what takes its place
	Whiteout bool           // a whiteout takes its place
	Unseen   bool           // an overlay cannot look whether a lower layer has the name, and takes it to be there
}

// Changed is a file whose attributes a call changes, to what the filesystem keeps, or the directory that becomes the task's
// own or its root.
type Changed struct {
	Path                             world.Path
	Mode                             uint16
	UID                              world.KUID
	GID                              world.KGID
	Size                             int64
	SetMode, SetUID, SetGID, SetSize bool
	Attr                             world.Attr // immutable and append-only
	SetAttr                          bool
	Grows                            bool   // the size is not known any more
	Xattr, XattrValue                string // the attribute that is set or, without XattrSet, removed
	XattrSize                        int
	XattrSet                         bool
	Unsure                           bool // whether it has changed as asked is not known
	Cwd, Root                        bool
}

// Became is what a call makes of the task: other credentials, or another program.
type Became struct {
	Cred   world.Cred
	Creds  bool       // Cred is what the task has afterwards
	Unsure bool       // it has others, and which is not known
	Exec   bool       // it executes another program
	Exe    world.Path // which one, a script's interpreter
}

// Messages is a message that a call puts into a queue, or takes out of it.
type Messages struct {
	Queue *world.IPCObject
	Sent  world.Message
	Took  int // which one; -1: Sent is put in
}

// ErrnoSet is a set of errnos.
type ErrnoSet [3]uint64

// Add puts e into the set.
func (s *ErrnoSet) Add(e story.Errno) { s[e>>6%3] |= 1 << (e & 63) }

// Has reports whether the set holds e.
func (s *ErrnoSet) Has(e story.Errno) bool { return s[e>>6%3]>>(e&63)&1 != 0 }

// Len returns how many errnos the set holds.
func (s *ErrnoSet) Len() int {
	return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) + bits.OnesCount64(s[2])
}

// All lists the set in ascending order.
func (s *ErrnoSet) All() []story.Errno {
	var all []story.Errno
	for e := story.Errno(0); e < 192; e++ {
		if s.Has(e) {
			all = append(all, e)
		}
	}
	return all
}

// Reset makes the Check ready for another call. With record it keeps the steps; the occurrences in forgiven let the call
// pass when they are met, which tells what would refuse next.
func (c *Check) Reset(record bool, forgiven []story.Step) {
	c.Cred = &c.W.Task.Cred
	if c.Lent != 0 {
		c.override = c.W.Task.Cred
		c.override.Permitted |= c.Lent
		c.override.Effective |= c.Lent
		c.Cred = &c.override
	}
	c.Depth, c.Opened, c.Removed, c.Changed, c.Copied = 0, Opened{}, Removed{}, Changed{}, c.Copied[:0]
	c.Mounting = Mounting{}
	c.Moved = Moved{}
	c.Carried = Carried{}
	c.Messages = Messages{}
	c.withheld.Code, c.avcs, c.NewLabel = 0, c.avcs[:0], ""
	if c.Became.Creds || c.Became.Unsure || c.Became.Exec {
		c.Became = Became{}
	}
	c.rec, c.words, c.effects = c.rec[:0], c.words[:0], c.effects[:0]
	c.recording, c.forgiven, c.forgave = record, forgiven, c.Lent != 0
	c.hooks, c.asked = c.hooks[:0], c.asked[:0]
	c.unsure, c.blocks, c.maybe, c.noStart, c.denied, c.muted = ErrnoSet{}, false, false, false, false, false
}

// Mute begins a check that is part of another one, as an overlay's question on behalf of its mounter: its steps are not
// recorded, and what it comes to is told by the caller's own step.
func (c *Check) Mute() { c.muted, c.mutedMiss = true, false }

// Unmute ends what Mute began and reports whether a fact was missing.
func (c *Check) Unmute() (missing bool) {
	c.muted = false
	return c.mutedMiss
}

// Muted reports whether the check is part of another one.
func (c *Check) Muted() bool { return c.muted }

// Override replaces the credentials for the rest of the call, as access(2) does.
func (c *Check) Override(cr world.Cred) {
	c.override = cr
	c.Cred = &c.override
}

// Recording reports whether steps are kept, so that their words can be prepared only then.
func (c *Check) Recording() bool { return c.recording && !c.muted }

// Word keeps a string for a Step's Val of kind string and returns its index.
func (c *Check) Word(s string) uint64 {
	if !c.Recording() {
		return 0
	}
	for i := range c.words {
		if c.words[i] == s {
			return uint64(i)
		}
	}
	c.words = append(c.words, s)
	return uint64(len(c.words) - 1)
}

// Words returns the strings that Word has kept.
func (c *Check) Words() []string { return c.words }

// Steps returns what was recorded; it is good until the next Reset.
func (c *Check) Steps() []story.Step { return c.rec }

// Pass records a check that let the call go on.
func (c *Check) Pass(s story.Step) {
	c.withheld.Code = 0
	if c.recording {
		c.record(s, story.Allow)
	}
}

func (c *Check) record(s story.Step, o story.Outcome) {
	if c.recording && !c.muted {
		s.Outcome, s.Depth = o, c.Depth
		c.rec = append(c.rec, s)
	}
}

// Skip records a gate that does not apply here.
func (c *Check) Skip(s story.Step) { c.record(s, story.NA) }

// Deny records a check that refuses the call and returns its errno; 0 if the occurrence is forgiven.
func (c *Check) Deny(s story.Step) story.Errno {
	if c.muted {
		return s.Errno
	}
	s = c.instead(s)
	if len(c.forgiven) > 0 && c.forgives(&s) {
		c.forgave = true
		c.record(s, story.Allow)
		return 0
	}
	return c.Refuse(s)
}

// DenyStart is Deny for what keeps the container from being started: no call is made, so there is no errno.
func (c *Check) DenyStart(s story.Step) bool { return c.end(s, story.Deny) }

// Kill records a check that ends the task; false if the occurrence is forgiven.
func (c *Check) Kill(s story.Step) bool { return c.end(s, story.Kill) }

func (c *Check) end(s story.Step, o story.Outcome) bool {
	if c.Deleted != nil && c.Deleted(s) {
		return false
	}
	if len(c.forgiven) > 0 && c.forgives(&s) {
		c.forgave = true
		c.record(s, story.Allow)
		return false
	}
	c.record(s, o)
	s.Outcome = o
	c.decided, c.denied = s, true
	return true
}

// Refuse is Deny for what cannot be forgiven: where the object is missing there is nothing to go on with.
func (c *Check) Refuse(s story.Step) story.Errno {
	if c.Deleted != nil && c.Deleted(s) {
		return 0
	}
	if c.muted {
		return s.Errno
	}
	s = c.instead(s)
	c.record(s, story.Deny)
	s.Outcome, s.Depth = story.Deny, c.Depth
	c.decided, c.denied = s, true
	return s.Errno
}

// Withhold says that a security module refuses a capability that the task has: the check that fails for want of it is the module's.
func (c *Check) Withhold(s story.Step) { c.withheld = s }

// instead returns the module's step in place of one that refuses for want of a capability.
func (c *Check) instead(s story.Step) story.Step {
	if c.withheld.Code == 0 {
		return s
	}
	m := c.withheld
	m.Errno, m.Op, m.Obj = s.Errno, s.Op, s.Obj
	c.withheld.Code = 0
	return m
}

// Logs reports whether records are kept; those of checks on behalf of others are, too.
func (c *Check) Logs() bool { return c.recording }

// Logged keeps a record that SELinux writes.
func (c *Check) Logged(a AVC) { c.avcs = append(c.avcs, a) }

// AVCs returns the records that SELinux writes, in their order; it is good until the next Reset.
func (c *Check) AVCs() []AVC { return c.avcs }

// Unknown records a check whose facts are missing. The call goes on as if it passed, and s.Errno, if there is one, joins the
// endings that are possible.
func (c *Check) Unknown(s story.Step) {
	if c.muted {
		c.mutedMiss = true
		return
	}
	if s.Errno != 0 {
		c.unsure.Add(s.Errno)
	}
	c.record(s, story.Unknown)
}

// MayEnd adds one more ending to those that are possible, for an unknown check that has several.
func (c *Check) MayEnd(e story.Errno) {
	if !c.muted {
		c.unsure.Add(e)
	}
}

// Blocks says that the call waits.
func (c *Check) Blocks() { c.blocks = true }

// MayBlock says that the call waits in one of the branches that are possible.
func (c *Check) MayBlock() { c.maybe = true }

// MayNotStart says that in one of the branches that are possible the container is never started.
func (c *Check) MayNotStart() { c.noStart = true }

// Effect adds what the call changes when it succeeds.
func (c *Check) Effect(e story.Effect) {
	if c.recording {
		c.effects = append(c.effects, e)
	}
}

// Effects returns what the call changes.
func (c *Check) Effects() []story.Effect { return c.effects }

// Forgave reports whether a forgiven refusal was met, or what it has looked at.
func (c *Check) Forgave() bool { return c.forgave }

// Decided returns the step that refused the call.
func (c *Check) Decided() (story.Step, bool) { return c.decided, c.denied }

// End is what a judgement came to.
type End struct {
	Verdict  story.Verdict
	Errno    story.Errno
	Sure     bool     // Errno is the only one that is possible
	Possible ErrnoSet // every ending, 0 being success; empty where nothing is missing
}

// End turns the errno that the route returned into a verdict: denied only if every branch denies.
func (c *Check) End(e story.Errno) End {
	end := End{Errno: e, Sure: true, Verdict: story.Denied}
	switch {
	case e == 0 && c.blocks:
		end.Verdict = story.Blocks
	case e == 0:
		end.Verdict = story.Allowed
	}
	if c.unsure == (ErrnoSet{}) && !c.maybe && !c.noStart {
		return end
	}
	end.Possible = c.unsure
	end.Possible.Add(e)
	if e == 0 || c.maybe { // what waits, or is killed, is not denied
		end.Verdict, end.Sure = story.Undetermined, false
		return end
	}
	end.Sure = end.Possible.Len() == 1 && !c.noStart
	if end.Sure {
		end.Possible = ErrnoSet{}
	}
	return end
}
