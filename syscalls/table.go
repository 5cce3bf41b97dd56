// Package syscalls knows Linux's syscalls: their numbers in each ABI, the release that introduced them, the types of their
// arguments, and the notation of strace in which people write them.
package syscalls

import (
	"iter"
	"sort"
	"strings"
)

//go:generate go run syscallstory/internal/gen/syscalls -o numbers.go

// ABI is a calling convention with numbers of its own.
type ABI uint8

const (
	X8664 ABI = iota
	I386
	X32
	ARM64
	ARM // of 32 bits, beside arm64
)

// Half reports whether the ABI's registers have 32 bits.
func (a ABI) Half() bool { return a == I386 || a == ARM }

// X32Bit marks an x32 call's number.
const X32Bit = 0x40000000

var abiNames = [...]string{"x86_64", "i386", "x32", "arm64", "arm"}

// String returns the ABI's name as the story prints it.
func (a ABI) String() string { return abiNames[a] }

// Audit returns the AUDIT_ARCH value that a seccomp filter sees.
func (a ABI) Audit() uint32 {
	return [...]uint32{0xc000003e, 0x40000003, 0xc000003e, 0xc00000b7, 0x40000028}[a]
}

// ParseABI reads an ABI's name, with those that Go and Docker use.
func ParseABI(s string) (ABI, bool) {
	switch strings.ToLower(s) {
	case "x86_64", "amd64", "x86-64":
		return X8664, true
	case "i386", "386", "x86", "i686":
		return I386, true
	case "x32":
		return X32, true
	case "arm64", "aarch64":
		return ARM64, true
	case "arm", "armv7", "armhf":
		return ARM, true
	}
	return 0, false
}

type release struct{ major, minor uint8 }

type entry struct {
	name  string
	nr    [5]int32 // -1: the ABI does not have it
	since [5]release
}

func find(name string) *entry {
	i := sort.Search(len(calls), func(i int) bool { return calls[i].name >= name })
	if i < len(calls) && calls[i].name == name {
		return &calls[i]
	}
	return nil
}

// Lookup returns the number of a call in an ABI, with the x32 bit where it belongs.
func Lookup(abi ABI, name string) (uint32, bool) {
	e := find(name)
	if e == nil || e.nr[abi] < 0 {
		return 0, false
	}
	nr := uint32(e.nr[abi])
	if abi == X32 {
		nr |= X32Bit
	}
	return nr, true
}

// Exists reports whether any ABI has a call of the name.
func Exists(name string) bool { return find(name) != nil }

// Name returns the name of a number in an ABI.
func Name(abi ABI, nr uint32) (string, bool) {
	if abi == X8664 && nr&X32Bit != 0 {
		abi = X32
	}
	if abi == X32 {
		nr &^= X32Bit
	}
	idx := byNumber[abi]
	i := sort.Search(len(idx), func(i int) bool { return uint32(calls[idx[i]].nr[abi]) >= nr })
	if i < len(idx) && uint32(calls[idx[i]].nr[abi]) == nr {
		return calls[idx[i]].name, true
	}
	return "", false
}

// Since returns the release that gave an ABI the call; 0.0 where it is older than 2.6.13.
func Since(abi ABI, name string) (major, minor int) {
	if e := find(name); e != nil {
		return int(e.since[abi].major), int(e.since[abi].minor)
	}
	return 0, 0
}

// Names lists an ABI's calls in ascending order of their numbers.
func Names(abi ABI) []string {
	names := make([]string, len(byNumber[abi]))
	for i, k := range byNumber[abi] {
		names[i] = calls[k].name
	}
	return names
}

// All yields an ABI's calls in ascending order of their numbers.
func All(abi ABI) iter.Seq2[uint32, string] {
	return func(yield func(uint32, string) bool) {
		for _, k := range byNumber[abi] {
			nr := uint32(calls[k].nr[abi])
			if abi == X32 {
				nr |= X32Bit
			}
			if !yield(nr, calls[k].name) {
				return
			}
		}
	}
}

// Nearest returns at most three known calls whose names are close to name, the closest first.
func Nearest(name string) []string {
	all := make([]string, len(calls))
	for i := range calls {
		all[i] = calls[i].name
	}
	return Near(name, all)
}

// Near returns at most three words that are close to word, the closest first.
func Near(word string, words []string) []string {
	type hit struct {
		word string
		dist int
	}
	if len(word) > 64 {
		return nil
	}
	limit := 1 + len(word)/4
	var hits []hit
	for _, w := range words {
		if d := distance(strings.ToLower(word), strings.ToLower(w), limit); d <= limit {
			hits = append(hits, hit{w, d})
		}
	}
	sort.SliceStable(hits, func(i, j int) bool { return hits[i].dist < hits[j].dist })
	var out []string
	for i := 0; i < len(hits) && i < 3; i++ {
		out = append(out, hits[i].word)
	}
	return out
}

// distance counts insertions, deletions, replacements and swaps of neighbours.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
