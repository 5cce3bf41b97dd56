package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"syscallstory/seccomp"
)

// driver is the C program around libseccomp: it compiles the rules n times, writes the last program to its output and the CPU
// time and the library's version to standard error.
const driver = `#define _GNU_SOURCE
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

struct rule { unsigned action; int nr; unsigned n; struct scmp_arg_cmp arg[6]; };
static const struct rule rules[] = {
%s};

int main(int argc, char **argv)
{
	int level = atoi(argv[1]), n = atoi(argv[2]), fd = memfd_create("filter", 0);
	struct rusage a, b;
	getrusage(RUSAGE_SELF, &a);
	while (n--) {
		scmp_filter_ctx ctx = seccomp_init(%#xu);
		if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, level))
			return 2;
		for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
			if (seccomp_rule_add_array(ctx, rules[i].action, rules[i].nr, rules[i].n, rules[i].arg)) {
				fprintf(stderr, "rule on %%d refused\n", rules[i].nr);
				return 3;
			}
		if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET) || seccomp_export_bpf(ctx, fd))
			return 4;
		seccomp_release(ctx);
	}
	getrusage(RUSAGE_SELF, &b);
	long us = (b.ru_utime.tv_sec - a.ru_utime.tv_sec + b.ru_stime.tv_sec - a.ru_stime.tv_sec) * 1000000L + b.ru_utime.tv_usec - a.ru_utime.tv_usec + b.ru_stime.tv_usec - a.ru_stime.tv_usec;
	const struct scmp_version *v = seccomp_version();
	fprintf(stderr, "%%ld %%u.%%u.%%u", us, v->major, v->minor, v->micro);
	static char buf[4096 * 8];
	ssize_t len = pread(fd, buf, sizeof buf, 0);
	return write(1, buf, len) == len ? 0 : 5;
}
`

// libseccompCompilers builds the driver in a directory and returns libseccomp with both of its levels of optimisation.
func libseccompCompilers(p *policy, dir string) ([]compiler, error) {
	var rules strings.Builder
	for _, c := range p.calls {
		if c.when == nil {
			fmt.Fprintf(&rules, "\t{ %#xu, %d, 0, {} },\n", uint32(c.action), c.nr)
		}
		for _, alt := range c.when {
			fmt.Fprintf(&rules, "\t{ %#xu, %d, %d, {", uint32(c.action), c.nr, len(alt))
			for _, a := range alt {
				// enum scmp_compare is in the order of the operators here, from 1.
				fmt.Fprintf(&rules, " { %d, %d, %#xull, %#xull },", a.Index, a.Op+1, a.Value, a.ValueTwo)
			}
			rules.WriteString(" } },\n")
		}
	}
	source, program := filepath.Join(dir, "driver.c"), filepath.Join(dir, "driver")
	if err := os.WriteFile(source, fmt.Appendf(nil, driver, rules.String(), uint32(p.fallback)), 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.Command("gcc", "-O2", "-o", program, source, "-lseccomp").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gcc: %v: %s", err, out)
	}
	run := func(level, n int) (seccomp.Program, time.Duration, string, error) {
		cmd := exec.Command(program, fmt.Sprint(level), fmt.Sprint(n))
		var out, msg bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &msg
		if err := cmd.Run(); err != nil {
			return nil, 0, "", fmt.Errorf("libseccomp: %v: %s", err, &msg)
		}
		var us int64
		var version string
		if _, err := fmt.Sscan(msg.String(), &us, &version); err != nil {
			return nil, 0, "", fmt.Errorf("libseccomp: %q: %v", &msg, err)
		}
		prog, err := seccomp.ParseRaw(out.Bytes())
		return prog, time.Duration(us) * time.Microsecond, version, err
	}
	_, _, version, err := run(1, 1)
	if err != nil {
		return nil, err
	}
	var out []compiler
	for level, shape := range map[int]string{1: "linear", 2: "tree"} {
		out = append(out, compiler{"libseccomp " + version + ", " + shape, func(n int) (seccomp.Program, time.Duration, error) {
			p, d, _, err := run(level, n)
			return p, d, err
		}})
	}
	if strings.HasSuffix(out[0].name, "tree") {
		out[0], out[1] = out[1], out[0]
	}
	return out, nil
}
