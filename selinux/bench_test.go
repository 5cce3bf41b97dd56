package selinux

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// cpu reports the time that the processor has worked, as others may use it meanwhile. It is called with defer.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64((used()-start).Nanoseconds())/float64(b.N), "cpu-ns/op") }
}

func BenchmarkParseDebian(b *testing.B) {
	data, err := os.ReadFile(debianPolicy)
	if err != nil {
		b.Skip(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	defer cpu(b)()
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecide asks about pairs that mostly have rules.
func BenchmarkDecide(b *testing.B) {
	p := debian(b)
	d := newDrawer(p)
	type asked struct {
		s, t Label
		c    Class
	}
	var all [1 << 10]asked
	for i := range all {
		s, t, c := d.question()
		all[i] = asked{s, t, c}
	}
	b.ReportAllocs()
	defer cpu(b)()
	n := 0
	for b.Loop() {
		q := &all[n%len(all)]
		p.Decide(q.s, q.t, q.c)
		n++
	}
}

func BenchmarkDecideCached(b *testing.B) {
	p := debian(b)
	d, c := newDrawer(p), NewCache(p)
	type asked struct {
		s, t SID
		c    Class
	}
	var all [1 << 8]asked
	for i := range all {
		s, t, class := d.question()
		all[i] = asked{c.SID(s), c.SID(t), class}
	}
	b.ReportAllocs()
	defer cpu(b)()
	n := 0
	for b.Loop() {
		q := &all[n%len(all)]
		c.Decide(q.s, q.t, q.c)
		n++
	}
}

func TestCache(t *testing.T) {
	p := every(t, 33)
	d, c := newDrawer(p), NewCache(p)
	for range 20000 {
		s, tgt, class := d.question()
		if got, want := c.Decide(c.SID(s), c.SID(tgt), class), p.Decide(s, tgt, class); got != want {
			t.Fatalf("%s %s %d: %+v, want %+v", p.Text(s), p.Text(tgt), class, got, want)
		}
	}
	if c.Decide(0, 1<<30, 1).Allowed != 0 {
		t.Error("no label is allowed something")
	}
}
