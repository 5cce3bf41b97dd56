// Command mounts measures story mounts tree and what-if beside findmnt (util-linux) on many mounts in many mount namespaces.
//
//	go run ./bench/mounts [-rounds 5] [-all]
//
// It needs root. The mounts are binds in a namespace of its own, of which the others are copies, so that each mount has a peer in every one.
// findmnt shows one namespace a run and is run once for each; story reads all of them in one run, and says who gets events from whom.
// With -all there are also 10,000 mounts in 200 namespaces: each is measured once then, and findmnt in ten of them, times twenty; it takes many
// minutes and some gigabytes.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each is measured; the median counts")
	all := flag.Bool("all", false, "two million mounts too")
	flag.Parse()
	if err := run(*rounds, *all, os.Getenv("BENCH_MOUNTS")); err != nil {
		fmt.Fprintln(os.Stderr, "mounts:", err)
		os.Exit(1)
	}
}

func run(rounds int, all bool, dir string) error {
	if os.Getuid() != 0 {
		return fmt.Errorf("it makes mounts: run it as root")
	}
	if dir != "" {
		return measure(rounds, all, dir)
	}
	dir, err := os.MkdirTemp("", "bench-mounts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+"/story", "./cmd/story")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %s", err, out)
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), "BENCH_MOUNTS="+dir)
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	return again.Run()
}

// measure makes the mounts of each size, the namespaces, and prints a row.
func measure(rounds int, all bool, dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	at := dir + "/m"
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("bench", at, "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := unix.Mount("", at, "", unix.MS_SHARED, ""); err != nil {
		return err
	}
	fmt.Println("| mounts | namespaces | story mounts tree | its peak memory | findmnt, once a namespace | story what-if |\n|---|---|---|---|---|---|")
	made := 0
	for _, n := range []int{100, 1000, 10_000} {
		for ; made < n; made++ {
			p := at + "/" + strconv.Itoa(made)
			if err := os.Mkdir(p, 0o755); err != nil {
				return err
			}
			if err := unix.Mount(p, p, "", unix.MS_BIND, ""); err != nil {
				return err
			}
		}
		for _, k := range []int{1, 10, 200} {
			if n*k > 200_000 && !all {
				continue
			}
			if err := row(rounds, dir, n, k); err != nil {
				return err
			}
		}
	}
	return nil
}

func row(rounds int, dir string, n, k int) error {
	var args []string
	var pids []int
	for range k {
		c, err := sleeper()
		if err != nil {
			return err
		}
		defer c.end()
		pids = append(pids, c.Process.Pid)
		args = append(args, "--pid", strconv.Itoa(c.Process.Pid))
	}
	times, memory, shown := [3][]time.Duration{}, int64(0), k
	if n*k > 200_000 {
		rounds, shown = 1, 10
	}
	for range rounds {
		for i, f := range []func() error{
			func() error {
				c := exec.Command(dir+"/story", append([]string{"mounts", "tree"}, args...)...)
				err := c.Run()
				if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
					memory = max(memory, u.Maxrss>>10)
				}
				return err
			},
			func() error {
				for _, pid := range pids[:shown] {
					if err := exec.Command("findmnt", "--task", strconv.Itoa(pid), "-o", "TARGET,SOURCE,FSTYPE,OPTIONS,PROPAGATION").Run(); err != nil {
						return err
					}
				}
				return nil
			},
			func() error { return exec.Command(dir+"/story", "mounts", "what-if", "mount "+dir+"/m/new").Run() },
		} {
			start := time.Now()
			if err := f(); err != nil {
				return err
			}
			took := time.Since(start)
			if i == 1 {
				took = took * time.Duration(k) / time.Duration(shown)
			}
			times[i] = append(times[i], took)
		}
	}
	cells := []string{strconv.Itoa(n), strconv.Itoa(k)}
	for i, t := range times {
		slices.Sort(t)
		cells = append(cells, fmt.Sprintf("%.0f (%.0f to %.0f) ms", ms(t[len(t)/2]), ms(t[0]), ms(t[len(t)-1])))
		if i == 0 {
			cells = append(cells, fmt.Sprintf("%d MB", memory))
		}
	}
	fmt.Println("| " + strings.Join(cells, " | ") + " |")
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// resting is a process in a mount namespace of its own.
type resting struct {
	*exec.Cmd
	end func()
}

func sleeper() (*resting, error) {
	cmd := exec.Command("/bin/sh", "-c", "echo ready; read end")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return nil, err
	}
	return &resting{cmd, func() { in.Close(); cmd.Wait() }}, nil
}
