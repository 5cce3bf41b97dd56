package machine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds a program of this module, or with test the test binary of a package, and returns its path. It is linked
// statically: nothing of this machine's libraries is in the guest.
func (l *Lab) Build(ctx context.Context, pkg string, test bool) (string, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	return l.build(ctx, pkg, test)
}

// build builds under the lock. The go command leaves a program alone that is up to date.
func (l *Lab) build(ctx context.Context, pkg string, test bool) (string, error) {
	mod, err := goCommand(ctx, "env", "GOMOD")
	if err != nil {
		return "", err
	}
	if mod == "" || mod == os.DevNull {
		return "", errors.New("the lab builds its programs from source: run it inside a checkout")
	}
	root := filepath.Dir(mod)
	dir := l.path(fmt.Sprintf("build-%.6x", sha256.Sum256([]byte(root))))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	out := filepath.Join(dir, filepath.Base(pkg))
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, pkg}
	if test {
		out += ".test"
		args = []string{"test", "-c", "-trimpath", "-buildvcs=false", "-vet=off", "-o", out, pkg}
	}
	if _, err := goCommand(ctx, args...); err != nil {
		return "", fmt.Errorf("building %s: %w", pkg, err)
	}
	return out, nil
}

// goCommand runs the go command and returns what it prints.
func goCommand(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}
