package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain is host, services and containers too.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && strings.Contains("host service container", os.Args[1]) {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestKernelScenes: each scene ends as it was foretold, and the six are what docs/propagation.md says.
func TestKernelScenes(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it makes mounts: run it as root")
	}
	cmd := again("host", t.TempDir())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, nil, nil
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	doc, err := os.ReadFile("../../docs/propagation.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.Contains(line, "/data\"") || strings.HasPrefix(line, "looked:") { // with the directory of this run
			continue
		}
		if !strings.Contains(string(doc), line) {
			t.Errorf("docs/propagation.md does not say %q", line)
		}
	}
	if t.Logf("%s", out); strings.Count(string(out), "done: ") != 5 {
		t.Error("five of the six containers start")
	}
}
