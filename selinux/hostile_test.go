package selinux

import (
	"runtime"
	"testing"

	"syscallstory/internal/hostile"
)

// TestHostilePolicies reads policies that are made to take memory, and tells everything of them.
func TestHostilePolicies(t *testing.T) {
	for name, data := range hostile.Policies(MaxPolicySize) {
		t.Run(name, func(t *testing.T) {
			if len(data) > MaxPolicySize {
				t.Fatalf("it has %d bytes", len(data))
			}
			var before, parsed, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			p, err := Parse(data)
			runtime.ReadMemStats(&parsed)
			runtime.GC()
			runtime.ReadMemStats(&after)
			kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
			t.Logf("%d bytes: %d MB allocated, %d MB kept, %v", len(data), (parsed.TotalAlloc-before.TotalAlloc)>>20, kept>>20, err)
			if all := parsed.TotalAlloc - before.TotalAlloc; all > 256<<20 {
				t.Errorf("reading it allocates %d MB", all>>20)
			}
			if kept > (maxMemory + MaxPolicySize) {
				t.Errorf("%d MB are kept", kept>>20)
			}
			runtime.KeepAlive(p)
		})
	}
}
