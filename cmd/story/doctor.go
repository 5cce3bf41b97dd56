package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syscallstory/container"
	"syscallstory/doctor"
	"syscallstory/from/node"
	"syscallstory/from/pod"
	"syscallstory/overlay"
	"syscallstory/story"
	"syscallstory/syscalls"
)

func (p *program) doctorCommand() *cobra.Command {
	var v view
	c := &cobra.Command{Use: "doctor", Short: "what this machine and this user can do, and what to do about what is missing", Args: cobra.NoArgs,
		Long: `Look at each feature that story uses, by trying it where trying leaves nothing behind.

Exit status: 0 if story run works for this user, 5 if it does not, 2 usage.`,
		RunE: func(*cobra.Command, []string) error {
			if err := v.check(); err != nil {
				return err
			}
			r := doctor.Examine(tryRun)
			if !r.Can["run"] {
				p.code = exitIncapable
			}
			w := newWriter(p.out, v)
			if v.output != "text" {
				return w.encode(r, map[string]string{"json": "  "}[v.output])
			}
			p.printReport(r, w)
			return nil
		}}
	v.flags(c.Flags())
	return c
}

// printReport prints a line a check.
func (p *program) printReport(r *doctor.Report, w *writer) {
	paint := map[doctor.Status]string{doctor.OK: "32", doctor.Missing: "31", doctor.Unknown: "33"}
	fmt.Fprintf(p.out, "Linux %s, %s, uid %d\n", r.Kernel.Release, r.Kernel.Arch, r.UID)
	for _, c := range r.Checks {
		status := fmt.Sprintf("%-8s", c.Status)
		if w.text.Color {
			status = "\x1b[" + paint[c.Status] + "m" + status + "\x1b[0m"
		}
		fmt.Fprintf(p.out, "%s %-32s %s\n", status, c.Name, c.Detail)
		if c.Status != doctor.OK {
			fmt.Fprintf(p.out, "%9sneeded for %s\n", "", strings.Join(c.NeededFor, ", "))
			if c.Advice != "" {
				fmt.Fprintf(p.out, "%9shelp: %s\n", "", c.Advice)
			}
		}
	}
	for _, name := range []string{"explain", "run"} {
		answer := "no"
		if r.Can[name] {
			answer = "yes"
		}
		fmt.Fprintf(p.out, "story %s: %s\n", name, answer)
	}
}

// tryRun launches a container of the embedded image and opens a file in it.
func tryRun() (string, error) {
	ws, err := pod.Parse("doctor", []byte("kind: Pod\nmetadata: {name: doctor}\nspec: {automountServiceAccountToken: false, containers: [{name: c, image: i, securityContext: {seccompProfile: {type: Unconfined}}}]}\n"))
	if err != nil {
		return "", err
	}
	here, err := (*node.Node)(nil).Localized(false)
	if err != nil {
		return "", err
	}
	w, err := ws[0].World(pod.Options{Rootfs: "embedded", Node: here, Merger: overlay.Merger{}})
	if err != nil {
		return "", err
	}
	plan, err := container.Prepare(w, container.Options{Rootless: os.Getuid() != 0})
	if err != nil {
		return "", err
	}
	call, err := syscalls.Parse(syscalls.X8664, `open("/etc/passwd", O_WRONLY)`)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	start := time.Now()
	o, err := plan.Perform(ctx, []syscalls.Made{{Call: call}})
	if err != nil {
		return "", err
	}
	if r := o.Results[0]; r.Ret < 0 {
		return "", fmt.Errorf("a file of the container's own could not be opened: %v", story.Errno(-r.Ret))
	}
	return fmt.Sprintf("launched, and a call made in it, in %.0f ms", float64(time.Since(start).Microseconds())/1000), nil
}
