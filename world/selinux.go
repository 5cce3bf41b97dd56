package world

import (
	"strings"

	"syscallstory/story"
)

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

// SplitContexts takes the options that set contexts out of a mount's options; values with commas are quoted. twice says that two
// exclude one another, or that one is there twice.
func SplitContexts(options string) (m MountContexts, rest string, twice bool) {
	var others []string
	given := map[string]bool{}
	for options != "" {
		end, quoted := len(options), false
		for i := range len(options) {
			if options[i] == '"' {
				quoted = !quoted
			} else if options[i] == ',' && !quoted {
				end = i
				break
			}
		}
		opt := options[:end]
		options = strings.TrimPrefix(options[end:], ",")
		name, value, has := strings.Cut(opt, "=")
		into := map[string]*string{"context": &m.Context, "fscontext": &m.FSContext, "defcontext": &m.DefContext, "rootcontext": &m.RootContext}[name]
		if !has || into == nil {
			others = append(others, opt)
			continue
		}
		key := name
		if name == "defcontext" { // it excludes context=
			key = "context"
		}
		twice = twice || given[key]
		given[key] = true
		*into = strings.ReplaceAll(value, `"`, "")
	}
	return m, strings.Join(others, ","), twice
}

// LabelOf returns what the input gives the task as a security module's label.
func (t *Task) LabelOf(module string) (string, story.Origin) {
	for i := range t.Labels {
		if l := &t.Labels[i]; l.Module == module {
			return l.Value, l.At
		}
	}
	return "", 0
}
