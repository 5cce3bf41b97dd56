package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// layer packs members.
func layer(t testing.TB, members ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range members {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 && h.Size < 1<<20 {
			w.Write(bytes.Repeat([]byte("x"), int(h.Size)))
		}
	}
	w.Flush()
	return b.Bytes()
}

func squeeze(b []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func sum(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// ociLayout writes an OCI image layout and returns its directory.
func ociLayout(t testing.TB, layers ...[]byte) string {
	dir := t.TempDir()
	os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755)
	put := func(b []byte) descriptor {
		d := descriptor{Digest: sum(b), Size: int64(len(b))}
		if err := os.WriteFile(filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(d.Digest, "sha256:")), b, 0o644); err != nil {
			t.Fatal(err)
		}
		return d
	}
	encode := func(v any) []byte { b, _ := json.Marshal(v); return b }
	var m manifest
	var c config
	for i, l := range layers {
		m.Layers = append(m.Layers, put(l))
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, sum(l))
		c.History = append(c.History, struct {
			CreatedBy  string `json:"created_by"`
			EmptyLayer bool   `json:"empty_layer"`
		}{fmt.Sprintf("step %d", i), false})
	}
	m.Config = put(encode(c))
	d := put(encode(m))
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": "latest"}
	os.WriteFile(filepath.Join(dir, "index.json"), encode(manifest{Manifests: []descriptor{d}}), 0o644)
	return dir
}

// archived packs a directory.
func archived(t testing.TB, dir string) string {
	out := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return out
}

func TestOpen(t *testing.T) {
	low := layer(t, &tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}, &tar.Header{Name: "etc/a", Mode: 0o644, Size: 5}, &tar.Header{Name: "etc/b", Typeflag: tar.TypeLink, Linkname: "etc/a"}, &tar.Header{Name: "d/e/f", Size: 1})
	top := layer(t, &tar.Header{Name: "./etc/.wh.a"}, &tar.Header{Name: "d/.wh..wh..opq"}, &tar.Header{Name: "/l", Typeflag: tar.TypeSymlink, Linkname: "../../etc"})
	dir := ociLayout(t, squeeze(low), top)
	for _, p := range []string{dir, archived(t, dir)} {
		im, err := Open(p, "")
		if err != nil {
			t.Fatal(err)
		}
		if im.Name != "latest" || len(im.Layers) != 2 || im.Layers[0].CreatedBy != "step 0" || im.Layers[0].Size != int64(len(squeeze(low))) {
			t.Errorf("%+v", im)
		}
		a, b := im.Layers[0].Tree, im.Layers[1].Tree
		if n := a.Nodes["etc/b"]; n == nil || n.Same != "etc/a" || n.Size != 5 || a.Nodes["d/e"].Type != tar.TypeDir {
			t.Errorf("%+v", n)
		}
		if !b.Nodes["etc/a"].Whiteout || !b.Nodes["d"].Opaque || b.Nodes["l"].Link != "../../etc" {
			t.Errorf("%+v", b.Nodes)
		}
	}
	docker := t.TempDir()
	os.WriteFile(filepath.Join(docker, "manifest.json"), []byte(`[{"Config":"c.json","RepoTags":["x:1"],"Layers":["a/layer.tar"]}]`), 0o644)
	os.WriteFile(filepath.Join(docker, "c.json"), []byte(`{"rootfs":{"diff_ids":["sha256:1"]}}`), 0o644)
	os.Mkdir(filepath.Join(docker, "a"), 0o755)
	os.WriteFile(filepath.Join(docker, "a/layer.tar"), low, 0o644)
	im, err := Open(archived(t, docker), "x:1")
	if err != nil || len(im.Layers) != 1 || im.Layers[0].DiffID != "sha256:1" || im.Name != "x:1" {
		t.Errorf("%+v, %v", im, err)
	}
}

// TestPacked: a layer is the same however it is packed, with a frame that is skipped behind it as in zstd:chunked.
func TestPacked(t *testing.T) {
	plain := layer(t, &tar.Header{Name: "etc/a", Mode: 0o644, Size: 5000}, &tar.Header{Name: "etc/.wh.b"}, &tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "etc/a"})
	skipped := append(pack(plain), 0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'x', 'y')
	var want *Tree
	for i, l := range [][]byte{plain, squeeze(plain), pack(plain), skipped} {
		got, err := ReadLayer(bufio.NewReader(bytes.NewReader(l)), int64(len(l)), NewBudget())
		if want == nil {
			want = got
		}
		if err != nil || len(got.Nodes) != 5 || !reflect.DeepEqual(got, want) {
			t.Errorf("%d: %v, %v", i, got, err)
		}
	}
}

// TestSparse: holes count, as whoever unpacks the layer may write them.
func TestSparse(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int64{"small": 1 << 20, "huge": 10 << 30} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Skip("the filesystem takes no files of 10 GiB: ", err)
		}
		f.WriteAt([]byte("x"), size-1)
		f.Close()
	}
	for _, format := range []string{"gnu", "posix"} {
		for name, want := range map[string]string{"small": "", "huge": "claims 10737418240 bytes"} {
			l, err := exec.Command("tar", "--sparse", "--format="+format, "-C", dir, "-cf", "-", name).Output()
			if err != nil || len(l) > 1<<20 {
				t.Fatalf("tar made %d bytes, %v", len(l), err)
			}
			got, err := ReadLayer(bufio.NewReader(bytes.NewReader(l)), int64(len(l)), NewBudget())
			if want == "" && (err != nil || got.Nodes[name].Size != 1<<20) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s, %s: %v, %v", name, format, got, err)
			}
		}
	}
}

// TestRefused: what an image must not hold is refused with one clear error.
func TestRefused(t *testing.T) {
	reg := func(h *tar.Header) []byte { return layer(t, h) }
	cases := map[string][]byte{
		"its .. leads out of the layer":    reg(&tar.Header{Name: "a/../../etc/passwd", Size: 1}),
		"which is no file of the layer":    reg(&tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "etc/shadow"}),
		`a hard link to "../../etc/shadow`: reg(&tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "../../etc/shadow"}),
		"claims 10737418240 bytes":         reg(&tar.Header{Name: "sparse", Size: 10 << 30}),
		"a whiteout of no name":            reg(&tar.Header{Name: "d/.wh."}),
		"is no directory":                  layer(t, &tar.Header{Name: "f", Size: 1}, &tar.Header{Name: "f/x", Size: 1}),
		"at most 255 bytes":                reg(&tar.Header{Name: strings.Repeat("n", 256), Size: 1}),
		"window size exceeded":             {0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8, 0, 0, 0},
		": unexpected EOF":                 pack(reg(&tar.Header{Name: "a", Size: 100000}))[:60],
		"unexpected EOF":                   squeeze(reg(&tar.Header{Name: "a", Size: 1000}))[:40],
	}
	// The bomb needs a member for its zeros to be read.
	zeros := layer(t, &tar.Header{Name: "zeros", Size: 400 << 20})
	cases["times as many"] = squeeze(append(zeros, make([]byte, 400<<20)...))
	cases["200 times"] = pack(append(zeros, make([]byte, 400<<20)...))
	for want, l := range cases {
		if _, err := Open(ociLayout(t, l), ""); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is wanted, got %v", want, err)
		}
	}
	wrong := ociLayout(t, layer(t, &tar.Header{Name: "a"}))
	blobs, _ := filepath.Glob(filepath.Join(wrong, "blobs/sha256/*"))
	for _, b := range blobs {
		if text, _ := os.ReadFile(b); text[0] != '{' {
			os.WriteFile(b, append(text, 0), 0o644)
		}
	}
	files := map[string]func(dir string){
		"not what its digest says": func(string) {},
		"neither an OCI image":     func(d string) { os.Remove(filepath.Join(d, "index.json")) },
		"is not a sha256 digest": func(d string) {
			os.WriteFile(filepath.Join(d, "index.json"), []byte(`{"manifests":[{"digest":"sha256:../../etc"}]}`), 0o644)
		},
		"there is no image": func(d string) {
			os.WriteFile(filepath.Join(d, "index.json"), []byte(`{"manifests":[{"digest":"x","platform":{"os":"windows"}}]}`), 0o644)
		},
		"there is no such file": func(d string) {
			os.RemoveAll(filepath.Join(d, "blobs"))
			os.WriteFile(filepath.Join(d, "index.json"), []byte(`{"manifests":[{"digest":"`+sum(nil)+`"}]}`), 0o644)
		},
		"unexpected end of JSON": func(d string) { os.WriteFile(filepath.Join(d, "index.json"), []byte(`{`), 0o644) },
	}
	for want, change := range files {
		dir := t.TempDir()
		os.CopyFS(dir, os.DirFS(wrong))
		if change(dir); want == "not what its digest says" {
			dir = wrong
		}
		if _, err := Open(dir, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is wanted, got %v", want, err)
		}
	}
	if _, err := Open("/nonexistent", ""); err == nil {
		t.Error("an image that is not there is read")
	}
}

// TestIndexLoop: an index that leads to itself ends.
func TestIndexLoop(t *testing.T) {
	dir := ociLayout(t)
	index := []byte(`{"manifests":[{"digest":"` + sum([]byte("self")) + `"}]}`)
	os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644)
	os.WriteFile(filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(sum([]byte("self")), "sha256:")), index, 0o644)
	if _, err := Open(dir, ""); err == nil || !strings.Contains(err.Error(), "without end") {
		t.Error(err)
	}
}

func FuzzReadLayer(f *testing.F) {
	l := layer(f, &tar.Header{Name: "etc/", Typeflag: tar.TypeDir}, &tar.Header{Name: "etc/.wh.a"}, &tar.Header{Name: "etc/f", Size: 3}, &tar.Header{Name: "g", Typeflag: tar.TypeLink, Linkname: "etc/f"})
	f.Add(l)
	f.Add(squeeze(l))
	f.Add(pack(l))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := ReadLayer(bufio.NewReader(bytes.NewReader(b)), int64(len(b)), NewBudget())
		if err != nil {
			return
		}
		seen := 0
		var walk func(dir string)
		walk = func(dir string) {
			for _, k := range tree.Kids[dir] {
				p := strings.TrimPrefix(dir+"/"+k, "/")
				if tree.Nodes[p] == nil || k == ".." || k == "" {
					t.Fatalf("%q has %q", dir, k)
				}
				seen++
				walk(p)
			}
		}
		walk("")
		if seen != len(tree.Nodes)-1 {
			t.Fatalf("%d of %d names are reached", seen, len(tree.Nodes)-1)
		}
	})
}

// pack is squeeze with zstd.
func pack(b []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(b, nil)
}
