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

// Hold is for x86_64 only.
func Hold(t *Task, calls []Call) (int, error) {
	_, err := Run(t, calls)
	return 0, err
}
