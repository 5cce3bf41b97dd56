// Package kernel says what a Linux release does differently from another: releases, named changes, capabilities,
// sysctls. Nothing outside it compares versions: code asks whether a release has a named change.
package kernel

import (
	"fmt"
	"strconv"
	"strings"
)

// Answer is yes, no, or that it is not known.
type Answer uint8

const (
	NotKnown Answer = iota
	No
	Yes
)

// Release is a Linux release, of which the first two numbers count. The zero Release is one that is not known.
type Release struct {
	Major, Minor int
	Text         string // as uname prints it
}

// Known reports whether the release is known at all.
func (r Release) Known() bool { return r.Major != 0 }

// String returns the release as uname prints it, or "unknown".
func (r Release) String() string {
	switch {
	case r.Text != "":
		return r.Text
	case r.Known():
		return fmt.Sprintf("%d.%d", r.Major, r.Minor)
	}
	return "unknown"
}

// ParseRelease reads what uname -r prints: "6.18.44-1-amd64", or just "6.18".
func ParseRelease(s string) (Release, error) {
	major, rest, ok := strings.Cut(s, ".")
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(rest[:end])
	if !ok || err1 != nil || err2 != nil || a < 2 || a > 99 || b > 999 || len(s) > 64 {
		return Release{}, fmt.Errorf("%q is not a kernel release such as 6.18 or 6.1.0-40-amd64", s)
	}
	return Release{Major: a, Minor: b, Text: s}, nil
}

// AtLeast reports whether the release is major.minor or later.
func (r Release) AtLeast(major, minor int) Answer {
	switch {
	case !r.Known():
		return NotKnown
	case r.Major > major || r.Major == major && r.Minor >= minor:
		return Yes
	}
	return No
}

// Change is something that one release did and those before did not.
type Change uint8

const (
	// CreateDirectoryInvalid: open with O_CREAT|O_DIRECTORY is EINVAL (build_open_flags); before, it made a regular file.
	CreateDirectoryInvalid Change = iota
	// OverlayTmpfile: overlayfs implements O_TMPFILE (ovl_tmpfile).
	OverlayTmpfile
	// TmpfsDirectIO: tmpfs accepts O_DIRECT (shmem_file_open sets FMODE_CAN_ODIRECT).
	TmpfsDirectIO
	// OverlayUserNS: overlayfs can be mounted in a user namespace (FS_USERNS_MOUNT).
	OverlayUserNS
	// ResolveCached: openat2 knows RESOLVE_CACHED.
	ResolveCached
	// StatEmptyPath: fstatat and statx take NULL for "" with AT_EMPTY_PATH, and an fd's other flags are not looked at then
	// (getname_maybe_null); 6.11 and 6.12 take NULL for some flags only.
	StatEmptyPath
	// TmpfileMapsIDs: O_TMPFILE asks whether the task's ids have a place in the filesystem (fsuidgid_has_mapping), before the
	// directory's permissions. Seen on 6.18.44; which release brought it is not known here.
	TmpfileMapsIDs
	numChanges
)

// changes gives the upstream release of each change and, where stable releases carry it too, the oldest series that may:
// from there on only the patch level would tell.
var changes = [numChanges]struct{ in, maybe [2]int }{
	CreateDirectoryInvalid: {in: [2]int{6, 4}, maybe: [2]int{5, 10}},
	OverlayTmpfile:         {in: [2]int{6, 1}},
	TmpfsDirectIO:          {in: [2]int{6, 6}},
	OverlayUserNS:          {in: [2]int{5, 11}},
	ResolveCached:          {in: [2]int{5, 12}},
	StatEmptyPath:          {in: [2]int{6, 13}, maybe: [2]int{6, 11}},
	TmpfileMapsIDs:         {in: [2]int{99, 0}, maybe: [2]int{5, 12}},
}

// Has says whether the release has the change. Where stable updates carried a change back, an older series answers
// NotKnown.
func (r Release) Has(c Change) Answer {
	ch := changes[c]
	if a := r.AtLeast(ch.in[0], ch.in[1]); a != No || ch.maybe == [2]int{} {
		return a
	}
	if r.AtLeast(ch.maybe[0], ch.maybe[1]) == Yes {
		return NotKnown
	}
	return No
}
