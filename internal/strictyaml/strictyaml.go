// Package strictyaml decodes YAML, and JSON with it, into Go types as strictly as the Kubernetes API server does: an unknown
// field, a wrong type and a key that stands twice are errors with their place. It remembers where every field stands, so that
// a fact can be traced to its line.
package strictyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"syscallstory/story"
	"syscallstory/syscalls"
)

// Limits on what is read.
const (
	MaxSize  = 4 << 20 // bytes of a file
	maxNodes = 200_000 // nodes after aliases are expanded
	maxDepth = 100
	maxName  = 512 // bytes of a field's name: every path below it repeats it

	// Quantities are read with all their digits, and 1e-999999999 has many.
	maxNumber   = 64
	maxExponent = 99
)

// Error is a mistake in a file, with its place.
type Error struct {
	File      string
	Line, Col int
	Msg       string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// Doc is one document of a file, or a part of one.
type Doc struct {
	File  string
	Node  *yaml.Node
	lines []string
	spans map[string]span
	nodes *int
}

// span is where a field stands: its key, or the item itself in a list, and its value.
type span struct{ key, value *yaml.Node }

// breaks makes one of all that YAML 1.1 takes for the end of a line.
var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// Parse reads the documents of a file.
func Parse(file string, text []byte) ([]*Doc, error) {
	if len(text) > MaxSize {
		return nil, &Error{File: file, Msg: fmt.Sprintf("the file has %d bytes, at most %d are read", len(text), MaxSize)}
	}
	if !utf8.Valid(text) {
		return nil, &Error{File: file, Msg: "the file is not text in UTF-8"}
	}
	var docs []*Doc
	dec := yaml.NewDecoder(bytes.NewReader(text))
	lines := strings.Split(breaks.Replace(string(text)), "\n")
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, syntax(file, err)
		}
		if len(n.Content) == 0 || n.Content[0].Tag == "!!null" {
			continue
		}
		docs = append(docs, &Doc{File: file, Node: n.Content[0], lines: lines, spans: map[string]span{}, nodes: new(int)})
	}
	if len(docs) == 0 {
		return nil, &Error{File: file, Msg: "there is no document in it"}
	}
	return docs, nil
}

// syntax turns the parser's error, which names a line in its text, into one with a place.
func syntax(file string, err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if n, after, ok := strings.Cut(rest, ": "); ok {
			if v, e := strconv.Atoi(n); e == nil {
				line, msg = v, after
			}
		}
	}
	return &Error{File: file, Line: line, Col: 1, Msg: "malformed YAML: " + msg}
}

// Part returns a document of its own for a node of this one, with paths that begin at the node.
func (d *Doc) Part(n *yaml.Node) *Doc {
	return &Doc{File: d.File, Node: n, lines: d.lines, spans: map[string]span{}, nodes: d.nodes}
}

// Field returns a field of a mapping, nil if it has none of that name.
func Field(n *yaml.Node, name string) *yaml.Node {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

func resolve(n *yaml.Node) *yaml.Node {
	for range 100 {
		if n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return n
}

// Errorf makes an error at a node.
func (d *Doc) Errorf(n *yaml.Node, format string, args ...any) error {
	return &Error{File: d.File, Line: n.Line, Col: n.Column, Msg: fmt.Sprintf(format, args...)}
}

// Fail makes an error at the field of a path.
func (d *Doc) Fail(path, format string, args ...any) error {
	if s, ok := d.spans[path]; ok {
		return d.Errorf(s.key, format, args...)
	}
	return d.Errorf(d.Node, format, args...)
}

// Has reports whether the document gives a field of the path a value; null is none.
func (d *Doc) Has(path string) bool {
	s, ok := d.spans[path]
	return ok && s.value.Tag != "!!null"
}

// Place returns where a field stands, with the nearest field around it that does; the end covers a scalar's value.
func (d *Doc) Place(path string) story.Place {
	for p := path; ; {
		if s, ok := d.spans[p]; ok {
			pl := story.Place{File: d.File, Line: s.key.Line, Col: s.key.Column, Path: p, End: s.key.Column + len(s.key.Value)}
			if v := s.value; v.Kind == yaml.ScalarNode && v.Line == s.key.Line {
				pl.End = v.Column + len(v.Value)
				if v.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
					pl.End += 2
				}
			}
			if s.key.Kind != yaml.ScalarNode {
				pl.End = pl.Col + 1
			}
			return pl
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			return story.Place{File: d.File, Line: d.Node.Line, Col: d.Node.Column, End: d.Node.Column + 1}
		}
		p = p[:i]
	}
}

// Lines returns the file's lines.
func (d *Doc) Lines() []string { return d.lines }

// Decode fills a value from the document.
func (d *Doc) Decode(into any) error {
	return d.decode(d.Node, reflect.ValueOf(into).Elem(), "", 0)
}

func (d *Doc) decode(n *yaml.Node, v reflect.Value, path string, depth int) error {
	n = resolve(n)
	if err := d.count(n, depth); err != nil {
		return err
	}
	if n.Tag == "!!null" {
		return nil
	}
	if v.CanAddr() && v.Kind() != reflect.Pointer {
		if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
			if err := d.modest(n, path); err != nil {
				return err
			}
			return d.foreign(n, u, path)
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(n, v.Elem(), path, depth)
	case reflect.Struct:
		return d.structure(n, v, path, depth)
	case reflect.Map:
		return d.mapping(n, v, path, depth)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return d.foreign(n, jsonValue{v}, path)
		}
		if n.Kind != yaml.SequenceNode {
			return d.Errorf(n, "%s: a list is expected, not %s", path, kindName(n))
		}
		for i, item := range n.Content {
			p := fmt.Sprintf("%s[%d]", path, i)
			d.spans[p] = span{item, resolve(item)}
			e := reflect.New(v.Type().Elem()).Elem()
			if err := d.decode(item, e, p, depth+1); err != nil {
				return err
			}
			v.Set(reflect.Append(v, e))
		}
		return nil
	case reflect.Interface:
		return d.foreign(n, jsonValue{v}, path)
	}
	return d.scalar(n, v, path)
}

// count counts a node that is read, once more for each alias that leads to it.
func (d *Doc) count(n *yaml.Node, depth int) error {
	if *d.nodes++; *d.nodes > maxNodes {
		return d.Errorf(n, "the document has more than %d nodes once its aliases are expanded", maxNodes)
	}
	if depth > maxDepth {
		return d.Errorf(n, "nested more than %d levels deep", maxDepth)
	}
	return nil
}

func (d *Doc) structure(n *yaml.Node, v reflect.Value, path string, depth int) error {
	if n.Kind != yaml.MappingNode {
		return d.Errorf(n, "%s: fields are expected, not %s", orRoot(path), kindName(n))
	}
	fields := map[string][]int{}
	collect(v.Type(), nil, fields)
	return d.pairs(n, path, func(key, val *yaml.Node) error {
		idx, ok := fields[key.Value]
		if !ok {
			var known []string
			for k := range fields {
				known = append(known, k)
			}
			msg := fmt.Sprintf("unknown field %q in %s", key.Value, orRoot(path))
			if near := syscalls.Near(key.Value, known); len(near) > 0 {
				msg += fmt.Sprintf("; did you mean %q?", near[0])
			}
			return d.Errorf(key, "%s", msg)
		}
		p := join(path, key.Value)
		d.spans[p] = span{key, resolve(val)}
		f := v
		for _, i := range idx {
			f = f.Field(i)
		}
		return d.decode(val, f, p, depth+1)
	})
}

// collect lists a struct's fields by their JSON names, those of inlined structs with them.
func collect(t reflect.Type, prefix []int, into map[string][]int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		idx := append(append([]int{}, prefix...), i)
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "" || strings.Contains(opts, "inline"):
			collect(f.Type, idx, into)
		case name != "":
			into[name] = idx
		}
	}
}

func (d *Doc) mapping(n *yaml.Node, v reflect.Value, path string, depth int) error {
	if n.Kind != yaml.MappingNode {
		return d.Errorf(n, "%s: fields are expected, not %s", orRoot(path), kindName(n))
	}
	v.Set(reflect.MakeMap(v.Type()))
	return d.pairs(n, path, func(key, val *yaml.Node) error {
		p := fmt.Sprintf("%s[%q]", path, key.Value)
		d.spans[p] = span{key, resolve(val)}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.decode(val, e, p, depth+1); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), e)
		return nil
	})
}

// pairs goes through a mapping's fields, those that << merges in with them.
func (d *Doc) pairs(n *yaml.Node, path string, f func(key, val *yaml.Node) error) error {
	return d.merge(n, path, map[string]bool{}, 0, f)
}

// merge is pairs for a mapping and for those merged into it, of which a field counts only if none before had it.
func (d *Doc) merge(n *yaml.Node, path string, seen map[string]bool, depth int, f func(key, val *yaml.Node) error) error {
	if err := d.count(n, depth); err != nil {
		return err
	}
	own := map[string]bool{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := resolve(n.Content[i]), n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			return d.Errorf(key, "%s: a field's name is a string", orRoot(path))
		case key.Tag == "!!merge":
			if m := resolve(val); m.Kind == yaml.SequenceNode {
				merged = append(merged, m.Content...)
			} else {
				merged = append(merged, m)
			}
			continue
		case len(key.Value) > maxName:
			return d.Errorf(key, "%s: a field's name has %d bytes, at most %d are read", orRoot(path), len(key.Value), maxName)
		case own[key.Value]:
			return d.Errorf(key, "field %q stands twice in %s", key.Value, orRoot(path))
		}
		own[key.Value] = true
		if seen[key.Value] {
			continue
		}
		seen[key.Value] = true
		if err := f(key, val); err != nil {
			return err
		}
	}
	for _, m := range merged {
		if m = resolve(m); m.Kind != yaml.MappingNode {
			return d.Errorf(m, "<< merges fields, not %s", kindName(m))
		}
		if err := d.merge(m, path, seen, depth+1, f); err != nil {
			return err
		}
	}
	return nil
}

// scalar fills a string, number or boolean.
func (d *Doc) scalar(n *yaml.Node, v reflect.Value, path string) error {
	wrong := func(want string) error {
		return d.Errorf(n, "%s: %s is expected, not %s", orRoot(path), want, kindName(n))
	}
	if n.Kind != yaml.ScalarNode {
		return wrong(v.Kind().String())
	}
	switch v.Kind() {
	case reflect.String:
		if n.Tag != "!!str" {
			return wrong("a string")
		}
		v.SetString(n.Value)
	case reflect.Bool:
		var b bool
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 || n.Decode(&b) != nil {
			return wrong("true or false")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		var i int64
		if n.Tag != "!!int" || n.Decode(&i) != nil || v.OverflowInt(i) {
			return wrong("an integer")
		}
		v.SetInt(i)
	case reflect.Float64:
		var f float64
		if n.Decode(&f) != nil {
			return wrong("a number")
		}
		v.SetFloat(f)
	default:
		return d.Errorf(n, "%s: a %v cannot be read", path, v.Kind())
	}
	return nil
}

// modest refuses a number that would keep those busy who read all its digits.
func (d *Doc) modest(n *yaml.Node, path string) error {
	if n.Kind != yaml.ScalarNode || !strings.ContainsAny(n.Value[:min(1, len(n.Value))], "+-.0123456789") {
		return nil
	}
	if len(n.Value) > maxNumber {
		return d.Errorf(n, "%s: a number has at most %d characters", orRoot(path), maxNumber)
	}
	i := strings.IndexAny(n.Value, "eE")
	if e, err := strconv.Atoi(n.Value[i+1:]); i > 0 && (err == nil || errors.Is(err, strconv.ErrRange)) && (e > maxExponent || e < -maxExponent) {
		return d.Errorf(n, "%s: an exponent lies between -%d and %d", orRoot(path), maxExponent, maxExponent)
	}
	return nil
}

// jsonValue lets encoding/json fill a value of a plain type.
type jsonValue struct{ v reflect.Value }

func (j jsonValue) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, j.v.Addr().Interface()) }

// foreign hands a node to a type that reads JSON itself, such as a quantity or a time.
func (d *Doc) foreign(n *yaml.Node, u json.Unmarshaler, path string) error {
	var any any
	if err := d.budget(n, 0); err != nil {
		return err
	}
	if err := n.Decode(&any); err != nil {
		return d.Errorf(n, "%s: %s", orRoot(path), strings.TrimPrefix(err.Error(), "yaml: "))
	}
	b, err := json.Marshal(any)
	if err == nil {
		err = u.UnmarshalJSON(b)
	}
	if err != nil {
		return d.Errorf(n, "%s: %v", orRoot(path), err)
	}
	return nil
}

// budget counts the nodes below n before they are decoded by somebody else.
func (d *Doc) budget(n *yaml.Node, depth int) error {
	if err := d.count(n, depth); err != nil {
		return err
	}
	if n.Kind == yaml.AliasNode {
		return d.budget(n.Alias, depth+1)
	}
	for _, c := range n.Content {
		if err := d.budget(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!str":
		return fmt.Sprintf("the string %q", clip(n.Value))
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	case "!!bool":
		return "the boolean " + n.Value
	}
	return clip(n.Value)
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

func orRoot(path string) string {
	if path == "" {
		return "the document"
	}
	return path
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
