// Package docker gives the default profile of Docker, from its own Go module.
package docker

import (
	"encoding/json"

	moby "github.com/moby/profiles/seccomp"
)

// File is the name under which the module carries the profile; its lines are those of Default's text.
const File = "default.json"

// Default returns the text of Docker's default profile, as the module generates its default.json.
func Default() ([]byte, error) { return json.MarshalIndent(moby.DefaultProfile(), "", "\t") }
