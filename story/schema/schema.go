// Package schema holds the JSON schemas of what story prints.
package schema

import _ "embed"

// Story is the schema of one story.
//
//go:embed story.schema.json
var Story []byte

// Run is the schema of a call that was predicted and performed; it refers to Story's as story.schema.json.
//
//go:embed run.schema.json
var Run []byte

// Doctor is the schema of story doctor's report.
//
//go:embed doctor.schema.json
var Doctor []byte

// Verify is the schema of what `story verify` has counted.
//
//go:embed verify.schema.json
var Verify []byte

// Caps is the schema of what `story caps` prints.
//
//go:embed caps.schema.json
var Caps []byte

// SELinux is the schema of what `story selinux` prints.
//
//go:embed selinux.schema.json
var SELinux []byte
