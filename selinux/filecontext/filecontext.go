// Package filecontext answers which label the file_contexts of a policy give to a path, as libselinux does.
//
// It follows label_file.c of libselinux 3.4, which Debian 12 has: the entries of file_contexts, then of .homedirs, then of .local;
// those without special characters behind the others; the last one that matches counts. Paths are first replaced by .subs,
// then by .subs_dist, where in each file a later line comes first. No policy is needed, and none is asked whether a label is valid.
package filecontext

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// Limits of what is read, and of what is kept of it.
const (
	MaxFiles   = 16 << 20 // bytes of a set's files; those of published policies have half a MiB
	maxEntries = 1 << 17
	maxLine    = 1 << 16
	maxExpr    = 4096
	MaxPath    = 1 << 16
	maxKept    = 48 << 20 // bytes of compiled expressions: one that finds no room is compiled whenever it is asked
	maxTried   = 96 << 20 // bytes of the expressions, compiled, that are tried for one path
)

// Mode is a kind of file, 0 where it is not known: then entries of every kind match.
type Mode byte

// Kinds of files, by the letter that file_contexts uses.
const (
	AnyMode   Mode = 0
	File      Mode = '-'
	Directory Mode = 'd'
	Link      Mode = 'l'
	Pipe      Mode = 'p'
	Socket    Mode = 's'
	Block     Mode = 'b'
	Char      Mode = 'c'
)

var modeNames = map[Mode]string{AnyMode: "any", File: "file", Directory: "dir", Link: "link", Pipe: "pipe", Socket: "socket", Block: "block", Char: "char"}

func (m Mode) String() string { return modeNames[m] }

// ParseMode reads the name of a kind: file, dir, link, pipe, socket, block, char, any.
func ParseMode(name string) (Mode, error) {
	for m, n := range modeNames {
		if n == name {
			return m, nil
		}
	}
	return 0, fmt.Errorf("%q is no kind of file: file, dir, link, pipe, socket, block, char, any", name)
}

// None is the context of entries that leave a file's label as it is.
const None = "<<none>>"

// Entry is a line of a file.
type Entry struct {
	File    string
	Line    int
	Expr    string // the regular expression, as it is written
	Mode    Mode
	Context string

	place   int    // among all, as they are tried: the highest first
	stem    string // the first component, where it has no special character
	rest    string // the expression behind it
	special bool   // the expression has special characters
	text    string // without special characters: what it matches, behind the stem
	prefix  string // of others: what every match begins with, behind the stem

	kept atomic.Pointer[compiled]
}

// compiled is an expression that was compiled, or why it cannot be.
type compiled struct {
	match matcher
	size  int64
	err   error
}

// At is file:line.
func (e *Entry) At() string { return fmt.Sprintf("%s:%d", e.File, e.Line) }

// Set is the entries and substitutions of a policy. It does not change, and any number of goroutines may ask it.
type Set struct {
	entries []*Entry            // as they are tried, from the last to the first
	byStem  map[string][]*Entry // the same, by stem
	subs    []sub
	dist    []sub
	room    atomic.Int64 // left of maxKept
}

// sub is a line of .subs or .subs_dist.
type sub struct{ from, to string }

// Source is a file and its text.
type Source struct {
	Name string
	Data []byte
}

// Sources are the files of a set; all but Main may be missing.
type Sources struct{ Main, Homedirs, Local, Subs, SubsDist Source }

// Load reads a file such as /etc/selinux/default/contexts/files/file_contexts and the ones beside it.
func Load(path string) (*Set, error) {
	var s Sources
	var size int64
	for _, f := range []struct {
		to     *Source
		suffix string
	}{{&s.Main, ""}, {&s.Homedirs, ".homedirs"}, {&s.Local, ".local"}, {&s.Subs, ".subs"}, {&s.SubsDist, ".subs_dist"}} {
		name := path + f.suffix
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) && f.suffix != "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no file", name)
		}
		data, err := readAtMost(name, MaxFiles-size)
		if err != nil {
			return nil, err
		}
		size += int64(len(data))
		*f.to = Source{name, data}
	}
	return Parse(s)
}

// readAtMost reads a file that may grow meanwhile.
func readAtMost(name string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, tooLarge(name)
	}
	return data, err
}

func tooLarge(name string) error {
	return fmt.Errorf("%s: the files of the set have more than %d MiB", name, MaxFiles>>20)
}

// Parse reads a set's files. A line that libselinux would not take is an error with its place.
func Parse(s Sources) (*Set, error) {
	set := &Set{}
	set.room.Store(maxKept)
	size := 0
	for _, src := range []Source{s.Main, s.Homedirs, s.Local, s.Subs, s.SubsDist} {
		if size += len(src.Data); size > MaxFiles {
			return nil, tooLarge(src.Name)
		}
	}
	var plain, special []*Entry
	for _, src := range []Source{s.Main, s.Homedirs, s.Local} {
		n := 0
		for line := range strings.SplitSeq(string(src.Data), "\n") {
			n++
			e, err := parseEntry(src.Name, n, line)
			switch {
			case err != nil:
				return nil, err
			case e == nil:
			case e.special:
				special = append(special, e)
			default:
				plain = append(plain, e)
			}
			if len(plain)+len(special) > maxEntries {
				return nil, fmt.Errorf("%s:%d: there are more than %d entries", src.Name, n, maxEntries)
			}
		}
	}
	set.entries = append(special, plain...) // sort_specs
	set.byStem = map[string][]*Entry{}
	for i, e := range set.entries {
		e.place = i
		set.byStem[e.stem] = append(set.byStem[e.stem], e)
	}
	var err error
	if set.subs, err = parseSubs(s.Subs); err != nil {
		return nil, err
	}
	set.dist, err = parseSubs(s.SubsDist)
	return set, err
}

// parseEntry reads a line (process_line): an expression, a kind of file or none, a context; nil for none.
func parseEntry(file string, n int, line string) (*Entry, error) {
	if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
		return nil, nil
	}
	bad := func(format string, args ...any) (*Entry, error) {
		return nil, fmt.Errorf("%s:%d: %s", file, n, fmt.Sprintf(format, args...))
	}
	if len(line) > maxLine {
		return bad("it is longer than %d bytes", maxLine)
	}
	fields := strings.Fields(line)
	e := &Entry{File: file, Line: n, Expr: fields[0]}
	switch len(fields) {
	case 1:
		return bad("it has no context")
	case 2:
		e.Context = fields[1]
	default:
		kind := fields[1]
		if len(kind) != 2 || kind[0] != '-' || modeNames[Mode(kind[1])] == "" || kind[1] == 0 {
			return bad("%q is no kind of file", kind)
		}
		e.Mode, e.Context = Mode(kind[1]), fields[2]
	}
	for i := range len(line) {
		if line[i] >= 0x80 {
			return bad("it has a character that is not ASCII")
		}
	}
	if len(e.Expr) > maxExpr {
		return bad("its expression is longer than %d bytes", maxExpr)
	}
	e.split()
	return e, nil
}

const specialChars = ".^$?*+|[({"

// split divides an expression as libselinux does to save time (get_stem_from_spec, spec_hasMetaChars): what stands before the
// second slash must be equal. It is not the same as matching the whole, as /usr/? does not match /usr.
func (e *Entry) split() {
	e.rest = e.Expr
	if i := strings.IndexByte(e.Expr[1:], '/'); i >= 0 && !strings.ContainsAny(e.Expr[:i+1], specialChars) {
		e.stem, e.rest = e.Expr[:i+1], e.Expr[i+1:]
	}
	for i := 0; i < len(e.Expr) && !e.special; i++ {
		if e.Expr[i] == '\\' {
			i++
		} else {
			e.special = strings.IndexByte(specialChars, e.Expr[i]) >= 0
		}
	}
	if !e.special {
		e.text, e.special = literal(e.rest)
		if e.special { // an escape that means more than its character; its place stays
			e.special, e.text = false, ""
		}
	}
	e.prefix = literalPrefix(e.rest)
}

// literal takes the backslashes off a text; it is false where one is in front of a letter or digit.
func literal(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i++; i == len(s) || isWord(s[i]) {
				return "", true
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), false
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
}

// literalPrefix returns the characters that a match has to begin with.
func literalPrefix(s string) string {
	if strings.IndexByte(s, '|') >= 0 {
		return ""
	}
	n := 0
	for n < len(s) && strings.IndexByte(specialChars+`\)`, s[n]) < 0 {
		n++
	}
	if n > 0 && n < len(s) && strings.IndexByte("?*{", s[n]) >= 0 {
		n-- // the last one is repeated, perhaps no times
	}
	return s[:n]
}

// parseSubs reads replacements (selabel_subs_init): two words a line, a later line is tried first.
func parseSubs(src Source) ([]sub, error) {
	var all []sub
	for line := range strings.SplitSeq(string(src.Data), "\n") {
		if len(line) > maxLine {
			return nil, fmt.Errorf("%s has a line of more than %d bytes", src.Name, maxLine)
		}
		if f := strings.Fields(line); len(f) >= 2 {
			all = append(all, sub{f[0], f[1]})
		}
		if len(all) > maxEntries {
			return nil, fmt.Errorf("%s has more than %d lines", src.Name, maxEntries)
		}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all, nil
}
