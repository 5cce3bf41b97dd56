package check

import (
	"syscallstory/kernel"
	"syscallstory/world"
)

// Realm says why a capability is asked for in one user namespace and not in another.
type Realm uint8

const (
	RealmInitial    Realm = iota // capable(): the initial one, whoever asks
	RealmOwn                     // the task's own
	RealmInode                   // the task's own, where both ids of the inode must be mapped
	RealmSuperblock              // the one that the filesystem was mounted in
	RealmMountNS                 // the owner of a mount namespace
	RealmNamespace               // the owner of a network, UTS, IPC, PID, cgroup or time namespace
	RealmTarget                  // that of the process that the call is about
	RealmEntered                 // the user namespace that is made or entered
	RealmParent                  // the parent of the namespace whose id map is written
)

var realmNames = [...]string{"initial", "own", "inode-mapped", "superblock", "mount namespace's owner", "namespace's owner", "target", "entered", "parent"}

// String returns the realm as JSON prints it.
func (r Realm) String() string { return realmNames[r] }

// Asked is a question for a capability that a route has come to.
type Asked struct {
	Cap    kernel.Cap
	NS     world.UserNSID
	Realm  Realm
	Kind   world.NSKind  // of the namespace, for RealmNamespace
	Task   bool          // the task is asked; else who opened the file that it writes
	Lost   bool          // which user namespace it is, is not known: NS means nothing
	Silent bool          // no record tells of a refusal (ns_capable_noaudit)
	Answer kernel.Answer // the world's or, where another one is supposed, that
	World  kernel.Answer
	Step   int // how many steps were recorded before: the next one tells what came of it
}

// Suppose gives the questions for a capability in a user namespace another answer than the world's.
type Suppose struct {
	Cap    kernel.Cap
	NS     world.UserNSID
	Lost   bool
	Answer kernel.Answer
}

// Ask keeps a question while a story is told, and returns its answer: the world's, unless another one is supposed.
func (c *Check) Ask(q Asked) kernel.Answer {
	if q.Task && q.Answer == kernel.Yes && c.LSM != nil {
		logged := len(c.avcs)
		q.Answer = c.LSM.Capable(c, q.Cap, q.NS == 0)
		if q.Lost && c.LSM.Capable(c, q.Cap, q.NS != 0) != q.Answer {
			q.Answer = kernel.NotKnown
		}
		if q.Silent {
			c.avcs = c.avcs[:logged]
		}
	}
	q.World = q.Answer
	if q.Task {
		for i := range c.Supposed {
			if s := &c.Supposed[i]; s.Cap == q.Cap && s.Lost == q.Lost && s.NS == q.NS {
				q.Answer, c.forgave = s.Answer, true // a later one replaces an earlier one
			}
		}
	}
	if q.Answer == kernel.Yes {
		c.withheld.Code = 0
	}
	if c.Recording() {
		q.Step = len(c.rec)
		c.asked = append(c.asked, q)
	}
	return q.Answer
}

// Questions returns what was asked in the order of the call; it is good until the next Reset.
func (c *Check) Questions() []Asked { return c.asked }
