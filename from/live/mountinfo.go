//go:build linux

package live

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"syscallstory/world"
)

// maxMountinfo bounds what is read of a mount namespace: sysctl fs.mount-max allows 100,000 mounts.
const maxMountinfo = 256 << 20

// mountLine is one line of /proc/PID/mountinfo. Strings are the bytes that the kernel has, whatever their encoding.
type mountLine struct {
	id, parent  int
	dev         device
	root, point string
	flags       world.MountFlags
	idmapped    bool
	group       uint32 // shared:N
	master      uint32 // master:N
	unbindable  bool
	atime       world.Atime
	fstype      string
	source      string
	super       string // options of the superblock, still escaped
	line        int
}

// deletedRoot ends the root of a mount that was removed. No name holds it.
const deletedRoot = "//deleted"

// device is the number of a superblock.
type device struct{ major, minor uint32 }

// parseMountinfo reads a mount table.
func parseMountinfo(text []byte) ([]mountLine, error) {
	all := make([]mountLine, 0, bytes.Count(text, []byte{'\n'}))
	n := 0
	for line := range bytes.Lines(text) {
		n++
		m, err := parseMountLine(string(bytes.TrimSuffix(line, []byte{'\n'})))
		if err != nil {
			return nil, fmt.Errorf("mountinfo, line %d: %w", n, err)
		}
		m.line = n
		all = append(all, m)
	}
	return all, nil
}

// parseMountLine reads one line: see proc_pid_mountinfo(5).
func parseMountLine(line string) (m mountLine, err error) {
	var head [6]string
	rest := line
	for i := range head {
		var ok bool
		if head[i], rest, ok = strings.Cut(rest, " "); !ok {
			return m, fmt.Errorf("%.200q has too few fields", line)
		}
	}
	if m.id, err = strconv.Atoi(head[0]); err != nil {
		return m, err
	}
	if m.parent, err = strconv.Atoi(head[1]); err != nil {
		return m, err
	}
	major, minor, _ := strings.Cut(head[2], ":")
	a, err := strconv.ParseUint(major, 10, 32)
	if err != nil {
		return m, err
	}
	b, err := strconv.ParseUint(minor, 10, 32)
	if err != nil {
		return m, err
	}
	m.dev = device{uint32(a), uint32(b)}
	m.root, m.point = unescape(head[3]), unescape(head[4])
	m.atime = world.AtimeKnown
	for opt := range strings.SplitSeq(head[5], ",") {
		switch opt {
		case "relatime":
			m.atime |= world.AtimeRelative
		case "noatime":
			m.atime |= world.AtimeNever
		case "nodiratime":
			m.atime |= world.AtimeNoDir
		}
		m.flags |= world.ParseMountFlag(opt)
		m.idmapped = m.idmapped || opt == "idmapped"
	}
	for {
		var field string
		var more bool
		field, rest, more = strings.Cut(rest, " ")
		if field == "-" {
			break
		}
		if !more {
			return m, fmt.Errorf("%.200q has no separator", line)
		}
		key, val, _ := strings.Cut(field, ":")
		switch key {
		case "shared", "master":
			n, err := strconv.ParseUint(val, 10, 32)
			if err != nil || n == 0 {
				return m, fmt.Errorf("%.200q: %q is no peer group", line, field)
			}
			if key == "shared" {
				m.group = uint32(n)
			} else {
				m.master = uint32(n)
			}
		case "unbindable":
			m.unbindable = true
		}
	}
	var ok bool
	if m.fstype, rest, ok = strings.Cut(rest, " "); !ok {
		return m, fmt.Errorf("%.200q has no source", line)
	}
	m.source, m.super, _ = strings.Cut(rest, " ")
	m.fstype, m.source = unescape(m.fstype), unescape(m.source)
	return m, nil
}

// unescape undoes mangle_path: three octal digits stand for blanks, newlines, backslashes and the like.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// superOption returns the value of an option of the superblock.
func (m *mountLine) superOption(name string) (string, bool) {
	for opt := range strings.SplitSeq(m.super, ",") {
		if opt == name {
			return "", true
		}
		if v, ok := strings.CutPrefix(opt, name+"="); ok {
			return unescape(v), true
		}
	}
	return "", false
}

// readOnlySuper reports whether the superblock is read-only.
func (m *mountLine) readOnlySuper() bool {
	first, _, _ := strings.Cut(m.super, ",")
	return first == "ro"
}
