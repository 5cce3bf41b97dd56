package syscalls

import (
	"fmt"
	"strconv"
	"strings"
)

// String prints the call as strace does.
func (c *Call) String() string {
	var b strings.Builder
	b.WriteString(c.Name)
	b.WriteByte('(')
	for i, t := range c.ArgTexts() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t)
	}
	b.WriteByte(')')
	return b.String()
}

// ArgTexts prints the arguments that were written.
func (c *Call) ArgTexts() []string {
	out := []string{}
	for i := range c.Args {
		if !c.Args[i].Absent {
			out = append(out, c.Args[i].String())
		}
	}
	return out
}

// String prints the argument as strace does.
func (a *Arg) String() string {
	switch a.Kind {
	case FD:
		s := strconv.FormatInt(int64(a.Val), 10)
		if int64(a.Val) == -100 {
			s = "AT_FDCWD"
		}
		if a.FDPath != "" {
			s += "<" + quote(a.FDPath, '>') + ">"
		}
		return s
	case Path, Text, Data:
		if a.Fault {
			return address(a.Val)
		}
		if a.Cut {
			return `"` + quote(a.Str, '"') + `"...`
		}
		return `"` + quote(a.Str, '"') + `"`
	case How:
		if a.Fault {
			return address(a.Val)
		}
		s := "{flags=" + openFlags.text(a.How[0])
		if a.How[1] != 0 {
			s += ", mode=0" + strconv.FormatUint(a.How[1], 8)
		}
		return s + ", resolve=" + resolveFlags.text(a.How[2]) + "}"
	case Out, Pointer, Times:
		if a.Str != "" {
			return a.Str
		}
		return address(a.Val)
	case Mode:
		s := ""
		for _, f := range fileModes.enum {
			if a.Val&0o170000 == f.val {
				s = f.name + "|"
			}
		}
		if s == "" {
			return fmt.Sprintf("0%o", a.Val)
		}
		return fmt.Sprintf("%s0%03o", s, a.Val&^uint64(0o170000))
	case Int:
		if a.Str != "" {
			return a.Str
		}
		return strconv.FormatInt(int64(a.Val), 10)
	}
	if a.Kind == Strings || layouts[a.Kind] != nil || arrays[a.Kind] != 0 {
		return a.compound()
	}
	return kindSets[a.Kind].text(a.Val)
}

// compound prints an array of strings or a structure.
func (a *Arg) compound() string {
	switch l := layouts[a.Kind]; {
	case a.Fault:
		return address(a.Val)
	case l != nil:
		return l.string(a)
	case arrays[a.Kind] != 0:
		return a.numbersText()
	}
	var parts []string
	for _, s := range a.Strs {
		parts = append(parts, `"`+quote(s, '"')+`"`)
	}
	if a.Cut {
		parts = append(parts, "...")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func address(v uint64) string {
	if v == 0 {
		return "NULL"
	}
	return "0x" + strconv.FormatUint(v, 16)
}

// quote escapes a string as strace does: C escapes, octal for what is not printable ASCII.
func quote(s string, end byte) string {
	var b strings.Builder
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == end || ch == '\\':
			b.WriteByte('\\')
			b.WriteByte(ch)
		case ch == '\n':
			b.WriteString(`\n`)
		case ch == '\t':
			b.WriteString(`\t`)
		case ch == '\r':
			b.WriteString(`\r`)
		case ch < ' ' || ch > '~':
			fmt.Fprintf(&b, `\%03o`, ch)
		default:
			b.WriteByte(ch)
		}
	}
	return b.String()
}
