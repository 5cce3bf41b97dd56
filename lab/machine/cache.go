package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lab is a directory with everything that machines are made from. Several processes may use one at the same time.
//
//	lock                       held while something is made
//	debs/                      packages as downloaded
//	kernel-6.12/               vmlinuz, config, modules in their order
//	policy/                    Debian's SELinux policy with the modules for containers
//	tools/                     small programs of the guest's root
//	build-…/                   Go programs, by the directory of the module's source
//	snapshot-6.12-0123…/       a machine that waits for work: initrd, memory, state
//
// A directory is made under a name that ends in .partial and renamed when it is complete.
type Lab struct {
	dir string
	log io.Writer // what takes long is announced here
}

// DefaultDir is the lab's place in the user's cache.
func DefaultDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no directory for the lab's cache: %w", err)
	}
	return filepath.Join(dir, "syscallstory", "lab"), nil
}

// Open returns the lab of a directory, which is made where it is not there.
func Open(dir string, log io.Writer) (*Lab, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "debs"), 0o755); err != nil {
		return nil, fmt.Errorf("the lab's cache: %w", err)
	}
	return &Lab{dir: dir, log: log}, nil
}

func (l *Lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *Lab) say(format string, args ...any) { fmt.Fprintf(l.log, "lab: "+format+"\n", args...) }

// lock keeps other processes from making things here, and removes what one that was killed has left half made.
func (l *Lab) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(l.path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	told := false
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		if !told {
			l.say("waiting for another one that uses %s", l.dir)
			told = true
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, pattern := range []string{"*.partial", "debs/partial-*"} {
		left, _ := filepath.Glob(l.path(pattern))
		for _, p := range left {
			os.RemoveAll(p)
		}
	}
	return func() { f.Close() }, nil
}

// replace makes a directory anew: fill gets an empty one, which takes the place of the old one once it is full.
func (l *Lab) replace(name string, fill func(dir string) error) error {
	partial := l.path(name + ".partial")
	if err := os.Mkdir(partial, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	if err := fill(partial); err != nil {
		return err
	}
	if err := os.RemoveAll(l.path(name)); err != nil {
		return err
	}
	return os.Rename(partial, l.path(name))
}

// Clean removes everything that can be made again.
func (l *Lab) Clean(ctx context.Context) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, pattern := range []string{"kernel-*", "tools", "policy", "build-*", "snapshot-*", "debs/*"} {
		found, _ := filepath.Glob(l.path(pattern))
		for _, p := range found {
			if err := os.RemoveAll(p); err != nil {
				return err
			}
		}
	}
	return nil
}
