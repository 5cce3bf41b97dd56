//go:build !(linux && amd64)

package selinux

import (
	"errors"

	"syscallstory/verify"
)

var errMachine = errors.New("files are labelled on Linux, x86_64, only")

// Area is the area selinux.
var Area = verify.Area{Name: "selinux", Able: func() error { return errMachine }, Start: func() (verify.Worker, error) { return nil, errMachine }}
