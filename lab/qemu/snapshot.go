package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A machine's memory lies in a file, and only the rest of it, devices and processors, goes through qemu's migration. The
// capability says so to both sides. A machine that resumes maps the same file privately: nothing of it is read that the
// guest does not touch, and any number of machines can start from one file.
var ignoreShared = map[string]any{"capabilities": []any{map[string]any{"capability": "x-ignore-shared", "state": true}}}

// pollEvery is how often a migration's state is asked for.
const pollEvery = 5 * time.Millisecond

// Save stops the machine and writes its state to a file; its memory must be shared, and is complete when Save returns.
// The machine can only be closed then.
func (vm *VM) Save(ctx context.Context, state string) error {
	if err := vm.monitor.execute(ctx, "migrate-set-capabilities", ignoreShared, nil); err != nil {
		return err
	}
	if err := vm.monitor.execute(ctx, "migrate", map[string]any{"uri": "exec:cat > " + quote(state)}, nil); err != nil {
		return err
	}
	return vm.migrated(ctx, "query-migrate")
}

// Resume starts a machine where another one of the same Config has been saved.
func Resume(ctx context.Context, c *Config, memory, state string, console io.Writer) (*VM, error) {
	vm, err := launch(ctx, c.args(Memory{Path: memory}, true), console)
	if err != nil {
		return nil, err
	}
	if err := vm.resume(ctx, state); err != nil {
		err = vm.explain(err)
		vm.Close()
		return nil, err
	}
	return vm, nil
}

func (vm *VM) resume(ctx context.Context, state string) error {
	if err := vm.monitor.execute(ctx, "migrate-set-capabilities", ignoreShared, nil); err != nil {
		return err
	}
	if err := vm.monitor.execute(ctx, "migrate-incoming", map[string]any{"uri": "exec:cat " + quote(state)}, nil); err != nil {
		return err
	}
	return vm.migrated(ctx, "query-status")
}

// migrated waits until a migration is over. The side that saves reports the migration, the one that resumes its own state.
func (vm *VM) migrated(ctx context.Context, query string) error {
	for {
		var is struct {
			Status    string
			ErrorDesc string `json:"error-desc"`
		}
		if err := vm.monitor.execute(ctx, query, nil, &is); err != nil {
			return err
		}
		switch is.Status {
		case "completed", "running":
			return nil
		case "failed", "cancelled", "internal-error", "shutdown":
			return errors.New(strings.TrimSpace(fmt.Sprintf("the migration of the machine is %s %s", is.Status, is.ErrorDesc)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-vm.ended:
			return errors.New("the emulator ended")
		case <-time.After(pollEvery):
		}
	}
}

// quote makes one word of the shell, which runs the command of an exec migration.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
