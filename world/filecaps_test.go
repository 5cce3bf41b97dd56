package world

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"syscallstory/kernel"
)

func TestFileCaps(t *testing.T) {
	for _, c := range []struct{ hex, want string }{
		{"0100000200200000000000000000000000000000", "cap_net_raw=ep"},
		{"0000000200200000010000000000000000000000", "cap_net_raw=p cap_chown=i"},
		{"0100000203000000010000000000000000000000", "cap_chown=eip cap_dac_override=ep"},
		{"0000000200000000000000000100000000000000", "cap_mac_override=p"},
		{"0100000300200000000000000000000000000000a0860100", "cap_net_raw=ep [rootid=100000]"},
		{"010000010020000000000000", "cap_net_raw=ep"},
		{"0000000200000000000000000000000000000000", "="},
		{"00000002ffffffff00000000ff01000000000000", "all=p"},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFileCaps(b)
		if err != nil || f.String() != c.want {
			t.Errorf("%s: %s, %v; want %s", c.hex, f, err, c.want)
		}
		if got := f.AppendXattr(nil); !bytes.Equal(got, b) {
			t.Errorf("%s is written as %x", c.hex, got)
		}
	}
	for text, want := range map[string]string{"": "0 bytes", "010000": "3 bytes", "01000002": "4 bytes: version 2 has 20", "0300000200200000000000000000000000000000": "unknown flags 0x2",
		"0100000400200000000000000000000000000000": "version 4", "010000020020000000000000000000000000000000": "21 bytes", "0100000300200000000000000000000000000000": "20 bytes: version 3 has 24"} {
		b, _ := hex.DecodeString(text)
		if _, err := ParseFileCaps(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if got := (FileCaps{}).String(); got != "not valid" {
		t.Error(got)
	}
	if got := (FileCaps{Version: 2, Permitted: Caps(kernel.CapBpf) | 1<<50}).String(); got != "cap_bpf,cap_50=p" {
		t.Error(got)
	}
}

func FuzzFileCaps(f *testing.F) {
	for _, text := range []string{"0100000200200000000000000000000000000000", "0100000300200000000000000000000000000000a0860100", "010000010020000000000000"} {
		b, _ := hex.DecodeString(text)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseFileCaps(b)
		if err != nil {
			return
		}
		if got := c.AppendXattr(nil); !bytes.Equal(got, b) {
			t.Errorf("%x is written as %x", b, got)
		}
		_ = c.String()
	})
}
