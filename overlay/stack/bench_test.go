package stack

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkDiff compares Diff of an upper layer of many files with find's walk of the same directory. Half of the files hide one of
// the lower layer.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{10_000, 50_000, 200_000} {
		dir := b.TempDir()
		for i := range n {
			name := fmt.Sprintf("d%d/e%d/f%d", i/5000, i/50, i)
			for k, l := range []string{"up", "low"} {
				p := filepath.Join(dir, l, name)
				if k == 1 && i%2 == 1 {
					continue
				}
				os.MkdirAll(filepath.Dir(p), 0o755)
				if err := os.WriteFile(p, []byte("x"), 0o644); err != nil {
					b.Fatal(err)
				}
			}
		}
		up, low := filepath.Join(dir, "up"), filepath.Join(dir, "low")
		b.Run(fmt.Sprintf("files=%d/diff", n), func(b *testing.B) {
			for b.Loop() {
				s := &Stack{Names: []string{up, low}}
				var err error
				if s.Upper, err = Dir(up, false); err != nil {
					b.Fatal(err)
				}
				l, err := Dir(low, false)
				if err != nil {
					b.Fatal(err)
				}
				s.Lower = []Layer{l}
				t, err := s.Diff(func(c *Change) error { _, err := fmt.Fprintln(io.Discard, c.Kind, c.Bytes, c.Path); return err })
				if err != nil || t.Added+t.Modified < n {
					b.Fatal(t, err)
				}
				s.Close()
			}
		})
		b.Run(fmt.Sprintf("files=%d/find", n), func(b *testing.B) {
			for b.Loop() {
				if err := exec.Command("find", up, "-printf", "%y %s %p\n").Run(); err != nil {
					b.Skip(err)
				}
			}
		})
	}
}
