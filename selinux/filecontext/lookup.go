package filecontext

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoMatch says that no entry is about a path: its label is not changed.
var ErrNoMatch = errors.New("no entry of file_contexts matches")

// An UnknownError says that it is not known whether an entry matches, and so what the label is.
type UnknownError struct {
	Entry  *Entry
	Reason string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%s: it is not known whether %s matches: %s", e.Entry.At(), e.Entry.Expr, e.Reason)
}

// Match is the entry that counts for a path.
type Match struct {
	*Entry
	Path string // what was looked up, behind doubled slashes and substitutions
}

// Lookup returns the entry that counts for a path (selabel_lookup). Its context may be None. The error is ErrNoMatch where
// there is none, an *UnknownError where an expression that cannot be followed comes before any match.
func (s *Set) Lookup(path string, mode Mode) (Match, error) {
	if len(path) > MaxPath {
		return Match{}, fmt.Errorf("the path is longer than %d bytes", MaxPath)
	}
	key := s.substitute(collapse(path))
	stem, rest := "", key
	if i := strings.IndexByte(key[min(1, len(key)):], '/'); i >= 0 {
		stem, rest = key[:i+1], key[i+1:]
	}
	left := int64(maxTried)
	// Entries without a stem, and with the path's own; of both the one that is tried first.
	free, own := s.byStem[""], s.byStem[stem]
	if stem == "" {
		own = nil
	}
	for len(free)+len(own) > 0 {
		from, text := &free, key
		if len(free) == 0 || len(own) > 0 && own[len(own)-1].place > free[len(free)-1].place {
			from, text = &own, rest
		}
		e := (*from)[len(*from)-1]
		*from = (*from)[:len(*from)-1]
		if mode != AnyMode && e.Mode != AnyMode && e.Mode != mode {
			continue
		}
		ok, err := s.matches(e, text, &left)
		if err != nil {
			return Match{}, err
		}
		if ok {
			return Match{e, key}, nil
		}
	}
	return Match{}, ErrNoMatch
}

// matches says whether an entry's expression, behind its stem, matches. left is what may still be tried for the path.
func (s *Set) matches(e *Entry, text string, left *int64) (bool, error) {
	if !strings.HasPrefix(text, e.prefix) {
		return false, nil
	}
	if !e.special && e.text != "" { // $ is before a newline at the end, too
		return text == e.text || text == e.text+"\n", nil
	}
	c := s.compiled(e)
	if *left -= c.size; *left < 0 {
		return false, &UnknownError{e, "the expressions that are tried before it take too long"}
	}
	if c.err != nil {
		return false, &UnknownError{e, c.err.Error()}
	}
	ok, err := c.match.match(text)
	if err != nil {
		return false, &UnknownError{e, err.Error()}
	}
	return ok, nil
}

// compiled compiles an entry's expression, and keeps it while there is room.
func (s *Set) compiled(e *Entry) *compiled {
	if c := e.kept.Load(); c != nil {
		return c
	}
	m, size, err := compile("^" + e.rest + "$")
	c := &compiled{m, size, err}
	if s.room.Load() > size {
		s.room.Add(-size)
		e.kept.Store(c)
	}
	return c
}

// collapse makes one slash of several.
func collapse(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// substitute applies .subs, and .subs_dist to what comes out (selabel_sub_key).
func (s *Set) substitute(path string) string {
	return replace(s.dist, replace(s.subs, path))
}

func replace(subs []sub, path string) string {
	for _, x := range subs {
		rest, ok := strings.CutPrefix(path, x.from)
		switch {
		case !ok || rest != "" && rest[0] != '/':
		case rest != "" && x.to == "/":
			return rest
		default:
			return x.to + rest
		}
	}
	return path
}

// Entries returns the entries in the order in which they are tried.
func (s *Set) Entries() []*Entry {
	all := make([]*Entry, 0, len(s.entries))
	for i := len(s.entries) - 1; i >= 0; i-- {
		all = append(all, s.entries[i])
	}
	return all
}
