package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestStreams(t *testing.T) {
	var line bytes.Buffer
	c := NewConn(&line)
	big := strings.Repeat("0123456789", 20000)
	if err := c.SendJSON(Ask, Request{Args: []string{"uname"}}); err != nil {
		t.Fatal(err)
	}
	w := c.Writer(Files)
	io.WriteString(w, big)
	w.Close()
	c.Send(Exited, []byte("{}"))

	var req Request
	if _, err := c.Expect(Ask, &req); err != nil || req.Args[0] != "uname" {
		t.Fatalf("%v, %v", req, err)
	}
	if got, err := io.ReadAll(c.Reader(Files)); err != nil || string(got) != big {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(big))
	}
	if _, err := c.Expect(Ready, nil); err == nil {
		t.Error("another kind than the expected one is no error")
	}
}

func TestOutOfStep(t *testing.T) {
	for _, in := range []string{"", "O", "O\xff\xff\xff\xff", "O\x05\x00\x00\x00ab"} {
		if _, _, err := NewConn(bytes.NewBufferString(in)).Receive(); err == nil {
			t.Errorf("%q is a frame", in)
		}
	}
	if err := NewConn(&bytes.Buffer{}).Send(Stdout, make([]byte, maxBody+1)); err == nil {
		t.Error("a frame that the other side refuses is sent")
	}
}
