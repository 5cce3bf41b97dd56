package strictyaml

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// quantity reads all the digits of a number, as Kubernetes' own does.
type quantity string

func (q *quantity) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*string)(q)) }

type inlined struct {
	Extra string `json:"extra"`
}

type thing struct {
	Name    string            `json:"name"`
	Count   *int64            `json:"count"`
	Small   int32             `json:"small"`
	On      bool              `json:"on"`
	List    []thing           `json:"list"`
	Labels  map[string]string `json:"labels"`
	Size    quantity          `json:"size"`
	Bytes   []byte            `json:"bytes"`
	inlined `json:",inline"`
}

func TestDecode(t *testing.T) {
	docs, err := Parse("f.yaml", []byte("name: a\ncount: 3\non: true\nlist:\n- {name: b, small: 7}\n- name: c\nlabels:\n  x/y: z\nsize: 3Gi\nbytes: aGk=\n---\nname: second\n"))
	if err != nil || len(docs) != 2 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	var v thing
	if err := docs[0].Decode(&v); err != nil {
		t.Fatal(err)
	}
	if v.Name != "a" || *v.Count != 3 || !v.On || len(v.List) != 2 || v.List[0].Small != 7 || v.Labels["x/y"] != "z" || v.Size != "3Gi" || string(v.Bytes) != "hi" {
		t.Errorf("%+v", v)
	}
	for path, want := range map[string][3]int{"count": {2, 1, 9}, "list[0].small": {5, 13, 21}, `labels["x/y"]`: {8, 3, 9}, "list[1].none": {6, 3, 4}} {
		p := docs[0].Place(path)
		if p.Line != want[0] || p.Col != want[1] || p.End != want[2] {
			t.Errorf("%s stands at %d:%d to %d, want %v", path, p.Line, p.Col, p.End, want)
		}
	}
}

func TestErrors(t *testing.T) {
	long := strings.Repeat("k", 513)
	doubling := "list:\n- &a0 {name: x}\n"
	for i := range 30 {
		doubling += fmt.Sprintf("- &a%d {<<: [*a%d, *a%d]}\n", i+1, i, i)
	}
	for text, want := range map[string]string{
		"nam: a":                             `f.yaml:1:1: unknown field "nam" in the document; did you mean "name"?`,
		"name: a\nname: b":                   `f.yaml:2:1: field "name" stands twice in the document`,
		"name: 3":                            "f.yaml:1:7: name: a string is expected, not the number 3",
		"count: 1.5":                         "f.yaml:1:8: count: an integer is expected",
		"small: 99999999999":                 "an integer is expected",
		"on: 'true'":                         "true or false is expected",
		"list: {}":                           "a list is expected, not fields",
		"list:\n- x":                         `fields are expected, not the string "x"`,
		"a: &a [*a]":                         "unknown field",
		"list: &l\n- list: *l":               "more than",
		"labels: {x: [1]}":                   "string is expected",
		"name: [":                            "malformed YAML",
		"\tname: x":                          "malformed YAML",
		"bytes: 7":                           "bytes",
		"? [a, b]\n: c":                      "a field's name is a string",
		"<<: 3":                              "<< merges fields",
		"name: " + strings.Repeat("[", 5000): "",
		"size: 1e-999999999":                 "an exponent lies between",
		"size: 1E99999999999999999999":       "an exponent lies between",
		"size: " + strings.Repeat("9", 1e6):  "a number has at most 64 characters",
		"<<: {name: x, name: y}":             `field "name" stands twice`,
		"<<: {[a]: x}":                       "a field's name is a string",
		"<<: &m {<<: *m}":                    "nested more than",
		"<<: [{name: x}, 3]":                 "<< merges fields, not the number 3",
		"labels: {" + long + ": x}":          "a field's name has 513 bytes",
		doubling:                             "more than 200000 nodes",
	} {
		docs, err := Parse("f.yaml", []byte(text))
		if err == nil {
			err = docs[len(docs)-1].Decode(&thing{})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v; want %s", text, err, want)
		}
	}
}

func TestMerge(t *testing.T) {
	for text, want := range map[string]string{
		"labels: {<<: {a: 1st}, a: own}":                      "map[a:own]",
		"labels: {<<: {a: x, <<: {a: y, b: z}}}":              "map[a:x b:z]",
		"labels: {<<: [{a: x}, {a: y, b: z}]}":                "map[a:x b:z]",
		"name: &n key\nlabels: {<<: {*n : x}}":                "map[key:x]",
		"labels: {\"<<\": x}":                                 "map[<<:x]",
		"list: [{labels: &l {a: x}}]\nlabels: {<<: *l, b: y}": "map[a:x b:y]",
	} {
		var v thing
		docs, err := Parse("f", []byte(text))
		if err == nil {
			err = docs[0].Decode(&v)
		}
		if err != nil || fmt.Sprint(v.Labels) != want {
			t.Errorf("%s: %v, %v; want %s", text, v.Labels, err, want)
		}
	}
}

func TestLines(t *testing.T) {
	docs, err := Parse("f", []byte("count: 1\r\non: true\rsmall: 2\u0085name: a\u2028size: x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := docs[0].Decode(&thing{}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"count: 1", "on: true", "small: 2", "name: a", "size: x"} {
		name, _, _ := strings.Cut(f, ":")
		if got := docs[0].Lines()[docs[0].Place(name).Line-1]; got != f {
			t.Errorf("%s stands in line %q", name, got)
		}
	}
	if _, err := Parse("f", []byte("\xfe\xff\x00a")); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("UTF-16: %v", err)
	}
}

func TestNull(t *testing.T) {
	docs, err := Parse("f", []byte("count: null\nname: ~\non:\nsmall: 0\nsize: 2Ei"))
	if err != nil {
		t.Fatal(err)
	}
	var v thing
	if err := docs[0].Decode(&v); err != nil || v.Count != nil || v.Size != "2Ei" {
		t.Errorf("%+v, %v", v, err)
	}
	if docs[0].Has("count") || docs[0].Has("name") || docs[0].Has("on") || !docs[0].Has("small") {
		t.Error("a field that is null has no value, one that is 0 has")
	}
}

// FuzzDecode looks for panics, endless loops and places that are not in the text.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"name: a\nlist: [{name: b}]", "a: &a [x]\nb: *a", "<<: {name: x}\n<<: {name: y}", "size: 3\nbytes: x", "---\n---\nname: x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, err := Parse("f", text)
		if err != nil {
			return
		}
		for _, d := range docs {
			d.Decode(&thing{})
			if p := d.Place("list[0].name"); p.Line > len(d.Lines()) {
				t.Errorf("line %d of %q", p.Line, text)
			}
		}
	})
}
