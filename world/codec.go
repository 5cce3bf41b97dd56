package world

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"syscallstory/kernel"
	"syscallstory/story"
)

// The facts of a world are written field by field, as they are declared, so that a fact that is added later is in a snapshot by itself. What is
// zero is left out. A name of a file may hold any bytes: one that is not UTF-8 is written as {"bytes": BASE64}.

var (
	typeRelease = reflect.TypeFor[kernel.Release]()
	typeCode    = reflect.TypeFor[story.Code]()
	typeOrigins = reflect.TypeFor[Origins]()
	typeFS      = reflect.TypeFor[*FS]()
	typeSysctls = reflect.TypeFor[[kernel.NumSysctls]Fact[int]]()
)

// fields lists the fields of a struct that a snapshot holds.
func fields(t reflect.Type) (all []reflect.StructField) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.IsExported() && f.Type.Kind() != reflect.Interface && f.Type != typeOrigins && f.Type != typeFS {
			all = append(all, f)
		}
	}
	return all
}

// encoder writes values as JSON.
type encoder struct {
	*bufio.Writer
	byType map[reflect.Type][]reflect.StructField
}

func (e *encoder) fields(t reflect.Type) []reflect.StructField {
	f, ok := e.byType[t]
	if !ok {
		f = fields(t)
		e.byType[t] = f
	}
	return f
}

func (e *encoder) text(s string) {
	if !utf8.ValidString(s) {
		e.WriteString(`{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}`)
		return
	}
	b, _ := json.Marshal(s)
	e.Write(b)
}

func (e *encoder) value(v reflect.Value) {
	switch v.Type() {
	case typeRelease:
		e.text(v.Interface().(kernel.Release).Text)
		return
	case typeCode:
		id := ""
		if info := v.Interface().(story.Code).Info(); info != nil {
			id = info.ID
		}
		e.text(id)
		return
	case typeSysctls:
		e.sysctls(v)
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		e.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.WriteString(strconv.FormatUint(v.Uint(), 10))
	case reflect.String:
		e.text(v.String())
	case reflect.Pointer:
		if v.IsNil() {
			e.WriteString("null")
			return
		}
		e.value(v.Elem())
	case reflect.Struct:
		e.structure(v)
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			e.text(base64.StdEncoding.EncodeToString(v.Bytes()))
			return
		}
		e.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				e.WriteByte(',')
			}
			e.value(v.Index(i))
		}
		e.WriteByte(']')
	case reflect.Map:
		e.WriteByte('[')
		for i, k := range v.MapKeys() {
			if i > 0 {
				e.WriteByte(',')
			}
			e.WriteByte('[')
			e.value(k)
			e.WriteByte(',')
			e.value(v.MapIndex(k))
			e.WriteByte(']')
		}
		e.WriteByte(']')
	default:
		panic("world: a snapshot cannot hold a " + v.Type().String())
	}
}

func (e *encoder) structure(v reflect.Value) {
	e.WriteByte('{')
	first := true
	for _, f := range e.fields(v.Type()) {
		fv := v.FieldByIndex(f.Index)
		if fv.IsZero() {
			continue
		}
		if !first {
			e.WriteByte(',')
		}
		first = false
		e.WriteString(`"` + f.Name + `":`)
		e.value(fv)
	}
	e.WriteByte('}')
}

// sysctls are written by name: their numbers are not the same in every build.
func (e *encoder) sysctls(v reflect.Value) {
	e.WriteByte('{')
	first := true
	for i := range v.Len() {
		if v.Index(i).IsZero() {
			continue
		}
		if !first {
			e.WriteByte(',')
		}
		first = false
		e.text(kernel.Sysctl(i).String())
		e.WriteByte(':')
		e.value(v.Index(i))
	}
	e.WriteByte('}')
}

// decoder reads what encoder has written, and nothing else.
type decoder struct {
	*json.Decoder
	path   []string
	byType map[reflect.Type]map[string][]int
}

// maxElements bounds each list of a snapshot.
const maxElements = 1 << 20

func (d *decoder) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %s (byte %d)", strings.Join(d.path, "."), fmt.Sprintf(format, args...), d.InputOffset())
}

// token reads the next token.
func (d *decoder) token() (json.Token, error) {
	t, err := d.Token()
	if err != nil {
		return nil, d.errorf("%v", err)
	}
	return t, nil
}

func (d *decoder) value(v reflect.Value) error {
	t, err := d.token()
	if err != nil {
		return err
	}
	return d.from(t, v)
}

func (d *decoder) from(t json.Token, v reflect.Value) error {
	switch v.Type() {
	case typeRelease:
		s, err := d.text(t)
		if err != nil || s == "" {
			return err
		}
		r, err := kernel.ParseRelease(s)
		if err != nil {
			return d.errorf("%v", err)
		}
		v.Set(reflect.ValueOf(r))
		return nil
	case typeCode:
		s, err := d.text(t)
		if err != nil {
			return err
		}
		c, ok := story.ParseCode(s)
		if !ok {
			return d.errorf("%q is no code", s)
		}
		v.Set(reflect.ValueOf(c))
		return nil
	case typeSysctls:
		return d.object(t, func(key string) error {
			s, ok := kernel.ParseSysctl(key)
			if !ok {
				return d.errorf("sysctl %q is not known here", key)
			}
			return d.value(v.Index(int(s)))
		})
	}
	switch v.Kind() {
	case reflect.Bool:
		b, ok := t.(bool)
		if !ok {
			return d.errorf("true or false is expected")
		}
		v.SetBool(b)
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, _ := t.(json.Number)
		i, err := strconv.ParseInt(n.String(), 10, v.Type().Bits())
		if err != nil {
			return d.errorf("an integer of %d bits is expected", v.Type().Bits())
		}
		v.SetInt(i)
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, _ := t.(json.Number)
		i, err := strconv.ParseUint(n.String(), 10, v.Type().Bits())
		if err != nil {
			return d.errorf("a natural number of %d bits is expected", v.Type().Bits())
		}
		v.SetUint(i)
		return nil
	case reflect.String:
		s, err := d.text(t)
		v.SetString(s)
		return err
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.from(t, v.Elem())
	case reflect.Struct:
		return d.structure(t, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			s, err := d.text(t)
			if err != nil {
				return err
			}
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				return d.errorf("%v", err)
			}
			v.SetBytes(b)
			return nil
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return d.list(t, func(i int) error {
			if i == maxElements {
				return d.errorf("more than %d entries", maxElements)
			}
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			return d.value(v.Index(i))
		})
	case reflect.Array:
		return d.list(t, func(i int) error {
			if i >= v.Len() {
				return d.errorf("more than %d entries", v.Len())
			}
			return d.value(v.Index(i))
		})
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		return d.list(t, func(int) error {
			pair := [2]reflect.Value{reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()}
			t, err := d.token()
			if err != nil {
				return err
			}
			n := 0
			err = d.list(t, func(i int) error {
				if n++; i > 1 {
					return d.errorf("a pair is expected")
				}
				return d.value(pair[i])
			})
			if err == nil && n == 2 {
				v.SetMapIndex(pair[0], pair[1])
			}
			return err
		})
	}
	return d.errorf("a %v cannot be read", v.Type())
}

// text reads a string, or the object that stands for one that is not UTF-8.
func (d *decoder) text(t json.Token) (string, error) {
	if s, ok := t.(string); ok {
		return s, nil
	}
	if t != json.Delim('{') {
		return "", d.errorf("a string is expected")
	}
	var bytes string
	err := d.object(t, func(key string) error {
		if key != "bytes" {
			return d.errorf("a string is expected")
		}
		t, err := d.token()
		if err != nil {
			return err
		}
		s, ok := t.(string)
		b, err := base64.StdEncoding.DecodeString(s)
		if !ok || err != nil {
			return d.errorf("bytes in base64 are expected")
		}
		bytes = string(b)
		return nil
	})
	return bytes, err
}

func (d *decoder) structure(t json.Token, v reflect.Value) error {
	names := d.byType[v.Type()]
	if names == nil {
		names = map[string][]int{}
		for _, f := range fields(v.Type()) {
			names[f.Name] = f.Index
		}
		d.byType[v.Type()] = names
	}
	var seen map[string]bool
	return d.object(t, func(key string) error {
		at, ok := names[key]
		if !ok {
			return d.errorf("field %q is not known here", key)
		}
		if seen[key] {
			return d.errorf("field %q is there twice", key)
		}
		if seen == nil {
			seen = map[string]bool{}
		}
		seen[key] = true
		return d.value(v.FieldByIndex(at))
	})
}

func (d *decoder) object(t json.Token, field func(key string) error) error {
	if t != json.Delim('{') {
		return d.errorf("an object is expected")
	}
	for d.More() {
		t, err := d.token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		d.path = append(d.path, key)
		if err := field(key); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	_, err := d.token()
	return err
}

func (d *decoder) list(t json.Token, element func(i int) error) error {
	if t != json.Delim('[') {
		return d.errorf("a list is expected")
	}
	for i := 0; d.More(); i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	_, err := d.token()
	return err
}
