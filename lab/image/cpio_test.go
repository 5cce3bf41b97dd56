package image

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"
)

// list reads an archive back: "name mode size contents" of each entry.
func list(t *testing.T, b []byte) []string {
	t.Helper()
	var all []string
	for {
		if len(b) < 110 || string(b[:6]) != "070701" {
			t.Fatalf("no header in %.40q behind %q", b, all)
		}
		field := func(i int) int {
			v, err := strconv.ParseUint(string(b[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(v)
		}
		mode, size, nameSize := field(1), field(6), field(11)
		body := (110 + nameSize + 3) &^ 3
		name := strings.TrimSuffix(string(b[110:110+nameSize]), "\x00")
		if name == trailer {
			return all
		}
		all = append(all, fmt.Sprintf("%s %o %d %s", name, mode, size, b[body:body+size]))
		b = b[(body+size+3)&^3:]
	}
}

func TestWrite(t *testing.T) {
	var b bytes.Buffer
	err := Write(&b, []File{
		{Name: "lab/x", Mode: 0o644, Data: []byte("12345")},
		{Name: "init", Mode: 0o755, Data: []byte("first")},
		{Name: "bin/sh", Mode: fs.ModeSymlink, Data: []byte("busybox")},
		{Name: "tmp", Mode: fs.ModeDir | 0o700},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(list(t, b.Bytes()), "\n")
	want := "bin 40755 0 \nbin/sh 120777 7 busybox\ninit 100755 5 first\nlab 40755 0 \nlab/x 100644 5 12345\ntmp 40700 0 "
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := Write(&b, []File{{Name: "pipe", Mode: fs.ModeNamedPipe}}); err == nil {
		t.Error("a FIFO has no place in an image")
	}
}
