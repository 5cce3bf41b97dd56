// Package schema holds the JSON schema of a story.
package schema

import _ "embed"

// Story is the schema of one story.
//
//go:embed story.schema.json
var Story []byte
