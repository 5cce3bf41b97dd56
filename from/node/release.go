package node

import (
	"fmt"

	"golang.org/x/sys/unix"

	"syscallstory/kernel"
)

// Running is the release of the kernel that runs.
func Running() (kernel.Release, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return kernel.Release{}, fmt.Errorf("uname: %w", err)
	}
	r, err := kernel.ParseRelease(unix.ByteSliceToString(uts.Release[:]))
	return r.Built(unix.ByteSliceToString(uts.Version[:])), err
}

// Release is that of the node's kernel.
func (n *Node) Release() (kernel.Release, error) {
	r, err := kernel.ParseRelease(n.Kernel.Release)
	return r.Built(n.Kernel.Version), err
}
