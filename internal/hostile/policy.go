// Package hostile makes SELinux policies whose tables, or the texts about them, would take far more memory than the files have
// bytes. Only tests use it.
package hostile

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// file is a policy being written, by section; what a section lacks is the least that a policy needs.
type file struct {
	version                             uint32
	classes, types, booleans, cats      []string
	perms                               []string // of every class but process, which comes first
	constraints                         func(*writer) uint32
	sets                                func(*writer, int) // the attributes of a type
	rules, conds, names, genfs, ranges  func(*writer) uint32
	roleTransitions, roleAllows, labels func(*writer) uint32
}

type writer struct{ b []byte }

func (w *writer) u8(v ...uint8)   { w.b = append(w.b, v...) }
func (w *writer) u16(v ...uint16) { w.b, _ = binary.Append(w.b, binary.LittleEndian, v) }
func (w *writer) u32(v ...uint32) { w.b, _ = binary.Append(w.b, binary.LittleEndian, v) }
func (w *writer) u64(v uint64)    { w.b = binary.LittleEndian.AppendUint64(w.b, v) }

func (w *writer) name(s string) { w.b = append(w.b, s...) }

// bitmap writes the units at their places.
func (w *writer) bitmap(units map[uint32]uint64) {
	starts := make([]uint32, 0, len(units))
	for s := range units {
		starts = append(starts, s)
	}
	slices.Sort(starts)
	high := uint32(0)
	if len(starts) > 0 {
		high = starts[len(starts)-1] + 64
	}
	w.u32(64, high, uint32(len(starts)))
	for _, s := range starts {
		w.u32(s)
		w.u64(units[s])
	}
}

// all are the first n bits.
func all(n int) map[uint32]uint64 {
	m := map[uint32]uint64{}
	for i := range n {
		m[uint32(i)&^63] |= 1 << (i % 64)
	}
	return m
}

// level is s0 with the categories of the units.
func (w *writer) level(cats map[uint32]uint64) {
	w.u32(1, 1) // one level, of the first sensitivity
	w.bitmap(cats)
}

// counted writes a count and what it counts; without a function there is nothing.
func (w *writer) counted(f func(*writer) uint32) {
	at := len(w.b)
	w.u32(0)
	if f != nil {
		n := f(w)
		binary.LittleEndian.PutUint32(w.b[at:], n)
	}
}

func (f *file) bytes() []byte {
	w := &writer{}
	ocons := uint32(9)
	if f.version < 31 {
		ocons = 7
	}
	w.u32(0xf97cff8c, 8)
	w.name("SE Linux")
	w.u32(f.version, 1|4, 8, ocons)
	w.bitmap(nil)
	w.bitmap(nil)
	w.u32(0, 0) // commons
	f.symbols(w)
	if f.rules == nil {
		f.rules = func(w *writer) uint32 { w.u16(1, 1, 1, 1); w.u32(1); return 1 }
	}
	for _, section := range []func(*writer) uint32{f.rules, f.conds, f.roleTransitions, f.roleAllows, f.names} {
		w.counted(section)
	}
	for kind := range ocons {
		if kind == 5 { // fs_use
			w.counted(f.labels)
		} else {
			w.u32(0)
		}
	}
	w.counted(f.genfs)
	w.counted(f.ranges)
	for i := range f.types {
		if f.sets == nil {
			w.bitmap(nil)
		} else {
			f.sets(w, i)
		}
	}
	return w.b
}

func (f *file) symbols(w *writer) {
	classes := append([]string{"process"}, f.classes...)
	w.u32(uint32(len(classes)), uint32(len(classes)))
	for i, c := range classes {
		perms := f.perms
		if i == 0 {
			perms = []string{"transition"}
		}
		w.u32(uint32(len(c)), 0, uint32(i+1), uint32(len(perms)), uint32(len(perms)))
		at := len(w.b)
		w.u32(0)
		w.name(c)
		for k, p := range perms {
			w.u32(uint32(len(p)), uint32(k+1))
			w.name(p)
		}
		if i > 0 && f.constraints != nil {
			n := f.constraints(w)
			binary.LittleEndian.PutUint32(w.b[at:], n)
		}
		w.u32(0) // validatetrans
		w.u32(0, 0, 0, 0)
	}
	w.u32(1, 1) // roles
	w.u32(8, 1, 0)
	w.name("object_r")
	w.bitmap(nil)
	w.bitmap(nil)
	if len(f.types) == 0 {
		f.types = []string{"t"}
	}
	w.u32(uint32(len(f.types)), uint32(len(f.types)))
	for i, t := range f.types {
		w.u32(uint32(len(t)), uint32(i+1), 1, 0)
		w.name(t)
	}
	w.u32(1, 1, 1, 1, 0) // users
	w.name("u")
	w.bitmap(map[uint32]uint64{0: 1})
	w.level(nil)
	w.u32(1)
	w.bitmap(nil)
	w.u32(uint32(len(f.booleans)), uint32(len(f.booleans)))
	for i, b := range f.booleans {
		w.u32(uint32(i+1), 0, uint32(len(b)))
		w.name(b)
	}
	w.u32(1, 1, 2, 0) // sensitivities
	w.name("s0")
	w.u32(1)
	w.bitmap(all(len(f.cats)))
	w.u32(uint32(len(f.cats)), uint32(len(f.cats)))
	for i, c := range f.cats {
		w.u32(uint32(len(c)), uint32(i+1), 0)
		w.name(c)
	}
}

// numbered are n names of some length.
func numbered(letter string, n, length int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", letter, i)
		names[i] += strings.Repeat("x", max(0, length-len(names[i])))
	}
	return names
}

// pairs writes rules of a kind about pairs of types until the file is full or there are n.
func pairs(types int, size, n int, write func(w *writer, src, tgt uint16)) func(*writer) uint32 {
	return func(w *writer) uint32 {
		count := 0
		for s := 1; s <= types; s++ {
			for t := 1; t <= types; t++ {
				if len(w.b) > size || count == n {
					return uint32(count)
				}
				write(w, uint16(s), uint16(t))
				count++
			}
		}
		return uint32(count)
	}
}

// repeated writes the same until the file is full.
func repeated(size int, write func(w *writer, i int)) func(*writer) uint32 {
	return func(w *writer) (n uint32) {
		for ; len(w.b) < size; n++ {
			write(w, int(n))
		}
		return n
	}
}

const longest = 4096 // of names

// Policies are hostile policies of about size bytes, by what they try.
func Policies(size int) map[string][]byte {
	const most = 1<<20 - 10 // rules
	allow := func(w *writer, s, t uint16) { w.u16(s, t, 2, 1); w.u32(0xffffffff) }
	small, wide := numbered("p", 32, 0), numbered("p", 32, longest)
	every := func(w *writer, s, t uint16) { // every other command, which makes the longest text
		w.u16(s, t, 2, 0x100)
		w.u8(1, 0x54)
		w.u32(slices.Repeat([]uint32{0x55555555}, 8)...)
	}
	and := func(w *writer, parts int, kind uint32, booleans int) { // booleans joined by an operator
		w.u32(0, uint32(parts))
		for i := 0; i < parts; i++ {
			if i == 0 || i%2 == 1 {
				w.u32(1, uint32(i/2%booleans)+1)
			} else {
				w.u32(kind, 0)
			}
		}
	}
	m := map[string]*file{
		"rules":      {classes: []string{"c"}, perms: small, types: numbered("t", 1200, 0), rules: pairs(1200, size-1<<16, most, allow)},
		"long rules": {classes: []string{"c"}, perms: wide, types: numbered("t", 1000, 1000), rules: pairs(1000, size-1<<16, most, allow)},
		"extended":   {classes: []string{"c"}, perms: small, types: numbered("t", 1000, 0), rules: pairs(1000, size-1<<16, most, every)},
		"many types": {types: numbered("t", 65535, size/65535-40)},
		"long types": {types: numbered("t", 3000, longest)},
		"attributes": {types: numbered("t", size/24/1000, 0), sets: func(w *writer, _ int) {
			units := map[uint32]uint64{}
			for i := range min(size/24/1000/64, 1000) {
				units[uint32(i)*64] = 1
			}
			w.bitmap(units)
		}},
		"conditions": {classes: []string{"c"}, perms: small, types: numbered("t", 1000, 0), booleans: numbered("b", 500, longest), conds: func(w *writer) (n uint32) {
			for ; len(w.b) < size-1<<17; n++ {
				and(w, 1023, 4, 500)
				w.counted(pairs(16, size, 100, allow))
				w.u32(0)
			}
			return n
		}},
		"a condition of many rules": {classes: []string{"c"}, perms: small, types: numbered("t", 1000, 0), booleans: numbered("b", 500, longest), conds: func(w *writer) uint32 {
			and(w, 1023, 4, 500)
			w.counted(pairs(1000, size-1<<16, most-10, allow))
			w.u32(0)
			return 1
		}},
		"small conditions": {classes: []string{"c"}, perms: small, booleans: numbered("b", 1, longest), conds: repeated(size-1<<16, func(w *writer, _ int) { w.u32(0, 1, 1, 1, 0, 0) })},
		"constraints": {classes: []string{"c"}, perms: wide, types: numbered("t", 300, longest), constraints: repeated(size-2<<20, func(w *writer, _ int) {
			w.u32(0xffffffff, 1, 5, 4, 1) // t1 == a set
			w.bitmap(all(300))
			w.bitmap(nil)
			w.bitmap(nil)
			w.u32(0)
		})},
		"role transitions": {classes: numbered("c", 1000, longest), types: numbered("t", 1000, 100), roleTransitions: func(w *writer) (n uint32) {
			for c := uint32(1); c <= 1000; c++ {
				for t := uint32(1); t <= 1000 && len(w.b) < size-1<<16; t++ {
					w.u32(1, t, 1, c)
					n++
				}
			}
			return n
		}},
		"role allows": {roleAllows: repeated(size-1<<16, func(w *writer, _ int) { w.u32(1, 1) })},
		"names": {classes: []string{"c"}, types: numbered("t", 65535, 0), names: repeated(size-2<<20, func(w *writer, i int) {
			n := fmt.Sprint(i)
			w.u32(uint32(len(n)))
			w.name(n)
			w.u32(1, 2, 1)
			w.bitmap(map[uint32]uint64{0: 1<<64 - 1, 64: 1<<64 - 1})
			w.u32(1)
		})},
		"names of version 30": {version: 30, classes: []string{"c"}, types: numbered("t", 1000, 0), names: repeated(size-1<<16, func(w *writer, i int) {
			n := fmt.Sprint(i)
			w.u32(uint32(len(n)))
			w.name(n)
			w.u32(uint32(i%1000)+1, 1, 2, 1)
		})},
		"levels": {cats: numbered("c", 65535, 10), labels: repeated(size-1<<16, func(w *writer, i int) {
			n := fmt.Sprint(i)
			w.u32(1, uint32(len(n)))
			w.name(n)
			w.u32(1, 1, 1)
			w.level(map[uint32]uint64{65472: 1 << 62})
		})},
		"long levels": {cats: numbered("c", 64, longest), labels: repeated(size-1<<16, func(w *writer, i int) {
			n := fmt.Sprint(i)
			w.u32(1, uint32(len(n)))
			w.name(n)
			w.u32(1, 1, 1)
			w.level(map[uint32]uint64{0: 0x5555555555555555})
		})},
		"ranges": {cats: numbered("c", 64, longest), classes: []string{"c"}, types: numbered("t", 600, 0), ranges: func(w *writer) (n uint32) {
			for s := uint32(1); s <= 600; s++ {
				for t := uint32(1); t <= 600 && len(w.b) < size-1<<16; t++ {
					w.u32(s, t, 2)
					w.level(map[uint32]uint64{0: 0x5555555555555555})
					n++
				}
			}
			return n
		}},
		"paths": {genfs: func(w *writer) uint32 {
			w.u32(longest)
			w.name(strings.Repeat("f", longest))
			w.counted(repeated(size-1<<16, func(w *writer, i int) {
				n := fmt.Sprint(i)
				w.u32(uint32(len(n)))
				w.name(n)
				w.u32(0, 1, 1, 1)
				w.level(nil)
			}))
			return 1
		}},
	}
	out := map[string][]byte{}
	for name, f := range m {
		if f.version == 0 {
			f.version = 33
		}
		out[name] = f.bytes()
	}
	return out
}
