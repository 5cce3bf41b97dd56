package main

import (
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	const pass = `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":0.1}
`
	const skip = `{"Action":"output","Package":"p","Test":"TestKernelB","Output":"=== RUN   TestKernelB\n"}
{"Action":"output","Package":"p","Test":"TestKernelB","Output":"    b_test.go:3: run it as root\n"}
{"Action":"output","Package":"p","Test":"TestKernelB","Output":"--- SKIP: TestKernelB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestKernelB"}
`
	const fail = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:9: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p","Elapsed":0.1}
`
	const build = `{"ImportPath":"q","Action":"build-output","Output":"q.go:1: syntax error\n"}
{"ImportPath":"q","Action":"build-fail"}
{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
{"Action":"fail","Package":"q","Elapsed":0,"FailedBuild":"q"}
`
	const slow = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestSlow"}
{"Action":"output","Package":"p","Test":"TestSlow","Output":"panic: test timed out\n"}
`
	const slowEnd = `{"Action":"output","Package":"p","Output":"FAIL\tp\t3s\n"}
{"Action":"fail","Package":"p","Elapsed":3}
`
	const main = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"leak found\n"}
`
	const sub = `{"Action":"output","Package":"p","Test":"TestKernelB/low","Output":"    b_test.go:3: no strace,\n"}
{"Action":"output","Package":"p","Test":"TestKernelB/low","Output":"        install it\n"}
{"Action":"skip","Package":"p","Test":"TestKernelB/low"}
`
	for _, c := range []struct {
		name, in   string
		kernel, ok bool
		want       []string
	}{
		{"all pass", pass, true, true, []string{"1 passed, 0 failed, 0 skipped"}},
		{"a kernel test is skipped without root", pass + skip, false, true, []string{"skipped: p TestKernelB: b_test.go:3: run it as root", "1 passed, 0 failed, 1 skipped"}},
		{"a kernel test is skipped as root on Debian", pass + skip, true, false, []string{"must run; skipped were 1"}},
		{"a test fails", fail, false, false, []string{"c_test.go:9: wrong", "FAIL  p", "0 passed, 1 failed, 0 skipped"}},
		{"a package does not build", pass + build, false, false, []string{"q.go:1: syntax error", "FAIL  q", "1 passed, 1 failed, 0 skipped"}},
		{"a part of a kernel test is skipped", sub + pass, true, false, []string{"skipped: p TestKernelB/low: b_test.go:3: no strace, install it", "1 passed, 0 failed, 1 skipped"}},
		{"a test ran out of time", slow + slowEnd, false, false, []string{"panic: test timed out", "FAIL: TestSlow: it did not end", "FAIL  p", "0 passed, 1 failed, 0 skipped"}},
		{"the stream ends in a test", slow, false, false, []string{"panic: test timed out", "FAIL  p", "0 passed, 1 failed, 0 skipped"}},
		{"the stream ends between tests", main, false, false, []string{"leak found", "did not end", "FAIL  p", "1 passed, 1 failed, 0 skipped"}},
		{"the package fails after its tests", main + `{"Action":"fail","Package":"p"}`, false, false, []string{"leak found", "FAIL  p", "1 passed, 1 failed, 0 skipped"}},
		{"nothing ran", "", false, false, []string{"no package was tested"}},
		{"the go command speaks", "go: no such tool\n" + pass, false, true, []string{"go: no such tool"}},
	} {
		var out strings.Builder
		ok, err := summarize(strings.NewReader(c.in), &out, c.kernel)
		if err != nil || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v\n%s", c.name, ok, err, c.ok, out.String())
		}
		for _, w := range c.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: %q is missing in\n%s", c.name, w, out.String())
			}
		}
	}
}
