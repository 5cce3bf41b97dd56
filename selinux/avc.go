package selinux

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// Limits of a record that is read. The kernel's have at most 8 KiB and a score of fields.
const (
	maxLine   = 1 << 16
	maxFields = 256
)

// Record is an AVC record of a log: what was asked, and how it was answered.
type Record struct {
	Line           int
	Denied         bool
	Perms          []string
	Source, Target string // contexts, as the record has them
	Class          string
	Permissive     bool // denied, and let pass
	Command        *Extended
	Fields         map[string]string // the others: pid, comm, name, path, dev, ino …
}

// ReadAVC reads the AVC records of a log: auditd's, the kernel's, or ausearch's; other lines count for nothing. A line that
// starts like a record and cannot be read is an error with its number, and the end. Records that are not kept take no memory,
// so that a log may have any size.
func ReadAVC(from io.Reader) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		in := bufio.NewReaderSize(from, maxLine)
		for n := 1; ; n++ {
			line, err := readLine(in)
			if err != nil && err != io.EOF {
				yield(nil, fmt.Errorf("line %d: the log cannot be read: %w", n, err))
				return
			}
			r, bad := ParseAVC(line)
			switch {
			case bad != nil:
				yield(nil, fmt.Errorf("line %d: %w", n, bad))
				return
			case r != nil:
				if r.Line = n; !yield(r, nil) {
					return
				}
			}
			if err == io.EOF {
				return
			}
		}
	}
}

// readLine reads a line without its newline. What is too long for a record is skipped; it is one byte too long then for
// ParseAVC too, which refuses it if it begins like one.
func readLine(in *bufio.Reader) (string, error) {
	b, err := in.ReadSlice('\n')
	line := strings.TrimRight(string(b), "\r\n")
	if err != bufio.ErrBufferFull {
		return line, err
	}
	for err == bufio.ErrBufferFull {
		_, err = in.ReadSlice('\n')
	}
	return line + " ", err
}

// ParseAVC reads a line such as
//
//	type=AVC msg=audit(1.2:3): avc:  denied  { read } for  pid=1 comm="cat" name="x" scontext=… tcontext=… tclass=file permissive=0
//
// It is nil for a line that is no record.
func ParseAVC(line string) (*Record, error) {
	_, text, ok := strings.Cut(line, "avc:")
	if !ok {
		return nil, nil
	}
	text = strings.TrimLeft(text, " ")
	r := &Record{Fields: map[string]string{}}
	switch {
	case strings.HasPrefix(text, "denied"):
		r.Denied = true
	case strings.HasPrefix(text, "granted"):
	default:
		return nil, nil // "received policyload notice" and the like
	}
	if len(line) > maxLine {
		return nil, fmt.Errorf("the record is longer than %d bytes", maxLine)
	}
	_, rest, ok := strings.Cut(text, "{")
	perms, rest, closed := strings.Cut(rest, "}")
	if r.Perms = strings.Fields(perms); !ok || !closed || len(r.Perms) == 0 {
		return nil, fmt.Errorf("the record names no permissions")
	}
	if err := r.fields(rest); err != nil {
		return nil, err
	}
	for _, f := range [][2]string{{"scontext", r.Source}, {"tcontext", r.Target}, {"tclass", r.Class}} {
		if f[1] == "" {
			return nil, fmt.Errorf("the record has no %s", f[0])
		}
	}
	return r, nil
}

// fields reads name=value pairs, where a value may be quoted.
func (r *Record) fields(text string) error {
	for {
		text = strings.TrimLeft(text, " ")
		if text == "" {
			return nil
		}
		word, rest, _ := strings.Cut(text, " ")
		name, value, ok := strings.Cut(word, "=")
		if ok && strings.HasPrefix(value, `"`) {
			var closed bool
			value, rest, closed = strings.Cut(text[len(name)+2:], `"`)
			if !closed {
				return fmt.Errorf("the value of %s is not closed", clip(name))
			}
		}
		text = rest
		if !ok {
			continue // "for", and what follows a program's message
		}
		if err := r.field(name, strings.TrimRight(value, "'")); err != nil {
			return err
		}
	}
}

func (r *Record) field(name, value string) error {
	switch name {
	case "scontext":
		r.Source = value
	case "tcontext":
		r.Target = value
	case "tclass":
		r.Class = value
	case "permissive":
		r.Permissive = value == "1"
	case "ioctlcmd", "nlmsgtype":
		base := 16
		if name == "nlmsgtype" {
			base = 10
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(value, "0x"), base, 16)
		if err != nil {
			return fmt.Errorf("%s is %q", name, clip(value))
		}
		x := Extended(n)
		r.Command = &x
	case "name", "path", "comm", "exe":
		r.Fields[name] = unhex(value)
	default:
		r.Fields[name] = value
	}
	if len(r.Fields) > maxFields {
		return fmt.Errorf("the record has more than %d fields", maxFields)
	}
	return nil
}

// unhex undoes the encoding of names with special characters (audit_log_n_untrustedstring).
func unhex(value string) string {
	if len(value) >= 2 && len(value)%2 == 0 && strings.ToUpper(value) == value {
		if b, err := hex.DecodeString(value); err == nil {
			return string(b)
		}
	}
	return value
}
