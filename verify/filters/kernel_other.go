//go:build !(linux && amd64)

package filters

import (
	"fmt"
	"runtime"

	"syscallstory/seccomp"
)

const maxCalls, maxChecks = 96, 256

// kernelOracle is for x86_64 Linux only.
type kernelOracle struct{ old bool }

type result struct {
	installs []uint32
	done     int
}

func newKernel() (*kernelOracle, error) {
	return nil, fmt.Errorf("filters are performed on Linux on x86_64 only, this is %s on %s", runtime.GOOS, runtime.GOARCH)
}
func (k *kernelOracle) Close() {}
func (k *kernelOracle) run([]seccomp.Program, []call, bool) (*result, error) {
	return nil, nil
}
func (k *kernelOracle) accepts([]seccomp.Program) ([]bool, error)          { return nil, nil }
func (k *kernelOracle) entry(*call) uint64                                 { return 0 }
func (k *kernelOracle) differs(*result, int, *call, seccomp.Action) string { return "" }
func ends(seccomp.Action) bool                                             { return false }
func stacked(s seccomp.Stack) seccomp.Stack                                { return s }
