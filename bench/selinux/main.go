// Command selinux measures story selinux beside Debian's setools and audit2why, as whole processes, on Debian's policy.
//
//	go run ./bench/selinux [-rounds 5] [-policy FILE]
//
// Both sides take turns; of each the median counts, of the CPU time that it and its children have used and of the time on the clock.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each is measured")
	policy := flag.String("policy", "/etc/selinux/default/policy/policy.33", "the policy that all are asked about")
	flag.Parse()
	if err := run(*rounds, *policy); err != nil {
		fmt.Fprintln(os.Stderr, "selinux:", err)
		os.Exit(1)
	}
}

// records are denials for want of a rule and by a constraint.
const records = `type=AVC msg=audit(1.0:1): avc:  denied  { write } for  pid=7 comm="x" name="shadow" scontext=system_u:system_r:sshd_t:s0 tcontext=system_u:object_r:tmp_t:s0 tclass=file permissive=0
type=AVC msg=audit(1.0:2): avc:  denied  { read } for  pid=8 comm="y" name="log" scontext=system_u:system_r:crond_t:s0 tcontext=system_u:object_r:httpd_log_t:s0:c1,c2 tclass=file permissive=0
type=AVC msg=audit(1.0:3): avc:  denied  { name_bind } for  pid=9 comm="z" src=81 scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:http_port_t:s0 tclass=tcp_socket permissive=0
`

// task is a question, and how each side is asked.
type task struct {
	what, peer  string
	story, args []string // the peer's, with its name
	input       string
}

func run(rounds int, policy string) error {
	for peer, pkg := range map[string]string{"sesearch": "setools", "audit2why": "policycoreutils-python-utils"} {
		if _, err := exec.LookPath(peer); err != nil {
			return fmt.Errorf("%s is not there: on Debian it is in %s", peer, pkg)
		}
	}
	dir, err := os.MkdirTemp("", "bench-selinux")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	story := filepath.Join(dir, "story")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", story, "./cmd/story")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %s", err, out)
	}
	one, _, _ := strings.Cut(records, "\n")
	at := []string{"--policy", policy}
	tasks := []task{
		{"query of a source, target and class", "sesearch", []string{"query", "--kind", "allow", "-s", "init_t", "-t", "var_log_t", "-c", "file"}, []string{"sesearch", "-A", "-s", "init_t", "-t", "var_log_t", "-c", "file", policy}, ""},
		{"query of all allow rules", "sesearch", []string{"query", "--kind", "allow"}, []string{"sesearch", "-A", policy}, ""},
		{"why, one request", "audit2why", []string{"why", "system_u:system_r:sshd_t:s0", "system_u:object_r:tmp_t:s0", "file", "write"}, []string{"audit2why", "-p", policy}, one + "\n"},
		{"avc, three records", "audit2why", []string{"avc", "-"}, []string{"audit2why", "-p", policy}, records},
	}
	fmt.Println("| what | story: CPU (clock) | peer | CPU (clock) | peer/story: CPU (clock) |\n|---|---|---|---|---|")
	for _, t := range tasks {
		var a, b [2][]time.Duration
		for range rounds {
			if err := measure(&a, append(append([]string{story, "selinux"}, t.story...), at...), t.input); err != nil {
				return err
			}
			if err := measure(&b, t.args, t.input); err != nil {
				return err
			}
		}
		x, y := median(a), median(b)
		fmt.Printf("| %s | %.3f s (%.3f) | %s | %.3f s (%.3f) | %.0f (%.0f) |\n", t.what, x[0], x[1], t.peer, y[0], y[1], y[0]/x[0], y[1]/x[1])
	}
	return nil
}

// measure runs a command once; an exit status of 1 is an answer.
func measure(into *[2][]time.Duration, args []string, input string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() > 1 || out.Len() == 0 {
		return fmt.Errorf("%s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	into[0] = append(into[0], cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	into[1] = append(into[1], wall)
	return nil
}

func median(of [2][]time.Duration) (seconds [2]float64) {
	for i := range of {
		slices.Sort(of[i])
		seconds[i] = of[i][len(of[i])/2].Seconds()
	}
	return seconds
}
