package explain_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"syscallstory/check"
	"syscallstory/explain"
	"syscallstory/story"
	"syscallstory/syscalls"
)

// batch judges calls of the world of TestVerdictAllocates.
func batch(t testing.TB, n int) *explain.Batch {
	b, err := explain.NewBatch(n, func() (*explain.Judge, error) { return explain.Bind(systemWorld(0), nil) })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parsed(t testing.TB, texts []string) []*syscalls.Call {
	var out []*syscalls.Call
	for _, text := range texts {
		c, err := syscalls.Parse(syscalls.X8664, text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// TestBatch: what a batch says, and its order, does not depend on how many judges it has; calls are read only as they are
// judged, and a yield that has enough ends it.
func TestBatch(t *testing.T) {
	sample := parsed(t, sampleCalls)
	var want []string
	j, err := explain.Bind(systemWorld(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range sample {
		want = append(want, fmt.Sprint(c, j.Verdict(c)))
	}
	const rounds = 40
	read := 0
	all := func(yield func(*syscalls.Call) bool) {
		for range rounds {
			for _, c := range sample {
				if read++; !yield(c) {
					return
				}
			}
		}
	}
	for _, n := range []int{1, 2, 7} {
		b := batch(t, n)
		for range 2 { // it can be used again
			i := 0
			b.Verdicts(all, func(c *syscalls.Call, end check.End) bool {
				if got := fmt.Sprint(c, end); got != want[i%len(want)] {
					t.Fatalf("call %d on %d judges: %s, want %s", i, n, got, want[i%len(want)])
				}
				i++
				return true
			})
			if i != rounds*len(sample) {
				t.Errorf("%d of %d calls on %d judges", i, rounds*len(sample), n)
			}
		}
		told := 0
		b.Stories(slices.Values(sample), func(c *syscalls.Call, s *story.Story) bool {
			if s.Call.Text != c.String() || s.Verdict != j.Verdict(c).Verdict.String() {
				t.Errorf("%s: the story is of %s, %s", c, s.Call.Text, s.Verdict)
			}
			told++
			return true
		})
		if told != len(sample) {
			t.Errorf("%d stories", told)
		}
		read = 0
		seen := 0
		b.Verdicts(all, func(*syscalls.Call, check.End) bool { seen++; return seen < 5 })
		if most := (2*n+1)*512 + 1; seen != 5 || read > most {
			t.Errorf("%d calls were yielded and %d read on %d judges, at most %d are wanted", seen, read, n, most)
		}
	}
	if _, err := explain.NewBatch(0, nil); err == nil {
		t.Error("a batch without judges was made")
	}
}

// BenchmarkBatch judges calls by one judge without a batch, and by batches of one judge and of one for each processor.
func BenchmarkBatch(b *testing.B) {
	call := parsed(b, []string{`open("/f", O_RDONLY)`})[0]
	b.Run("none", func(b *testing.B) {
		j, err := explain.Bind(systemWorld(0), nil)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			j.Verdict(call)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/verdict")
	})
	for _, n := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			all := batch(b, n)
			calls := 0
			for b.Loop() {
				const many = 100_000
				all.Verdicts(func(yield func(*syscalls.Call) bool) {
					for range many {
						if !yield(call) {
							return
						}
					}
				}, func(*syscalls.Call, check.End) bool { return true })
				calls += many
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(calls), "ns/verdict")
		})
	}
}
