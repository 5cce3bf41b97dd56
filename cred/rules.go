package cred

import (
	"math/bits"
	"strings"
)

// ruleTexts are the rules in words, in the order of the bits.
var ruleTexts = [...]string{
	"the setuid bit makes the file's owner the effective uid",
	"the setgid bit makes the file's group the effective gid",
	"set-id bits and capabilities of the file are ignored: the mount is nosuid",
	"set-id bits and capabilities of the file are ignored: the mount is not in the task's mount namespace",
	"set-id bits and capabilities of the file are ignored: its filesystem belongs to another user namespace",
	"set-id bits are ignored: no_new_privs",
	"set-id bits are ignored: owner or group are not mapped in the task's user namespace",
	"the setgid bit is ignored: the group may not execute the file",
	"the file's capabilities count",
	"the file's capabilities are ignored: they are for another user namespace",
	"the bounding set holds back some of the file's capabilities",
	"root's uid gives the bounding and the inheritable set",
	"only the real uid is root's: nothing becomes effective",
	"SECBIT_NOROOT: root's uid gives nothing",
	"a setuid-root file with capabilities gives only those to who is not root",
	"what the task would gain is cut back",
	"no_new_privs: nothing is gained",
	"the tracer has no CAP_SYS_PTRACE: nothing is gained",
	"another process shares root and current directory: nothing is gained",
	"the effective ids are the real ones again",
	"the ambient set stays, permitted and effective",
	"the ambient set is cleared: the file has capabilities, or an id changes",
	"SECBIT_KEEP_CAPS is cleared",
	"the effective bit is set, and not all of the file's permitted set can be had",
	"the attribute security.capability is not valid",
	"permitted capabilities are lost: neither file nor root's uid nor ambient set gives them again",
}

// Each calls f with every rule of the set, in the order in which they count, until it returns false.
func (r Rules) Each(f func(Rules) bool) {
	for ; r != 0; r &= r - 1 {
		if !f(r & -r) {
			return
		}
	}
}

// String returns the rules in words.
func (r Rules) String() string {
	var all []string
	for rest := r; rest != 0; rest &= rest - 1 {
		all = append(all, ruleTexts[bits.TrailingZeros32(uint32(rest))])
	}
	return strings.Join(all, "; ")
}
