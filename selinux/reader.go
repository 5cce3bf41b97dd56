package selinux

import "fmt"

// Limits of a policy that is read. Published policies have at most 10 MB, and Debian's books 8 MB.
const (
	MaxPolicySize = 16 << 20
	maxMemory     = 80 << 20 // what the tables of one policy may take
	maxName       = 4096
)

// A PolicyError says where a binary policy is wrong.
type PolicyError struct {
	Section string // "avtab", "classes" …
	Offset  int    // of the first byte of what is wrong
	Reason  string
}

func (e *PolicyError) Error() string {
	return fmt.Sprintf("policy, %s, offset %d: %s", e.Section, e.Offset, e.Reason)
}

// reader takes a policy apart. The first error stays; behind it every read returns zero, so that callers check at ends of
// loops only. Nothing is allocated before need has found the bytes for it in the file and room under maxMemory.
type reader struct {
	text    string // the file; names are parts of it
	off     int
	section string
	version uint32
	memory  int
	err     error
}

func (r *reader) failAt(off int, format string, args ...any) {
	if r.err == nil {
		r.err = &PolicyError{r.section, off, fmt.Sprintf(format, args...)}
	}
}

func (r *reader) fail(format string, args ...any) { r.failAt(r.off, format, args...) }

// need says whether count items of at least size bytes each are left, and books what they take in memory.
func (r *reader) need(count uint32, size, memory int) bool {
	if r.err != nil {
		return false
	}
	switch left := len(r.text) - r.off; {
	case count == 1 && size > left:
		r.fail("the file ends: %d bytes are expected, and %d are left", size, left)
		return false
	case uint64(count)*uint64(size) > uint64(left):
		r.fail("%d items of at least %d bytes are announced, and %d bytes are left", count, size, left)
		return false
	}
	return r.book(int(count) * memory)
}

// book counts memory that is about to be used.
func (r *reader) book(n int) bool {
	if r.memory += n; r.memory > maxMemory {
		r.fail("its tables would take more than %d MiB", maxMemory>>20)
	}
	return r.err == nil
}

func (r *reader) u8() uint8 {
	if !r.need(1, 1, 0) {
		return 0
	}
	r.off++
	return r.text[r.off-1]
}

func (r *reader) u32() uint32 {
	if r.err != nil || len(r.text)-r.off < 4 {
		r.need(1, 4, 0)
		return 0
	}
	r.off += 4
	b := r.text[r.off-4 : r.off]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func (r *reader) u64() uint64 {
	lo := uint64(r.u32())
	return lo | uint64(r.u32())<<32
}

// name reads n bytes (str_read): not empty, without a NUL.
func (r *reader) name(n uint32) string {
	if n == 0 || n > maxName {
		r.fail("a name of %d bytes", n)
	}
	if !r.need(n, 1, 0) {
		return ""
	}
	s := r.text[r.off : r.off+int(n)]
	for i := range len(s) {
		if s[i] == 0 {
			r.fail("a name holds a NUL")
			return ""
		}
	}
	r.off += int(n)
	return s
}

// value checks that a number names one of n things, counted from 1.
func (r *reader) value(what string, v, n uint32) bool {
	if r.err == nil && (v == 0 || v > n) {
		r.fail("%s %d is none of the %d that exist", what, v, n)
	}
	return r.err == nil
}

// subset checks that no bit lies beyond n things.
func (r *reader) subset(what string, b *bitmap, n uint32) {
	if b.end() > n {
		r.fail("a set of %s holds %d, and %d exist", what, b.end(), n)
	}
}
