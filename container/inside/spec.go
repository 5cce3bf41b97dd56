// Package inside is what runs in a container before its program: the first process, which makes the mounts, becomes the task
// and then performs calls or executes a command. It imports little, because every container pays for its start.
package inside

import (
	"time"

	"syscallstory/probe"
)

// Spec says what the first process has to make. It comes from whoever launches the container.
type Spec struct {
	Dir      string // an empty directory of the host on which the container's filesystems are built, in a mount namespace of its own
	Hostname string
	Trees    []Tree
	Lower    []string // layers of the root, top first: a path of the host, or a tree's number behind a #
	Upper    Node     // the root of the upper layer
	ReadOnly bool     // the root is remounted read-only
	Mounts   []Mount
	Cwd      string
	FDs      []FD
	Task     probe.Task
	Calls    []probe.Call
	Command  []string // instead of calls
	Env      []string
	Label    string // of SELinux
	Context  string // the label of the root's files

	// With a user namespace of its own the container is made in two steps: the filesystems as whoever launches it, the rest
	// by the namespace's own root.
	UIDs, GIDs []IDs
	LowerIDs   bool // the lower layers are mounted with the namespace's map
}

// IDs is a line of an id map.
type IDs struct{ Inside, Outside, Count int }

// Tree is a filesystem of its own (a tmpfs), with all its files.
type Tree struct {
	Name  string
	Nodes []Node // the root first, each directory before what is in it
}

// Node is a file.
type Node struct {
	Path         string // below the tree's root; empty for the root itself
	Mode         uint32 // with its type, as st_mode
	UID, GID     uint32
	Size         int64
	Link         string
	Major, Minor uint32
	ACL          []byte // system.posix_acl_access
	Caps         []byte // security.capability
	Context      string // security.selinux
	Flags        uint32 // FS_IMMUTABLE_FL, FS_APPEND_FL
}

// Mount is a mount of the container.
type Mount struct {
	Target   string // in the container
	Type     string // bind, self (a bind of the target itself), or a filesystem's type
	Tree     int    // bind: the tree, -1 for the host's own files
	Source   string // bind: path below the tree's root or in the host
	Flags    uintptr
	Data     string
	Optional bool // it is left out where the target does not exist
	IDMapped bool // bind: with the user namespace's map
	MayFail  bool // it is left out where the kernel refuses it
}

// FD is a descriptor that the task finds open.
type FD struct {
	N     int
	Path  string
	Flags int
}

// Effect is a file that is there after the calls and was not before, or has changed its size.
type Effect struct {
	Tree int // -1: the upper layer
	Path string
	Kind string // created, removed, resized
	Mode uint32
	Size int64
}

// Report is what the first process says at its end.
type Report struct {
	Error   string `json:",omitempty"`
	Step    string `json:",omitempty"` // what it was doing
	Results []probe.Result
	Effects []Effect
	Took    time.Duration
}
