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
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// schema FILE: the stories in it, one or an array, hold to the schema.
			"schema": func(ts *testscript.TestScript, neg bool, args []string) {
				ts.Check(validate([]byte(ts.ReadFile(args[0]))))
			},
		}})
}

var compiled *jsonschema.Schema

// validate checks stories against the schema.
func validate(text []byte) error {
	if compiled == nil {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Story))
		if err != nil {
			return err
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("story.schema.json", doc); err != nil {
			return err
		}
		if compiled, err = c.Compile("story.schema.json"); err != nil {
			return err
		}
	}
	for dec := json.NewDecoder(bytes.NewReader(text)); dec.More(); {
		var one any
		if err := dec.Decode(&one); err != nil {
			return err
		}
		list, ok := one.([]any)
		if !ok {
			list = []any{one}
		}
		for _, s := range list {
			if err := compiled.Validate(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestSchemaRefuses makes sure that the schema can fail.
func TestSchemaRefuses(t *testing.T) {
	for _, text := range []string{`{}`, `{"schemaVersion":"2"}`, `[{"schemaVersion":"1","verdict":"maybe"}]`} {
		if validate([]byte(text)) == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}
