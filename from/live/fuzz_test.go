//go:build linux

package live

import (
	"os"
	"reflect"
	"testing"
)

func TestParseMountinfo(t *testing.T) {
	text := "36 35 98:0 /mnt1 /mnt\\0402\\012\\134 ro,noatime,nosuid,idmapped shared:7 master:1 propagate_from:2 - ext3 /dev/ro\\040ot rw,errors=continue\n" +
		"37 36 0:30 /gone//deleted /x rw - overlay overlay rw,lowerdir=/a\\134:b:/c::/d,upperdir=/u\\054p,redirect_dir=on\n"
	got, err := parseMountinfo([]byte(text))
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if m := got[0]; m.point != "/mnt 2\n\\" || m.source != "/dev/ro ot" || m.group != 7 || m.master != 1 || !m.idmapped || m.flags.String() != "ro,nosuid" || m.readOnlySuper() || m.dev != (device{98, 0}) || m.line != 1 {
		t.Errorf("%+v", m)
	}
	upper, lower, data := layerPaths(&got[1])
	if got[1].root != "/gone"+deletedRoot || upper != "/u,p" || !reflect.DeepEqual(lower, []string{"/a:b", "/c"}) || !reflect.DeepEqual(data, []string{"/d"}) {
		t.Errorf("%+v: %q %q %q", got[1], upper, lower, data)
	}
	for _, bad := range []string{"", "1 2 3", "x 2 0:1 / / rw - a b c", "1 2 0:1 / / rw a b c", "1 2 zero:1 / / rw - a b c"} {
		if _, err := parseMountLine(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func FuzzMountinfo(f *testing.F) {
	if text, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		f.Add(text)
	}
	f.Add([]byte("36 35 98:0 /a//deleted /b\\0402 rw,noatime master:1 - overlay none rw,lowerdir+=/a,lowerdir=/b\\:c:/d\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseMountinfo(text)
		if err != nil {
			return
		}
		for i := range all {
			layerPaths(&all[i])
			all[i].readOnlySuper()
		}
	})
}

func FuzzIDMap(f *testing.F) {
	f.Add([]byte("0 100000 65536\n65536 0 1\n"), []byte("0 1000 70000\n"))
	f.Fuzz(func(t *testing.T, inner, outer []byte) {
		a, err := parseIDMap(inner)
		b, also := parseIDMap(outer)
		if err != nil || also != nil {
			return
		}
		composed := compose(a, b)
		for _, id := range []uint32{0, 1, 1000, 65535, 65536, 1 << 31} {
			if k, ok := composed.Down(id); ok {
				mid, there := a.Down(id)
				if want, also := b.Down(mid); len(a) == 1 && len(b) == 1 && (!there || !also || want != k) {
					t.Errorf("%d: %d, want %d", id, k, want)
				}
			}
		}
	})
}

func FuzzDevices(f *testing.F) {
	f.Add([]byte("c 1:3 rwm\nb *:* m\na *:* rwm\n"))
	f.Fuzz(func(t *testing.T, text []byte) { parseDevices(text) })
}
