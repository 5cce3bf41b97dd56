package seccomp

import (
	"syscallstory/syscalls"
)

// Row is what filters do with one call of one ABI.
type Row struct {
	ABI       syscalls.ABI
	NR        uint32
	Name      string // empty: no call is known by the number, or by any up to Last
	Last      uint32
	Cases     []Case
	Opaque    string // instead of Cases: why they are not listed
	Cacheable bool   // answered by the kernel's bitmap of constant answers, without running a filter
	Executed  int    // instructions with zero arguments, of all filters
}

// Table lists what filters answer to every call of some ABIs, and to the numbers that no call has, by ABI and number.
func (s Stack) Table(abis []syscalls.ABI) ([]Row, error) {
	d := newDiagram(s.compares())
	var rows []Row
	for _, abi := range abis {
		first := len(rows)
		stacks := []stack{d.stack(s)}
		err := divided([]box{abiRange(abi)}, stacks, func(b box, fs []ref) error {
			spelt := stacks[0].spelt()
			for _, p := range pieces(b, abi, false) {
				row := func(b box, fs []ref) error {
					rows = append(rows, s.row(d, fs[0], abi, b.nr0, b.nr1, p.name))
					return nil
				}
				if !spelt {
					row(p.box, fs)
				} else if err := divided([]box{p.box}, stacks, row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		rows = append(rows[:first], joined(rows[first:])...)
	}
	return rows, nil
}

// joined makes one row of neighbours without a name that get the same answer.
func joined(rows []Row) []Row {
	out := rows[:0]
	for _, r := range rows {
		if n := len(out); n > 0 && r.Name == "" && out[n-1].Name == "" && out[n-1].Opaque == r.Opaque && sameCases(out[n-1].Cases, r.Cases) {
			out[n-1].Last = r.Last
			out[n-1].Cacheable = out[n-1].Cacheable && r.Cacheable
			continue
		}
		out = append(out, r)
	}
	return out
}

// abiRange is the box of an ABI's numbers: x32 shares its audit value with x86_64.
func abiRange(abi syscalls.ABI) box {
	b := abiBox(abi.Audit())
	switch abi {
	case syscalls.X8664:
		b.nr1 = syscalls.X32Bit - 1
	case syscalls.X32:
		b.nr0 = syscalls.X32Bit
	}
	return b
}

func (s Stack) row(d *diagram, f ref, abi syscalls.ABI, nr, last uint32, name string) Row {
	r := Row{ABI: abi, NR: nr, Last: last, Name: name}
	r.Cacheable = name != "" && abi != syscalls.X32 && s.Cacheable(nr, abi.Audit()) // the bitmap has no numbers beyond the table's
	var ok bool
	if r.Cases, ok = d.cases(abiRange(abi), f); !ok {
		r.Cases, r.Opaque = nil, "more conditions than can be listed"
	}
	for _, p := range s {
		r.Executed += len(p.Path(&Data{NR: nr, Arch: abi.Audit()}))
	}
	return r
}

// compares reports whether a filter compares words with one another or computes with them: then the bits of the words are tested in turns.
func (s Stack) compares() bool {
	for _, p := range s {
		for _, in := range p {
			if in.Code&7 == 5 && in.Code&srcX != 0 && in.Code != ja {
				return true
			}
		}
	}
	return false
}
