//go:build !linux

package propagation

import (
	"errors"

	"syscallstory/kernel"
	"syscallstory/story"
)

// The kernel can be asked on Linux only.

type oracle struct{}
type attempt struct{}

var errLinux = errors.New("mounts are performed on Linux only")

func able() error                                    { return errLinux }
func newOracle() (*oracle, kernel.Release, error)    { return nil, kernel.Release{}, errLinux }
func (*oracle) Close()                               {}
func (*oracle) hidden() int                          { return 0 }
func (*oracle) begin() (*attempt, error)             { return nil, errLinux }
func (*attempt) end() error                          { return nil }
func (*attempt) do(*op) (story.Errno, error)         { return 0, errLinux }
func (*attempt) differs(*model) (*difference, error) { return nil, nil }
func (*attempt) probe(*model) (*difference, error)   { return nil, nil }
