package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"syscallstory/story/schema"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestMain(m *testing.M) {
	if os.Getenv("STORY_MAIN") != "" { // the test binary stands in for the program
		main()
	}
	if f := os.Getenv("STORY_PEAK"); f != "" { // the same, measured
		measured(f)
	}
	if f := os.Getenv("STORY_FILTERED"); f != "" { // a process that has loaded a filter and waits
		filtered(f)
	}
	testscript.Main(m, map[string]func(){"story": main})
}

// TestScripts runs story as a user does, and compares what it prints with the goldens in testdata/script.
func TestScripts(t *testing.T) {
	node, err := filepath.Abs("../../examples/node")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/script", UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", filepath.Dir(node))
			return os.Symlink(node, filepath.Join(env.WorkDir, "node"))
		},
		Condition: func(cond string) (bool, error) { return cond == "root" && os.Getuid() == 0, nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// schema FILE: the stories in it, one or an array, hold to the schema.
			"schema": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(validate([]byte(ts.ReadFile(args[0]))))
			},
		}})
}

var compiled = map[string]*jsonschema.Schema{}

const schemaBase = "https://syscallstory/schema/"

// compile reads a schema and the ones that it refers to.
func compile(name string) (*jsonschema.Schema, error) {
	if s := compiled[name]; s != nil {
		return s, nil
	}
	c := jsonschema.NewCompiler()
	for file, text := range map[string][]byte{"story.schema.json": schema.Story, "run.schema.json": schema.Run, "doctor.schema.json": schema.Doctor, "verify.schema.json": schema.Verify, "caps.schema.json": schema.Caps, "selinux.schema.json": schema.SELinux} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(schemaBase+file, doc); err != nil {
			return nil, err
		}
	}
	s, err := c.Compile(schemaBase + name)
	compiled[name] = s
	return s, err
}

// validate checks stories, or pairs of them, against their schema.
func validate(text []byte) error {
	for dec := json.NewDecoder(bytes.NewReader(text)); dec.More(); {
		var one any
		if err := dec.Decode(&one); err != nil {
			return err
		}
		list, ok := one.([]any)
		if !ok {
			list = []any{one}
		}
		for _, v := range list {
			name := "story.schema.json"
			if m, ok := v.(map[string]any); ok {
				switch {
				case m["predicted"] != nil:
					name = "run.schema.json"
				case m["area"] != nil:
					name = "verify.schema.json"
				case m["mask"] != nil, m["needs"] != nil, m["namespaces"] != nil:
					name = "caps.schema.json"
				case m["permission"] != nil, m["rules"] != nil, m["booleans"] != nil, m["differences"] != nil, m["wanted"] != nil, m["permissions"] != nil, m["pods"] != nil:
					name = "selinux.schema.json"
				case m["checks"] != nil:
					name = "doctor.schema.json"
				}
			}
			s, err := compile(name)
			if err != nil {
				return err
			}
			if err := s.Validate(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestSchemaRefuses makes sure that the schema can fail.
func TestSchemaRefuses(t *testing.T) {
	for _, text := range []string{`{}`, `{"schemaVersion":"2"}`, `[{"schemaVersion":"1","verdict":"maybe"}]`, `{"predicted":{},"performed":null,"agree":null}`} {
		if validate([]byte(text)) == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}
