package selinux

import (
	"fmt"
	"strings"
)

// maxContext is the longest context that the kernel reads (SELinux's attributes are at most a page).
const maxContext = 4096

// Context is a security context as people write it. The zero value is no context; contexts compare with ==.
type Context struct {
	User, Role, Type string
	Range            Range // its zero value where none is written
}

// A ParseError says what is wrong with a context.
type ParseError struct{ Text, Reason string }

func (e *ParseError) Error() string { return fmt.Sprintf("context %q: %s", e.Text, e.Reason) }

// ParseContext reads user:role:type and a range in the custom of all published policies, s for sensitivities and c for
// categories. Policy.Label reads the names of any policy.
func ParseContext(text string) (Context, error) {
	c, rng, err := split(text)
	if err != nil || rng == nil {
		return c, err
	}
	if c.Range, err = ParseRange(*rng); err != nil {
		return Context{}, &ParseError{clip(text), err.Error()}
	}
	return c, nil
}

// MustParseContext is ParseContext for texts of a program; it panics on an error.
func MustParseContext(text string) Context {
	c, err := ParseContext(text)
	if err != nil {
		panic(err)
	}
	return c
}

// split takes a context apart; the range is nil where there is none.
func split(text string) (Context, *string, error) {
	bad := func(reason string) (Context, *string, error) {
		return Context{}, nil, &ParseError{clip(text), reason}
	}
	if len(text) > maxContext {
		return bad(fmt.Sprintf("it is longer than %d bytes", maxContext))
	}
	parts := strings.SplitN(text, ":", 4)
	if len(parts) < 3 {
		return bad("it is written user:role:type or user:role:type:range")
	}
	for i, p := range parts[:3] {
		if p == "" || strings.ContainsAny(p, " \t\r\n\x00") {
			return bad(fmt.Sprintf("its %s is %q", [...]string{"user", "role", "type"}[i], p))
		}
	}
	c := Context{User: parts[0], Role: parts[1], Type: parts[2]}
	if len(parts) == 3 {
		return c, nil, nil
	}
	return c, &parts[3], nil
}

// clip keeps what an error quotes short.
func clip(text string) string {
	if len(text) > 120 {
		return text[:120] + "…"
	}
	return text
}

// IsValid tells a context from the zero value.
func (c Context) IsValid() bool { return c.Type != "" }

// String prints the context; ParseContext reads it back.
func (c Context) String() string {
	b, _ := c.AppendText(nil)
	return string(b)
}

// AppendText appends what String returns.
func (c Context) AppendText(b []byte) ([]byte, error) {
	if !c.IsValid() {
		return b, nil
	}
	b = append(b, c.User...)
	b = append(append(b, ':'), c.Role...)
	b = append(append(b, ':'), c.Type...)
	if c.Range.IsValid() {
		b = append(append(b, ':'), c.Range.String()...)
	}
	return b, nil
}

// MarshalText is AppendText for encoders.
func (c Context) MarshalText() ([]byte, error) { return c.AppendText(nil) }

// UnmarshalText is ParseContext for decoders; no text is the zero value.
func (c *Context) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*c = Context{}
		return nil
	}
	*c, err = ParseContext(string(text))
	return err
}
