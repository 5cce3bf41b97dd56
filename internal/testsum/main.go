// Command testsum reads the output of go test -json, prints a line a package and what failed, and ends with the tests that
// were skipped, with their reasons, and the line "N passed, N failed, N skipped". It fails if a test failed, and also, as
// root on Debian, where everything is there that they need, if a test against the kernel was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

// event is a line of go test -json.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

func main() {
	_, err := os.Stat("/etc/debian_version")
	ok, err := summarize(os.Stdin, os.Stdout, os.Getuid() == 0 && err == nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// summary is what has been seen so far.
type summary struct {
	out             io.Writer
	passed, failed  int
	packages        int
	skips           []string
	failedPkg       map[string]bool // packages that failed outside of any test
	output          map[string][]string
	kernelMustRun   bool
	skippedOnKernel []string
}

// summarize reads events to their end; ok says whether everything passed that had to run.
func summarize(in io.Reader, out io.Writer, kernelMustRun bool) (ok bool, err error) {
	s := &summary{out: out, output: map[string][]string{}, kernelMustRun: kernelMustRun, failedPkg: map[string]bool{}}
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(out, "%s", line) // not from the test binary: the go command speaks
			} else {
				s.event(&e)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
	}
	return s.end(), nil
}

func (s *summary) event(e *event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "pass":
		if e.Test == "" {
			s.packages++
			fmt.Fprintf(s.out, "ok    %-32s %6.1fs\n", e.Package, e.Elapsed)
		} else {
			s.passed++
		}
		delete(s.output, key)
	case "skip":
		if e.Test != "" {
			s.skip(e, s.output[key])
		} else {
			s.packages++
		}
	case "fail":
		s.fail(e, s.output[key])
	}
}

// skip notes a skipped test with its reason, the last line that it has printed.
func (s *summary) skip(e *event, output []string) {
	reason := "no reason given"
	for _, l := range output {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "===") && !strings.HasPrefix(l, "---") {
			reason = l
		}
	}
	line := fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason)
	s.skips = append(s.skips, line)
	if strings.HasPrefix(e.Test, "TestKernel") {
		s.skippedOnKernel = append(s.skippedOnKernel, line)
	}
}

func (s *summary) fail(e *event, output []string) {
	switch {
	case e.Test != "":
		s.failed++
		s.failedPkg[e.Package] = true
		fmt.Fprint(s.out, strings.Join(output, ""))
	case !s.failedPkg[e.Package]: // it did not build, or ended without a test's failure
		s.failed++
		fmt.Fprint(s.out, strings.Join(output, ""))
		fallthrough
	default:
		s.packages++
		fmt.Fprintf(s.out, "FAIL  %-32s %6.1fs\n", e.Package, e.Elapsed)
	}
}

func (s *summary) end() bool {
	sort.Strings(s.skips)
	for _, l := range s.skips {
		fmt.Fprintln(s.out, "skipped:", l)
	}
	ok := s.failed == 0 && s.packages > 0
	if s.packages == 0 {
		fmt.Fprintln(s.out, "no package was tested")
	}
	if s.kernelMustRun && len(s.skippedOnKernel) > 0 {
		ok = false
		fmt.Fprintf(s.out, "as root on Debian the tests against the kernel must run; skipped were %d\n", len(s.skippedOnKernel))
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, len(s.skips))
	return ok
}
