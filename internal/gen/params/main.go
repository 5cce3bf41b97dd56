// Command params writes the names and C types of every syscall's parameters, as the running kernel's trace events state them
// (it must be built with CONFIG_FTRACE_SYSCALLS). It needs root; tracefs is mounted in a private namespace:
//
//	unshare -m sh -c 'mount -t tracefs tracefs /mnt && go run ./internal/gen/params -tracefs /mnt -o syscalls/params.txt'
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"syscallstory/syscalls"
)

// renamed are calls whose functions bear other names than the calls of x86_64.
var renamed = map[string]string{"newstat": "stat", "newlstat": "lstat", "newfstat": "fstat", "newuname": "uname", "umount": "umount2", "sendfile64": "sendfile"}

var field = regexp.MustCompile(`(?m)^\tfield:(.+?) ?(\w+);\toffset:(\d+);`)

func main() {
	root := flag.String("tracefs", "/sys/kernel/tracing", "where tracefs is mounted")
	out := flag.String("o", "", "file to write")
	flag.Parse()
	dirs, err := filepath.Glob(filepath.Join(*root, "events/syscalls/sys_enter_*"))
	if err != nil || len(dirs) == 0 {
		log.Fatalf("%s has no syscall events", *root)
	}
	var lines []string
	for _, dir := range dirs {
		name := strings.TrimPrefix(filepath.Base(dir), "sys_enter_")
		if n, ok := renamed[name]; ok {
			name = n
		}
		if !syscalls.Exists(name) {
			log.Printf("no call is named %s", name)
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "format"))
		if err != nil {
			log.Fatal(err)
		}
		var params []string
		for _, m := range field.FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(m[2], "common_") || m[2] == "__syscall_nr" {
				continue
			}
			params = append(params, strings.ReplaceAll(m[1], " *", "*")+" "+m[2])
		}
		lines = append(lines, name+": "+strings.Join(params, ", "))
	}
	slices.Sort(lines)
	if err := os.WriteFile(*out, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(lines), "calls")
}
