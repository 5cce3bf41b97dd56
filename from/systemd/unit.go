// Package systemd reads unit files, as far as they decide about mounts: whether the processes of a service get a mount namespace
// of their own, and what propagates between it and the host's. It follows systemd.syntax(7) and systemd.exec(5).
package systemd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"syscallstory/story"
)

// Limits on what is read: systemd itself reads lines of up to 1 MiB.
const (
	MaxSize     = 1 << 20
	maxSettings = 10_000
)

// Error is a mistake in a unit file, with its place.
type Error struct {
	File string
	Line int
	Msg  string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// setting is one assignment of the section [Service].
type setting struct {
	key, value string
	at         story.Place
}

// Unit is a service with its drop-ins.
type Unit struct {
	Name     string // containerd.service
	Sources  []story.Source
	settings []setting
	version  int // of systemd; 0: not known
}

// NameOf returns the unit that a file belongs to: containerd.service, for containerd.service.d/10-mounts.conf too.
func NameOf(file string) string {
	if dir, ok := strings.CutSuffix(filepath.Base(filepath.Dir(file)), ".d"); ok && strings.HasSuffix(file, ".conf") {
		return dir
	}
	return filepath.Base(file)
}

// Parse reads the unit file of a service. version is systemd's, 0 where it is not known.
func Parse(file string, text []byte, version int) (*Unit, error) {
	u := &Unit{Name: NameOf(file), version: version}
	if !strings.HasSuffix(u.Name, ".service") {
		return nil, &Error{File: file, Msg: "it is no unit file of a service: NAME.service, or NAME.service.d/NAME.conf, is expected"}
	}
	return u, u.Add(file, text)
}

// Add reads a drop-in, which counts after what was read before.
func (u *Unit) Add(file string, text []byte) error {
	if len(text) > MaxSize {
		return &Error{File: file, Msg: fmt.Sprintf("it has %d bytes, at most %d are read", len(text), MaxSize)}
	}
	if !utf8.Valid(text) || strings.IndexByte(string(text), 0) >= 0 {
		return &Error{File: file, Msg: "it is not text in UTF-8"}
	}
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	u.Sources = append(u.Sources, story.Source{File: file, First: 1, Lines: lines})
	section, begun, first := "", false, 0
	var whole strings.Builder // of a line that goes on
	for i, line := range lines {
		if t := strings.TrimLeft(line, " \t"); t == "" && !begun || strings.HasPrefix(t, "#") || strings.HasPrefix(t, ";") {
			continue
		}
		if !begun {
			first = i + 1
		}
		if head, more := strings.CutSuffix(line, `\`); more && i < len(lines)-1 {
			whole.WriteString(head)
			whole.WriteByte(' ')
			begun = true
			continue
		}
		whole.WriteString(line)
		all := strings.TrimSpace(whole.String())
		whole.Reset()
		begun = false
		if err := u.line(&section, all, story.Place{File: file, Line: first, Col: 1, End: len(strings.TrimRight(lines[first-1], " \t")) + 1}); err != nil {
			return err
		}
	}
	if all := strings.TrimSpace(whole.String()); all != "" { // nothing but comments follows
		if err := u.line(&section, all, story.Place{File: file, Line: first, Col: 1, End: len(lines[first-1]) + 1}); err != nil {
			return err
		}
	}
	return u.check()
}

// line reads a section's head or an assignment.
func (u *Unit) line(section *string, all string, at story.Place) error {
	bad := func(format string, args ...any) error { return &Error{at.File, at.Line, fmt.Sprintf(format, args...)} }
	if all == "" {
		return nil
	}
	if name, ok := strings.CutPrefix(all, "["); ok {
		if *section, ok = strings.CutSuffix(name, "]"); !ok {
			return bad("%.100q is no section", all)
		}
		return nil
	}
	key, value, ok := strings.Cut(all, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	switch {
	case *section == "":
		return bad("an assignment outside of a section, which systemd ignores")
	case !ok || key == "":
		return bad("%.100q is no assignment: KEY=VALUE is expected", all)
	case *section != "Service":
		return nil
	case len(u.settings) == maxSettings:
		return bad("there are more than %d settings", maxSettings)
	}
	u.settings = append(u.settings, setting{key, value, at})
	return nil
}

// last returns the assignment of a key that counts, nil where there is none.
func (u *Unit) last(key string) *setting {
	for i := len(u.settings) - 1; i >= 0; i-- {
		if u.settings[i].key == key {
			return &u.settings[i]
		}
	}
	return nil
}

// listed returns the last entry of a list, which an empty assignment empties.
func (u *Unit) listed(key string) *setting {
	s := u.last(key)
	if s == nil || s.value == "" {
		return nil
	}
	return s
}

var (
	truths = []string{"1", "yes", "y", "true", "t", "on"}
	lies   = []string{"0", "no", "n", "false", "f", "off"}
)

// truth reads a boolean; ok is false for what is none.
func truth(v string) (yes, ok bool) {
	v = strings.ToLower(v)
	return slices.Contains(truths, v), slices.Contains(truths, v) || slices.Contains(lies, v)
}

// check refuses values that systemd would pass over with a warning: a unit with one does not do what its author thinks.
func (u *Unit) check() error {
	for i := range u.settings {
		s := &u.settings[i]
		bad := func(want string) error {
			return &Error{s.at.File, s.at.Line, fmt.Sprintf("%s=%.100s: %s is expected; systemd ignores the line", s.key, s.value, want)}
		}
		if s.value == "" {
			continue
		}
		switch _, ok := truth(s.value); {
		case s.key == "MountFlags" && s.value != "shared" && s.value != "slave" && s.value != "private":
			return bad("shared, slave or private")
		case slices.Contains(switches, s.key) && !ok && !slices.Contains(words[s.key], s.value):
			return bad(strings.Join(append([]string{"a boolean"}, words[s.key]...), " or "))
		}
	}
	return nil
}
