package files

import (
	"fmt"
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

func TestSet(t *testing.T) {
	w := world.New()
	id, err := Tree(w, world.SB{}, "t", []byte("/set type=file flags=schg uid=1\n/set mode=0600\n. type=dir gid=4\n./a gid=3\n./b flags=none\n"))
	if err != nil {
		t.Fatal(err)
	}
	root := w.FS.SB(id).Root
	a, _ := w.FS.Lookup(root, "a")
	b, _ := w.FS.Lookup(root, "b")
	if i := w.FS.I(root); i.Mode != world.TypeDir|0o600 || i.UID != 1 || i.GID != 4 || i.Attr != world.AttrImmutable {
		t.Errorf("%+v", i)
	}
	if i := w.FS.I(a); i.Mode != world.TypeReg|0o600 || i.UID != 1 || i.GID != 3 || i.Attr != world.AttrImmutable || i.Known&world.KnownOwner == 0 {
		t.Errorf("%+v", i)
	}
	if i := w.FS.I(b); i.Attr != 0 || i.Known&world.KnownOwner != 0 {
		t.Errorf("the flags of a line replace those of /set, and half an owner is none: %+v", i)
	}
	// As many defaults as fit on a line, for as many files as fit in the rest.
	var long strings.Builder
	long.WriteString("/set" + strings.Repeat(" uid=1", 10000) + "\n")
	for i := range 100_000 {
		fmt.Fprintf(&long, "./%d type=file\n", i)
	}
	if _, err := Tree(world.New(), world.SB{}, "t", []byte(long.String())); err != nil {
		t.Error(err)
	}
}

func TestTreeErrors(t *testing.T) {
	var many strings.Builder
	for i := range 200_001 {
		fmt.Fprintf(&many, "./%d type=file\n", i)
	}
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
		"./a type=file acl=user::rwx":            "one entry for user::",
		"./a type=file acl=user::rwx,user:1:rwx,group::rwx,other::rwx": "a mask:: where",
		"./a type=file acl=user::rwx,group::rwx,mask:3:rwx,other::rwx": "user and group have one",
		"./a type=file size=-1":           "is not a size",
		"./a type=file uid=4294967295":    "stands for no id",
		"./a type=dir\n./a/ type=file":    "t:2: /a is listed already in line 1",
		"./a type=link":                   "has no link=TARGET",
		". type=file":                     "the root is a directory",
		"/set uid=x\n./a type=file":       "t:1: uid=x is not a number",
		many.String():                     "at most 200000 files",
		"./" + strings.Repeat("a", 70000): "t:1: ",
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
	if text, err := os.ReadFile("../../examples/node/owners.mtree"); err == nil {
		f.Add(text)
	}
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
	f.Add("\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, s string) {
		decodeACL([]byte(s))
		acl, err := ParseACL(s)
		if err != nil {
			return
		}
		for _, e := range acl {
			if e.Perm > 7 || e.Tag > world.ACLOther {
				t.Errorf("%q: %+v", s, e)
			}
		}
	})
}
