package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscallstory/world"
)

const spec = `#mtree
/set uid=0 gid=0 mode=0755
. type=dir
./etc type=dir
./etc/passwd type=file mode=0644 size=30 acl=user::rw-,user:7:r--,group::r--,mask::r--,other::---
./etc/with\040blank type=link link=passwd
./dev type=dir mode=1777
./dev/null type=char device=native,1,3 mode=0666 uid=3
./dev/gone type=char device=native,0,0
./dev/kept type=file flags=schg,sappnd
`

func TestTree(t *testing.T) {
	w := world.New()
	id, err := Tree(w, world.SB{Type: "ext4"}, "t.mtree", []byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	root := world.Path{Dentry: w.FS.SB(id).Root}
	ino := func(p string) *world.Inode {
		at, rest, st := w.Resolve(root, root, p)
		if st != world.Present {
			t.Fatalf("%s: %q is missing", p, rest)
		}
		return w.FS.I(at.Dentry)
	}
	if i := ino("/etc/passwd"); i.Size != 30 || len(i.ACL) != 5 || i.Mode != world.TypeReg|0o644 {
		t.Errorf("%+v", i)
	}
	if i := ino("/etc/with blank"); i.Size != 30 {
		t.Errorf("the link does not lead to passwd: %+v", i)
	}
	if i := ino("/dev/null"); i.Major != 1 || i.Minor != 3 || i.UID != 3 {
		t.Errorf("%+v", i)
	}
	if !ino("/dev/gone").Whited || ino("/dev/kept").Attr != world.AttrImmutable|world.AttrAppend {
		t.Error("whiteouts and flags are read")
	}
	if _, _, st := w.Resolve(root, root, "/etc/none"); st != world.Absent {
		t.Error("what is not listed is not there")
	}
}

func TestTreeErrors(t *testing.T) {
	for text, want := range map[string]string{
		"/x type=file":                           "t:1: ",
		"./../x type=file":                       "no .. in it",
		"./a/b type=file":                        "its directory is not listed before it",
		"./a type=what":                          "unknown type",
		"./a type=file mode=77777":               "beyond 7777",
		"./a type=file uid=x":                    "is not a number",
		"./a mode=0644":                          "has no type",
		"./a type=char device=1":                 "native,MAJOR,MINOR",
		`./a\0 type=file`:                        "begins with ./",
		"./a type=file acl=user:x:rwx":           "the id is a number",
		"./a type=file acl=other::rwx,user::rwx": "in the order",
		"./" + strings.Repeat("a", 70000):        "t:1: ",
	} {
		if _, err := Tree(world.New(), world.SB{}, "t", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v; want %s", text, err, want)
		}
	}
}

func TestDir(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("xyz"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	w := world.New()
	id, err := Dir(w, world.SB{Type: "ext4"}, dir, "o.mtree", []byte("./f type=file mode=0600 uid=77 gid=78 flags=schg\n"))
	if err != nil {
		t.Fatal(err)
	}
	root := w.FS.SB(id).Root
	d, st := w.FS.Lookup(root, "f")
	if i := w.FS.I(d); st != world.Present || i.Size != 3 || i.UID != 77 || i.GID != 78 || i.Mode != world.TypeReg|0o600 || i.Attr != world.AttrImmutable {
		t.Errorf("%+v", i)
	}
	if p := w.Place(w.FS.I(d).At); p == nil || p.File != "o.mtree" || p.Line != 1 {
		t.Errorf("the owner's place is %+v", p)
	}
	if d, st := w.FS.Lookup(root, "out"); st != world.Present || w.FS.I(d).Link != "/etc/passwd" {
		t.Error("a link is read, not followed")
	}
	if _, st := w.FS.Lookup(root, "none"); st != world.Absent {
		t.Error("a missing name is absent")
	}
	if _, err := ReadFile(dir, "out", 100); err == nil {
		t.Error("a file outside of the directory is read")
	}
	if _, err := ReadFile(dir, "f", 2); err == nil {
		t.Error("a file over the limit is read")
	}
	if text, err := ReadFile(dir, "/f", 3); err != nil || string(text) != "xyz" {
		t.Errorf("%q %v", text, err)
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte(spec))
	f.Add([]byte("/set type=dir\n.\n./a\n./a/b\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		w := world.New()
		id, err := Tree(w, world.SB{Type: "ext4"}, "f", text)
		if err != nil {
			return
		}
		root := world.Path{Dentry: w.FS.SB(id).Root}
		w.Resolve(root, root, "/a/b/../c")
	})
}

func FuzzACL(f *testing.F) {
	f.Add("user::rw-,user:1000:r--,group::r--,mask::r--,other::---")
	f.Fuzz(func(t *testing.T, s string) { ParseACL(s) })
}
