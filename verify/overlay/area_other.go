//go:build !(linux && amd64)

package overlay

import (
	"errors"

	"syscallstory/verify"
)

var errMachine = errors.New("layers are mounted on Linux, x86_64, only")

// Area is the area overlay.
var Area = verify.Area{Name: "overlay", Able: func() error { return errMachine }, Start: func() (verify.Worker, error) { return nil, errMachine }}
