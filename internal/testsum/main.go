// Command testsum reads the output of go test -json, prints a line a package and what failed, and ends with the tests that
// were skipped, with their reasons, and the line "N passed, N failed, N skipped". It fails if a test failed, and also, as
// root on Debian, where everything is there that they need, if a test against the kernel was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
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
	running         map[string][]string // by package: "" for itself, and tests that have begun and not ended
	kernelMustRun   bool
	skippedOnKernel []string
}

// summarize reads events to their end; ok says whether everything passed that had to run.
func summarize(in io.Reader, out io.Writer, kernelMustRun bool) (ok bool, err error) {
	s := &summary{out: out, output: map[string][]string{}, running: map[string][]string{}, kernelMustRun: kernelMustRun, failedPkg: map[string]bool{}}
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
	case "start", "run":
		s.running[e.Package] = append(s.running[e.Package], e.Test)
	case "pass", "skip", "fail":
		if i := slices.Index(s.running[e.Package], e.Test); i >= 0 {
			s.running[e.Package] = slices.Delete(s.running[e.Package], i, i+1)
		}
	}
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
		return
	case "build-output":
		fmt.Fprint(s.out, e.Output)
		return
	case "pass":
		if e.Test == "" {
			s.packages++
			fmt.Fprintf(s.out, "ok    %-32s %6.1fs\n", e.Package, e.Elapsed)
		} else {
			s.passed++
			s.seed(e, s.output[key])
		}
	case "skip":
		if e.Test != "" {
			s.skip(e, s.output[key])
		} else {
			s.packages++
		}
	case "fail":
		s.fail(e, s.output[key])
	}
	delete(s.output, key)
}

var seedLine = regexp.MustCompile(`: (seed \d+)$`)

// seed prints the seed of a test that makes random cases.
func (s *summary) seed(e *event, output []string) {
	for _, l := range output {
		if m := seedLine.FindStringSubmatch(strings.TrimSpace(l)); m != nil {
			fmt.Fprintf(s.out, "      %s: %s\n", e.Test, m[1])
		}
	}
}

// skip notes a skipped test with its reason, the last that it has logged.
func (s *summary) skip(e *event, output []string) {
	reason := "no reason given"
	for _, l := range output {
		more := strings.HasPrefix(l, "        ") // the log's further lines stand deeper
		l = strings.TrimSpace(l)
		switch {
		case l == "" || strings.HasPrefix(l, "===") || strings.HasPrefix(l, "---"):
		case more:
			reason += " " + l
		default:
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
	if e.Test == "" {
		s.unfinished(e.Package)
	}
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

// unfinished fails the tests of a package that have begun and not ended: it ran out of time, or a test ended the process.
func (s *summary) unfinished(pkg string) {
	for _, test := range s.running[pkg] {
		if test == "" {
			continue
		}
		s.failed++
		s.failedPkg[pkg] = true
		fmt.Fprint(s.out, strings.Join(s.output[pkg+" "+test], ""))
		fmt.Fprintf(s.out, "--- FAIL: %s: it did not end\n", test)
	}
	delete(s.running, pkg)
}

func (s *summary) end() bool {
	for _, pkg := range slices.Sorted(maps.Keys(s.running)) { // the go command was ended in the middle
		if slices.Contains(s.running[pkg], "") {
			s.fail(&event{Package: pkg}, append(s.output[pkg+" "], "the package's tests did not end\n"))
		}
	}
	slices.Sort(s.skips)
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
