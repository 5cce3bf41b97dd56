//go:build !(linux && amd64)

package probe

import (
	"fmt"
	"runtime"
)

// Run is for x86_64 only.
func Run(*Task, []Call) ([]Result, error) {
	return nil, fmt.Errorf("calls are performed on x86_64 only, this is %s", runtime.GOARCH)
}
