//go:build !(linux && amd64)

package gates

import (
	"errors"

	"syscallstory/verify"
)

// Area is the area gates.
var Area = verify.Area{Name: "gates", Able: func() error { return errElsewhere }, Start: func() (verify.Worker, error) { return nil, errElsewhere }}

var errElsewhere = errors.New("worlds are built on Linux of x86_64 only")
