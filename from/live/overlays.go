//go:build linux

package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// OverlayMount is an overlay that a process sees.
type OverlayMount struct {
	Point     string   // where it is mounted, from the process's root
	Upper     string   // empty: none
	Lower     []string // from the top
	Data      []string // layers of data only
	UserXattr bool
	NoFollow  bool
	Metacopy  bool
	NFSExport bool
	Options   string // as the kernel prints them
}

// Overlays lists the overlays in a process's mount namespace, the topmost of a mount point last.
func Overlays(pid int) ([]OverlayMount, error) {
	if err := exists(pid); err != nil {
		return nil, err
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return nil, &ReadError{pid, "read its mounts", errors.Unwrap(err), "run as root"}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMountinfo))
	if err != nil {
		return nil, &ReadError{pid, "read its mounts", err, "run as root"}
	}
	lines, err := parseMountinfo(text)
	if err != nil {
		return nil, err
	}
	var all []OverlayMount
	for i := range lines {
		m := &lines[i]
		if m.fstype != "overlay" || m.root != "/" {
			continue
		}
		o := OverlayMount{Point: m.point, Options: unescape(m.super)}
		o.Upper, o.Lower, o.Data = layerPaths(m)
		said := func(option string) string {
			for opt := range strings.SplitSeq(m.super, ",") {
				if k, v, ok := strings.Cut(opt, "="); k == option {
					if !ok {
						return "on"
					}
					return v
				}
			}
			if text, err := os.ReadFile("/sys/module/overlay/parameters/" + option); err == nil && strings.TrimSpace(string(text)) == "Y" {
				return "on"
			}
			return ""
		}
		o.UserXattr, o.Metacopy = said("userxattr") == "on", said("metacopy") == "on"
		o.NFSExport = said("nfs_export") == "on"
		o.NoFollow = o.UserXattr || said("redirect_dir") == "nofollow"
		all = append(all, o)
	}
	return all, nil
}
