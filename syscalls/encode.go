package syscalls

import (
	"encoding/binary"
	"fmt"
)

// Memory is what an address leads to. The word of eight bytes at each offset in Pointers is an address itself: it holds the
// offset in Bytes that it leads to, to which whoever performs the call adds where Bytes lies.
type Memory struct {
	Bytes    []byte
	Pointers []int
}

// Point appends bytes and makes the word at off their address.
func (m *Memory) Point(off int, b []byte) {
	for len(m.Bytes)%8 != 0 {
		m.Bytes = append(m.Bytes, 0)
	}
	binary.LittleEndian.PutUint64(m.Bytes[off:], uint64(len(m.Bytes)))
	m.Bytes = append(m.Bytes, b...)
	m.Pointers = append(m.Pointers, off)
}

// Register is a register of a call: a number, or the address of memory where there are bytes.
type Register struct {
	Val uint64
	Memory
}

// outSize is how much room an answer of the kernel gets.
const outSize = 4096

// Encode turns the call into registers and the memory that they lead to, as x86_64 and arm64 have them.
func (c *Call) Encode() (regs [6]Register, err error) {
	for i := range c.Args {
		if regs[i], err = c.encode(i); err != nil {
			return regs, err
		}
	}
	return regs, nil
}

func (c *Call) encode(i int) (r Register, err error) {
	a := &c.Args[i]
	switch {
	case a.Kind == Out && (a.Absent || a.Val != 0):
		r.Bytes = make([]byte, outSize)
	case a.Kind == Int && a.Absent && i > 0 && c.Args[i-1].Kind == Out: // the size of the answer
		r.Val = outSize
	case a.Fault || a.Absent && a.Kind != Statx && a.Kind != Int:
		r.Val = a.Val
	case a.Kind == Path || a.Kind == Text || a.Kind == Data && !a.Cut:
		r.Bytes = append([]byte(a.Str), 0)
	case a.Kind == How:
		for _, v := range a.How {
			r.Bytes = binary.LittleEndian.AppendUint64(r.Bytes, v)
		}
	case a.Kind == Times:
		for _, nsec := range a.How[:2] {
			r.Bytes = binary.LittleEndian.AppendUint64(r.Bytes, 0)
			r.Bytes = binary.LittleEndian.AppendUint64(r.Bytes, nsec)
		}
	case a.Kind == Strings:
		r.Memory = pointers(a.Strs)
	case arrays[a.Kind] != 0 && !a.Cut:
		r.Memory = a.memoryOf()
	case layouts[a.Kind] != nil && !a.Cut:
		r.Memory = layouts[a.Kind].memory(a)
	case a.Kind == Pointer && a.Val == 1 || a.Cut:
		return r, fmt.Errorf("%s: nothing is known of the memory behind argument %d", c.Name, i+1)
	default:
		r.Val = a.Val
	}
	return r, nil
}

// pointers is an array of strings that ends with NULL, as execve takes it.
func pointers(list []string) Memory {
	m := Memory{Bytes: make([]byte, 8*(len(list)+1))}
	for i, s := range list {
		m.Point(8*i, append([]byte(s), 0))
	}
	return m
}
