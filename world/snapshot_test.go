package world

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"syscallstory/kernel"
	"syscallstory/story"
)

// small is a world with a little of everything.
func small() *World {
	w := New()
	at := w.Text("the test")
	w.Kernel, w.KernelAt, w.Arch = kernel.Release{Major: 6, Minor: 18, Text: "6.18.0"}, at, "x86_64"
	w.UserNS = append(w.UserNS, UserNS{Level: 1, Owner: 1000, UIDs: IDMap{{0, 100000, 65536}}, GIDs: IDMap{{0, 100000, 65536}}, Name: "child"})
	w.Sysctls[kernel.ProtectedRegular] = Given(2, at)
	w.LSMs, w.BPFHooks = Given([]string{"capability"}, at), Given([]string{}, at)
	w.MountNS = []MountNS{{Name: "test"}}
	sb := w.FS.NewSB(SB{Type: "tmpfs", Name: "root", At: at, FlagsAt: at}, Inode{Mode: TypeDir | 0o755, Known: KnownAll, At: at})
	root := w.FS.SB(sb).Root
	dir := w.FS.Add(root, "dir", Inode{Mode: TypeDir | 0o700, Known: KnownAll, Whole: true, At: at})
	w.FS.Add(root, "odd\n\xff", Inode{Mode: TypeReg | 0o604, Known: KnownAll, ACL: []ACLEntry{{Tag: ACLUser, Perm: 6, ID: 7}}, At: at})
	w.FS.AddUnnamed(dir, "gone", Inode{Mode: TypeDir, Attr: AttrRemoved, Known: KnownAll, Whole: true, At: at})
	w.FS.children[childKey{root, "absent"}] = 0
	m := w.Attach(Path{}, Mount{SB: sb, Root: root, Point: "/", Origin: at, Why: at, FlagsAt: map[MountFlags]story.Origin{MountReadOnly: at}})
	w.MountNS[0].Root = m
	other := w.FS.NewSB(SB{Type: "tmpfs", Name: "other", At: at, FlagsAt: w.Miss("its flags", "a look")}, Inode{Mode: TypeDir | 0o755, Known: KnownAll, At: at})
	w.Attach(Path{m, dir}, Mount{SB: other, Root: w.FS.SB(other).Root, Point: "/dir", Origin: at, Why: w.Suppose("something", "a look")})
	w.Task.Root, w.Task.Cwd = Path{m, root}, Path{m, root}
	w.Task.Seccomp = Seccomp{Mode: SeccompFilters, At: at, Filters: []Filter{{Name: "x", Program: []byte{6, 0, 0, 0, 0, 0, 255, 127}, At: at}}}
	return w
}

func written(t testing.TB, w *World) string {
	t.Helper()
	var b bytes.Buffer
	if err := w.WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSnapshot(t *testing.T) {
	w := small()
	text := written(t, w)
	got, err := ReadSnapshot(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if again := written(t, got); again != text {
		t.Errorf("written again it differs:\n%s\n%s", text, again)
	}
	if !reflect.DeepEqual(got.Task, w.Task) || !reflect.DeepEqual(got.UserNS, w.UserNS) || !reflect.DeepEqual(got.Mounts, w.Mounts) || !reflect.DeepEqual(got.mounted, w.mounted) ||
		!reflect.DeepEqual(got.Sysctls, w.Sysctls) || !reflect.DeepEqual(got.FS.children, w.FS.children) || !reflect.DeepEqual(got.FS.inodes, w.FS.inodes) || !reflect.DeepEqual(got.FS.dentries, w.FS.dentries) {
		t.Errorf("%+v\nis not\n%+v", got, w)
	}
	if got.BPFHooks.V == nil || !got.LSMs.Known() || len(got.assumed) != 1 {
		t.Errorf("%+v", got)
	}
	root := got.Task.Root.Dentry
	for name, want := range map[string]State{"dir": Present, "odd\n\xff": Present, "absent": Absent, "other": Unsure} {
		d, st := got.FS.Lookup(root, name)
		if st != want {
			t.Errorf("%q is %v, want %v", name, st, want)
		}
		if why, ok := got.Reason(got.FS.I(d).At); st == Unsure && (!ok || !strings.Contains(why.Text, "does not hold")) {
			t.Errorf("%q: %+v", name, why)
		}
	}
}

// TestSnapshotHoldsEveryFact fills the structs of a world with values at random: what is declared is written and read.
func TestSnapshotHoldsEveryFact(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for _, typ := range []reflect.Type{reflect.TypeFor[Task](), reflect.TypeFor[Inode](), reflect.TypeFor[Mount](), reflect.TypeFor[Process](), reflect.TypeFor[UserNS](), reflect.TypeFor[MountNS](),
		reflect.TypeFor[Namespace](), reflect.TypeFor[Overlay](), reflect.TypeFor[Dentry](), reflect.TypeFor[story.Place](), reflect.TypeFor[story.Finding]()} {
		for range 20 {
			v, ok := quick.Value(typ, rnd)
			if !ok {
				t.Fatalf("%v", typ)
			}
			var b bytes.Buffer
			e := &encoder{Writer: bufio.NewWriter(&b), byType: map[reflect.Type][]reflect.StructField{}}
			e.value(v)
			e.Flush()
			d := &decoder{Decoder: json.NewDecoder(bytes.NewReader(b.Bytes())), path: []string{typ.Name()}, byType: map[reflect.Type]map[string][]int{}}
			d.UseNumber()
			got := reflect.New(typ).Elem()
			if err := d.value(got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Interface(), v.Interface()) {
				t.Fatalf("%v: %+v\nis not\n%+v", typ, got, v)
			}
		}
	}
}

func TestSnapshotErrors(t *testing.T) {
	text := written(t, small())
	swap := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%s is not in %s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":             {"", "EOF"},
		"no JSON":             {"kind: Pod", "invalid character"},
		"cut off":             {text[:len(text)/2], "EOF"},
		"more":                {text + "{}", "something follows"},
		"another version":     {swap(`"SchemaVersion":"1"`, `"SchemaVersion":"2"`), `version "2"`},
		"an unknown field":    {swap(`"Arch"`, `"Arc"`), `field "Arc" is not known`},
		"a field twice":       {swap(`"Arch":"x86_64"`, `"Arch":"x86_64","Arch":"x86_64"`), "twice"},
		"a wrong type":        {swap(`"Arch":"x86_64"`, `"Arch":7`), "a string is expected"},
		"a number too large":  {swap(`"Level":1`, `"Level":256`), "natural number of 8 bits"},
		"a name that is none": {swap(`"Inode":2`, `"Inode":77`), "77 leads nowhere"},
		"an origin":           {swap(`"KernelAt":1`, `"KernelAt":100`), "origin 100 leads nowhere"},
		"its own ancestor":    {swap(`{"Parent":1,"Inode":2,"Mounted":true,"Name":"dir"}`, `{"Parent":3,"Inode":2,"Name":"dir"}`) + "", ""},
		"a sysctl":            {swap(`"fs.protected_regular"`, `"fs.protected_me"`), "not known here"},
		"no mounts":           {`{"SchemaVersion":"1","Kind":"world"}`, "no files or no mounts"},
	} {
		_, err := ReadSnapshot(strings.NewReader(c.text))
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	loop := strings.Replace(swap(`{"Parent":1,"Inode":2,"Mounted":true,"Name":"dir"}`, `{"Parent":3,"Inode":2,"Name":"dir"}`), `{"Parent":1,"Inode":3,`, `{"Parent":2,"Inode":3,`, 1)
	if _, err := ReadSnapshot(strings.NewReader(loop)); err == nil || !strings.Contains(err.Error(), "ancestor") {
		t.Errorf("a loop of directories: %v", err)
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add(written(f, small()))
	f.Add(`{"SchemaVersion":"1","Kind":"world","Files":{"Names":[{}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ReadSnapshot(strings.NewReader(text))
		if err != nil {
			return
		}
		w.Resolve(w.Task.Root, w.Task.Cwd, "/dir/../odd/x")
		w.PathText(w.Task.Cwd)
		w.Gather(Gather{Depth: 2, Entries: 10})
		written(t, w)
	})
}
