package main

import (
	"fmt"
	"slices"

	"syscallstory/kernel"
	"syscallstory/seccomp"
	"syscallstory/seccomp/docker"
	"syscallstory/syscalls"
	"syscallstory/world"
)

// call is what the resolved profile says to one call of x86_64 that does not get the default action.
type call struct {
	nr     uint32
	name   string
	action seccomp.Action
	when   [][]seccomp.Arg // one of them holds, with all its conditions; none: always
}

// policy is the profile as every compiler is given it.
type policy struct {
	resolved *seccomp.Resolved
	fallback seccomp.Action // ERRNO(EPERM)
	calls    []call
}

// dockerDefault resolves Docker's default profile for x86_64 alone with the 14 capabilities that Docker gives.
func dockerDefault(release kernel.Release) (*policy, error) {
	text, err := docker.Default()
	if err != nil {
		return nil, err
	}
	p, err := seccomp.Parse(docker.File, text)
	if err != nil {
		return nil, err
	}
	r := p.Resolve(seccomp.Target{ABI: syscalls.X8664, Caps: world.CapSet(0xa80425fb), Kernel: release})
	r.ABIs = []syscalls.ABI{syscalls.X8664}
	pol := &policy{resolved: r, fallback: p.Default}
	for nr, name := range syscalls.All(syscalls.X8664) {
		c := call{nr: nr, name: name}
		named, always := false, false
		for _, i := range r.Rules {
			rule := &p.Rules[i]
			if !slices.Contains(rule.Names, name) || rule.Action == p.Default {
				continue
			}
			if named && rule.Action != c.action {
				return nil, fmt.Errorf("%s has rules with two actions: the peers cannot be given it alike", name)
			}
			if len(rule.Args) > 1 {
				return nil, fmt.Errorf("%s has a rule with several conditions: the peers read it differently", name)
			}
			named, c.action = true, rule.Action
			if always = always || len(rule.Args) == 0; always {
				c.when = nil
				continue
			}
			c.when = append(c.when, rule.Args)
		}
		if named {
			pol.calls = append(pol.calls, c)
		}
	}
	return pol, nil
}

// boundaries are the values that the conditions tell apart: each value, its neighbours, its bits, and the same in the other half.
func (p *policy) boundaries() []uint64 {
	set := map[uint64]bool{0: true, 1: true, ^uint64(0): true, 1 << 63: true, 1<<32 - 1: true, 1 << 32: true}
	for _, c := range p.calls {
		for _, alt := range c.when {
			for _, a := range alt {
				for _, v := range []uint64{a.Value, a.Value - 1, a.Value + 1, a.Value | 1<<32, a.Value << 32, ^a.Value} {
					set[v] = true
				}
				if a.Op == seccomp.MaskedEQ {
					for bit := range 64 {
						set[1<<bit] = true
					}
				}
			}
		}
	}
	var out []uint64
	for v := range set {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// numbers is one more than the last number that verdicts are compared for: all calls of x86_64, and some that none has.
const numbers = 600

// each calls f with every number and every boundary value in each argument alone and in all of them.
func (p *policy) each(f func(*seccomp.Data)) {
	values := p.boundaries()
	for nr := range uint32(numbers) {
		for _, v := range values {
			for arg := range 6 {
				d := seccomp.Data{NR: nr, Arch: syscalls.X8664.Audit()}
				d.Args[arg] = v
				f(&d)
			}
			f(&seccomp.Data{NR: nr, Arch: syscalls.X8664.Audit(), Args: [6]uint64{v, v, v, v, v, v}})
		}
	}
}
