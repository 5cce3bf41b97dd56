package story

import (
	"fmt"
	"strconv"
	"strings"
)

// Code names one kind of check; the registry below holds its words. A code is never reused.
type Code uint16

// FactKind says how the number in Step.Val is to be read.
type FactKind uint8

const (
	KindNone   FactKind = iota
	KindMode            // an inode's type and permission bits; see ModeAsked
	KindID              // a uid or gid of the initial user namespace
	KindIDs             // two ids, uid<<32 | gid
	KindCap             // a capability's number
	KindCapSet          // a capability set
	KindInt             // a plain number
	KindBytes           // a size
	KindString          // an index into the recorder's strings
	KindMask            // MAY_READ, MAY_WRITE, MAY_EXEC…: r, w, x
	KindMount           // per-mount flags
	KindSB              // superblock flags
	KindNS              // a user namespace
	KindAction          // a seccomp action with its data
	KindHex             // a bit set
	KindDisk            // two ids as a filesystem keeps them, uid<<32 | gid
)

// FactInfo names one of a check's three facts.
type FactInfo struct {
	Name string
	Kind FactKind
}

// Info is what the registry knows of a Code. In the sentences {obj} is the object, {op} the operation, {0} {1} {2} the
// facts and {cred} the credential.
type Info struct {
	ID       string // "MNT001"
	Gate     Gate
	Title    string // what is checked, without an outcome
	Denies   string // the sentence when it refuses
	Allows   string // the few words when it lets pass
	Refuses  string // the few words when it refuses; the title where there are none
	Unknowns string // the sentence when the facts are missing
	Note     string // why this surprises people; printed once below the steps
	Facts    []FactInfo
	Function string // kernel function
	Hook     string // LSM hook, where there is one
	Errno    string // what it answers
	Releases string // where it holds or has changed
	Man      string // man page and section
	Long     string // the explanation of `story explain CODE`
	Repro    string // shell commands that show it
}

// define adds a code with its words. A family of checks that has a file of its own (registry_….go) makes its codes with it:
//
//	var MountBusy = define(Info{ID: "MNT175", …})
func define(i Info) Code {
	registry = append(registry, i)
	return Code(len(registry) - 1)
}

// String returns the code's name, "MNT001".
func (c Code) String() string {
	if i := c.Info(); i != nil {
		return i.ID
	}
	return fmt.Sprintf("CODE%d", uint16(c))
}

// Info returns the registry's entry, nil for a code that does not exist.
func (c Code) Info() *Info {
	if int(c) < len(registry) && registry[c].ID != "" {
		return &registry[c]
	}
	return nil
}

// Gate returns the gate that the check belongs to.
func (c Code) Gate() Gate {
	if i := c.Info(); i != nil {
		return i.Gate
	}
	return GateNone
}

// ParseCode returns the code of a name such as "MNT001", in any case.
func ParseCode(s string) (Code, bool) {
	for i := range registry {
		if registry[i].ID != "" && strings.EqualFold(registry[i].ID, s) {
			return Code(i), true
		}
	}
	return 0, false
}

// Codes returns every code of the registry in ascending order of its name's group and number.
func Codes() []Code {
	var all []Code
	for i := range registry {
		if registry[i].ID != "" {
			all = append(all, Code(i))
		}
	}
	return all
}

// Explain returns the long text of a code: what `story explain MNT001` prints.
func (c Code) Explain() string {
	i := c.Info()
	if i == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n%s\n\n", i.ID, i.Title, wrap(i.Long, 90))
	row := func(name, val string) {
		if val != "" {
			fmt.Fprintf(&b, "%-17s%s\n", name, val)
		}
	}
	row("gate", i.Gate.String())
	row("answers", i.Errno)
	row("kernel function", i.Function)
	row("LSM hook", i.Hook)
	row("releases", i.Releases)
	row("man page", i.Man)
	if i.Note != "" {
		fmt.Fprintf(&b, "\nnote: %s\n", wrap(i.Note, 90))
	}
	if i.Repro != "" {
		b.WriteString("\nreproduce it:\n")
		for _, l := range strings.Split(i.Repro, "\n") {
			b.WriteString("    " + l + "\n")
		}
	}
	return b.String()
}

// wrap breaks a text at width columns.
func wrap(s string, width int) string {
	var b strings.Builder
	for pi, para := range strings.Split(s, "\n") {
		if pi > 0 {
			b.WriteByte('\n')
		}
		n := 0
		for wi, w := range strings.Fields(para) {
			if wi > 0 && n+1+len(w) > width {
				b.WriteByte('\n')
				n = 0
			} else if wi > 0 {
				b.WriteByte(' ')
				n++
			}
			b.WriteString(w)
			n += len(w)
		}
	}
	return b.String()
}

// ModeAsked puts what was asked of a mode (r 4, w 2, x 1) above its bits, as a fact of KindMode may hold it.
func ModeAsked(mode uint64, asked uint8) uint64 { return mode&0xffff | uint64(asked)<<16 }

// AskedOfMode returns what was asked of a mode, 0 where the fact does not say.
func AskedOfMode(v uint64) uint16 { return uint16(v >> 16 & 7) }

// FormatMode prints an inode's mode as stat(1) does for a person: "-0644", "d0755", "l0777".
func FormatMode(v uint64) string {
	const types = "?pc?d?b?-?l?s???"
	t := types[v>>12&15]
	return string(t) + strconv.FormatUint(v&0o7777|0o10000, 8)[1:]
}
