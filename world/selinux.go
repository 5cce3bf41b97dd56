package world

import "syscallstory/story"

// SELinux is what is known of the node's policy. Where SELinux is active and a World has none, what it answers is unknown.
//
// The contexts that it is asked about stand with what they belong to:
//   - the task's own is its Label of module selinux, if that has all parts that the policy wants; what its next objects get,
//     Task.Contexts
//   - a file's is Inode.Context, known with KnownContext: what getxattr(security.selinux) reads, "" where there is no attribute
//   - a filesystem's is SB.Contexts: the options that it was mounted with
//
// An input fills in what it knows and leaves the rest alone: the zero value of each is unknown.
type SELinux struct {
	Policy    Fact[PolicyFile]
	Engine    any        // the policy, read by package selinux; nil: only its name is known
	Enforcing Fact[bool] // else denials are logged only
	Packed    []byte     // of a snapshot: the policy's file, by gzip
}

// PolicyFile names a binary policy.
type PolicyFile struct {
	Name   string
	SHA256 string
}

// Contexts are what a task has asked for in /proc/self/attr; "" is nothing.
type Contexts struct{ Exec, FSCreate, SockCreate, KeyCreate Fact[string] }

// MountContexts are the options of a mount that set contexts; "" is an option that was not given.
type MountContexts struct{ Context, FSContext, DefContext, RootContext string }

// LabelOf returns what the input gives the task as a security module's label.
func (t *Task) LabelOf(module string) (string, story.Origin) {
	for i := range t.Labels {
		if l := &t.Labels[i]; l.Module == module {
			return l.Value, l.At
		}
	}
	return "", 0
}
