package filecontext

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// hostile are files that would take far more memory than they have bytes, by what they try.
func hostile() map[string]Sources {
	fill := func(line func(int) string) Source {
		var b strings.Builder
		for i := 0; b.Len() < MaxFiles/4; i++ {
			b.WriteString(line(i))
		}
		return Source{"f", []byte(b.String())}
	}
	const c = " u:r:t:s0\n"
	long := func(i int, part string) string {
		s := fmt.Sprintf("/.*%d", i)
		return s + strings.Repeat(part, (maxExpr-len(s))/len(part)) + c
	}
	return map[string]Sources{
		"many entries":     {Main: fill(func(i int) string { return fmt.Sprintf("/d%d/.*%s", i, c) })},
		"characters":       {Main: fill(func(i int) string { return long(i, "x") })},
		"sets":             {Main: fill(func(i int) string { return long(i, `\W`) })},
		"classes":          {Main: fill(func(i int) string { return long(i, "[acegikmoqsuwyACEGIKMOQSUWY02468!#%')+/;=?]?") })},
		"groups":           {Main: fill(func(i int) string { return long(i, "(a|)") })},
		"repeated":         {Main: fill(func(i int) string { return fmt.Sprintf("/.*%d(((a{99}){99}){99}){99}%s", i, c) })},
		"repeated sets":    {Main: fill(func(i int) string { return fmt.Sprintf("/.*%d(%s){99}%s", i, strings.Repeat(`\W`, 40), c) })},
		"back references":  {Main: fill(func(i int) string { return long(i, `(a)\1`) })},
		"one line":         {Main: Source{"f", []byte("/a" + strings.Repeat(" a", MaxFiles/2-10))}},
		"one line of subs": {Main: Source{"f", []byte("/a u:r:t\n")}, Subs: Source{"s", []byte(strings.Repeat(" a", MaxFiles/2-10))}},
		"lines":            {Main: Source{"f", []byte(strings.Repeat("\n", MaxFiles))}},
		"subs":             {Main: Source{"f", []byte("/a u:r:t\n")}, Subs: fill(func(i int) string { return "/a /b\n" })},
		"too many bytes":   {Main: Source{"f", make([]byte, MaxFiles)}, Subs: Source{"s", make([]byte, 1)}},
	}
}

// TestHostile reads them, looks paths up, and measures what the heap holds.
func TestHostile(t *testing.T) {
	for name, src := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, parsed, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			set, err := Parse(src)
			runtime.ReadMemStats(&parsed)
			if all := parsed.TotalAlloc - before.TotalAlloc; all > 160<<20 {
				t.Errorf("reading it allocates %d MB", all>>20)
			}
			if err != nil {
				t.Log(err)
				return
			}
			set.Lookup("/q/z", File) // every expression has to be tried
			runtime.GC()
			runtime.ReadMemStats(&after)
			kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
			t.Logf("%d entries, %d MB allocated by reading, %d MB kept, %d MB booked", len(set.entries), (parsed.TotalAlloc-before.TotalAlloc)>>20, kept>>20, (maxKept-set.room.Load())>>20)
			if kept > 160<<20 {
				t.Errorf("%d MB are kept", kept>>20)
			}
			runtime.KeepAlive(set)
		})
	}
}
