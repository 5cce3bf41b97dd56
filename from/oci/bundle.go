// Package oci reads OCI bundles: config.json of the runtime specification, 1.0 and newer.
package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"syscallstory/kernel"
	"syscallstory/world"
)

// MaxConfig is the largest config.json that is read, in bytes.
const MaxConfig = 4 << 20

// Bundle is what a config.json says of seccomp. Properties that are not read are passed over, as the specification asks of runtimes.
type Bundle struct {
	File       string
	Version    string       // ociVersion
	Bounding   world.CapSet // process.capabilities.bounding
	NoNewPrivs bool
	Seccomp    []byte // linux.seccomp on the lines and columns of the file, nil where there is none
}

// ParseError is a config.json that cannot be read.
type ParseError struct {
	File      string
	Line, Col int
	Msg       string
}

func (e *ParseError) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg) }

// reader walks the tokens of the file.
type reader struct {
	file string
	text []byte
	dec  *json.Decoder
}

// fail returns an error at an offset of the text.
func (r *reader) fail(at int64, format string, args ...any) error {
	before := r.text[:min(max(at, 0), int64(len(r.text)))]
	line := bytes.Count(before, []byte("\n")) + 1
	return &ParseError{r.file, line, len(before) - bytes.LastIndexByte(before, '\n'), fmt.Sprintf(format, args...)}
}

// syntax turns an error of the decoder into one with a place.
func (r *reader) syntax(err error) error {
	var s *json.SyntaxError
	var t *json.UnmarshalTypeError
	switch {
	case errors.As(err, &s):
		return r.fail(s.Offset-1, "%v", err)
	case errors.As(err, &t):
		return r.fail(r.dec.InputOffset()-1, "a %s is not expected here", t.Value)
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return r.fail(int64(len(r.text)), "the file ends too early")
	}
	return r.fail(r.dec.InputOffset(), "%v", err)
}

// value is one property's text.
func (r *reader) value() (raw json.RawMessage, at int64, err error) {
	if err := r.dec.Decode(&raw); err != nil {
		return nil, 0, r.syntax(err)
	}
	return raw, r.dec.InputOffset() - int64(len(raw)), nil
}

// object visits the properties of an object; those that visit does not consume are passed over.
func (r *reader) object(what string, visit func(name string) (taken bool, err error)) error {
	at := r.dec.InputOffset()
	t, err := r.dec.Token()
	if err != nil {
		return r.syntax(err)
	}
	if t == nil {
		return nil
	}
	if t != json.Delim('{') {
		return r.fail(at, "%s: an object is expected", what)
	}
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return r.syntax(err)
		}
		taken, err := visit(t.(string))
		if err != nil {
			return err
		}
		if !taken {
			if _, _, err := r.value(); err != nil {
				return err
			}
		}
	}
	if _, err = r.dec.Token(); err != nil {
		return r.syntax(err)
	}
	return nil
}

// Parse reads a config.json.
func Parse(file string, text []byte) (*Bundle, error) {
	r := &reader{file, text, json.NewDecoder(bytes.NewReader(text))}
	if len(text) > MaxConfig {
		return nil, r.fail(0, "it has %d bytes, at most %d are read", len(text), MaxConfig)
	}
	b := &Bundle{File: file}
	err := r.object("config.json", func(name string) (bool, error) {
		switch name {
		case "ociVersion":
			return true, r.into(&b.Version)
		case "process":
			return true, r.object(name, func(name string) (bool, error) {
				switch name {
				case "noNewPrivileges":
					return true, r.into(&b.NoNewPrivs)
				case "capabilities":
					return true, r.object(name, func(name string) (bool, error) {
						if name != "bounding" {
							return false, nil
						}
						return true, r.caps(&b.Bounding)
					})
				}
				return false, nil
			})
		case "linux":
			return true, r.object(name, func(name string) (bool, error) {
				if name != "seccomp" {
					return false, nil
				}
				raw, at, err := r.value()
				if err == nil && string(raw) != "null" {
					b.Seccomp = blank(text, at, at+int64(len(raw)))
				}
				return true, err
			})
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.Token(); err != io.EOF {
		return nil, r.fail(r.dec.InputOffset(), "something follows the configuration")
	}
	if b.Version == "" {
		return nil, r.fail(0, "it has no ociVersion: an OCI bundle's config.json is expected")
	}
	return b, nil
}

func (r *reader) into(v any) error {
	if err := r.dec.Decode(v); err != nil {
		return r.syntax(err)
	}
	return nil
}

func (r *reader) caps(into *world.CapSet) error {
	raw, at, err := r.value()
	if err != nil {
		return err
	}
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return r.fail(at, "bounding: a list of capabilities is expected")
	}
	for _, n := range names {
		c, ok := kernel.ParseCap(n)
		if !ok {
			return r.fail(at+int64(bytes.Index(raw, []byte(n))), "unknown capability %q", n)
		}
		*into |= world.Caps(c)
	}
	return nil
}

// blank returns a part of the text behind as many lines and columns as stand before it.
func blank(text []byte, from, to int64) []byte {
	out := bytes.Clone(text[:to])
	for i := range out[:from] {
		if out[i] != '\n' {
			out[i] = ' '
		}
	}
	return out
}
