package syscalls

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePrints(t *testing.T) {
	for in, want := range map[string]string{
		`open("/test-pd/file.log", O_WRONLY)`:                                                                    `open("/test-pd/file.log", O_WRONLY)`,
		`openat(AT_FDCWD, "/x", O_WRONLY|O_CREAT, 0644)`:                                                         `openat(AT_FDCWD, "/x", O_WRONLY|O_CREAT, 0644)`,
		`[pid  7] 12:00:01.5 openat(3</var/l\>og>, "a\nb\303\251", 0x8000) = -1 EACCES (Permission denied)`:      `openat(3</var/l\>og>, "a\nb\303\251", O_RDONLY|O_LARGEFILE)`,
		`4711 openat(AT_FDCWD</home>, "x", O_RDWR|O_TMPFILE, 0600) = 3</tmp/#12>`:                                `openat(AT_FDCWD</home>, "x", O_RDWR|O_TMPFILE, 0600)`,
		`openat2(AT_FDCWD, "x", {flags=O_RDWR|O_CREAT, mode=0600, resolve=RESOLVE_BENEATH|RESOLVE_IN_ROOT}, 24)`: `openat2(AT_FDCWD, "x", {flags=O_RDWR|O_CREAT, mode=0600, resolve=RESOLVE_BENEATH|RESOLVE_IN_ROOT}, 24)`,
		`openat2(AT_FDCWD, "x", {flags=O_RDONLY, resolve=0x80})`:                                                 `openat2(AT_FDCWD, "x", {flags=O_RDONLY, resolve=0x80}, 24)`,
		`stat("/x")`: `stat("/x")`,
		`stat("/x", {st_mode=S_IFREG|0644, st_size=5}) = 0`:   `stat("/x", {st_mode=S_IFREG|0644, st_size=5})`,
		`fstatat(AT_FDCWD, "x", 0x7ffc, AT_SYMLINK_NOFOLLOW)`: `newfstatat(AT_FDCWD, "x", 0x7ffc, AT_SYMLINK_NOFOLLOW)`,
		`access("/x", R_OK|W_OK)`:                             `access("/x", R_OK|W_OK)`,
		`access("/x", F_OK)`:                                  `access("/x", F_OK)`,
		`access("/x", 8)`:                                     `access("/x", 0x8)`,
		`open(NULL, O_RDONLY)`:                                `open(NULL, O_RDONLY)`,
		`open(0xdead, O_RDONLY)`:                              `open(0xdead, O_RDONLY)`,
		`mknod("/d", S_IFCHR|0600, 0x103)`:                    `mknod("/d", S_IFCHR|0600, 259)`,
		`add_key("user", "name", "payload", 7, -3)`:           `add_key("user", "name", "payload", 7, KEY_SPEC_SESSION_KEYRING)`,
		`getpid()`:      `getpid()`,
		`open("/x", 3)`: `open("/x", O_ACCMODE)`,
	} {
		c, err := Parse(X8664, in)
		if err != nil {
			t.Errorf("Parse(%s): %v", in, err)
			continue
		}
		if got := c.String(); got != want {
			t.Errorf("Parse(%s) prints\n%s, want\n%s", in, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		``:                                 "column 1: a call begins with its name",
		`opne("/x", 0)`:                    "column 1: unknown syscall opne; did you mean open",
		`open("/x", O_WRONYL)`:             "column 12: unknown flag O_WRONYL; did you mean O_WRONLY",
		`open("/x", O_CREAT)`:              "column 19: O_CREAT and O_TMPFILE need a mode",
		`open("/x`:                         "column 6: the string is not closed",
		`open("/x", 0`:                     "column 13: the call is not closed with )",
		`open("/x"..., 0)`:                 "column 6: the string is cut off",
		`open("\q", 0)`:                    "column 7: unknown escape",
		`open("/x", 0, 0, 0)`:              "column 18: open takes 3 arguments",
		`open("/x") `:                      "open takes 3 arguments, 1 are given",
		`open(5, 0)`:                       "column 6: a path is written in quotes",
		`openat("x", "x", 0)`:              "column 8: a number is expected here, not a string",
		`openat(AT_FDCDW, "x", 0)`:         "column 8: unknown name AT_FDCDW: write its number; did you mean AT_FDCWD",
		`open("/x", 0) x`:                  "column 15: nothing is expected behind the call",
		`open("/x",  <unfinished ...>`:     "the call is unfinished",
		`openat2(3, "x", {flag=O_RDONLY})`: "column 18: openat2's structure has no field flag; did you mean flags",
		`open("/x", 08)`:                   `"08" is not a number`,
		`open("/x", 0) = -1 EFOO`:          "unknown errno EFOO",
		"open(\"" + strings.Repeat("x", MaxLen) + "\", 0)": "a call has at most 65536 bytes",
	} {
		_, err := Parse(X8664, in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40s): %v, want %q", in, err, want)
		}
	}
	if _, err := Parse(ARM64, `open("/x", 0)`); err == nil || !strings.Contains(err.Error(), "does not exist on arm64") {
		t.Errorf("arm64 has no open: %v", err)
	}
}

func TestResult(t *testing.T) {
	_, r, err := ParseLine(X8664, `open("/x", 0) = -1 ENOENT (No such file or directory)`)
	if err != nil || !r.Known || r.Ret != -1 || r.Errno.Name() != "ENOENT" {
		t.Errorf("%+v, %v", r, err)
	}
	_, r, err = ParseLine(X8664, `open("/x", 0) = 3</x>`)
	if err != nil || !r.Known || r.Ret != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRegisters(t *testing.T) {
	c, err := Parse(X8664, `openat(AT_FDCWD, "/x", O_RDWR|O_CREAT, 0644)`)
	if err != nil {
		t.Fatal(err)
	}
	regs, unknown := c.Registers()
	if unknown != 0b0010 || regs[0] != 1<<64-100 || regs[2] != 0o102 || regs[3] != 0o644 {
		t.Errorf("%x, unknown %b", regs, unknown)
	}
	c, err = Parse(ARM64, `openat(AT_FDCWD, "/x", O_DIRECTORY|O_NOFOLLOW)`)
	if err != nil {
		t.Fatal(err)
	}
	if regs, _ = c.Registers(); regs[2] != 0o140000 {
		t.Errorf("arm64's O_DIRECTORY|O_NOFOLLOW is 0140000, got %#o", regs[2])
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		abi  ABI
		name string
		nr   uint32
	}{{X8664, "openat", 257}, {I386, "openat", 295}, {ARM64, "openat", 56}, {X32, "openat", X32Bit | 257}, {X32, "readv", X32Bit | 515}, {X8664, "openat2", 437}, {X32, "fchmodat2", X32Bit | 452}, {I386, "socketcall", 102}} {
		if nr, ok := Lookup(c.abi, c.name); !ok || nr != c.nr {
			t.Errorf("Lookup(%v, %s) = %d, %v; want %d", c.abi, c.name, nr, ok, c.nr)
		}
		if name, ok := Name(c.abi, c.nr); !ok || name != c.name {
			t.Errorf("Name(%v, %d) = %s, %v; want %s", c.abi, c.nr, name, ok, c.name)
		}
	}
	if _, ok := Name(X8664, 999999); ok {
		t.Error("999999 is no syscall")
	}
	for _, c := range []struct {
		abi          ABI
		name         string
		major, minor int
	}{{X8664, "openat2", 5, 6}, {X8664, "open", 0, 0}, {I386, "socket", 4, 3}, {X8664, "socket", 0, 0}, {ARM64, "fchmodat2", 6, 6}, {X8664, "inotify_init", 2, 6}} {
		if a, b := Since(c.abi, c.name); a != c.major || b != c.minor {
			t.Errorf("Since(%v, %s) = %d.%d", c.abi, c.name, a, b)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`open("/x", O_RDONLY)`, `openat2(3</a>, "x", {flags=O_RDWR, mode=0, resolve=RESOLVE_BENEATH}, 24)`, `stat("/x", {a=[1, "b"]}) = 0`, `add_key("u", NULL, 0x7f, 3|4, -3)`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(X8664, s)
		if err != nil {
			return
		}
		again, err := Parse(X8664, c.String())
		if err != nil {
			t.Fatalf("%q prints as %q, which does not parse: %v", s, c.String(), err)
		}
		if again.String() != c.String() {
			t.Fatalf("%q prints as %q, then as %q", s, c.String(), again.String())
		}
		if diff := cmp.Diff(c, again); diff != "" && !strings.Contains(s, "S_I") {
			t.Fatalf("%q: %s", s, diff)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(X8664, `openat(AT_FDCWD, "/test-pd/file.log", O_WRONLY|O_CREAT|O_CLOEXEC, 0644)`); err != nil {
			b.Fatal(err)
		}
	}
}
