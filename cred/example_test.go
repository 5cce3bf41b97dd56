package cred_test

import (
	"fmt"

	"syscallstory/cred"
	"syscallstory/kernel"
	"syscallstory/world"
)

// What an ordinary user gets from a program with file capabilities, with and without no_new_privs.
func ExampleExec() {
	namespaces := []world.UserNS{{UIDs: world.IdentityMap, GIDs: world.IdentityMap, Identity: true, Name: "initial"}}
	user := world.Cred{RUID: 1000, EUID: 1000, SUID: 1000, FSUID: 1000, Bounding: world.Caps(kernel.CapNetRaw, kernel.CapChown)}
	ping := cred.Executed{Mode: world.TypeReg | 0o755, Caps: &world.FileCaps{Version: 2, Permitted: world.Caps(kernel.CapNetRaw), Effective: true}}
	for _, nnp := range []bool{false, true} {
		user.NoNewPrivs = nnp
		e := cred.Exec{Namespaces: namespaces, Old: &user, File: ping, IDChanged: true}
		t := e.Transition()
		fmt.Printf("%s: %s\n", t.New.Effective, t.Rules)
	}
	user.Bounding = 0
	e := cred.Exec{Namespaces: namespaces, Old: &user, File: ping, IDChanged: true}
	fmt.Println(e.Transition().Errno)
	// Output:
	// CAP_NET_RAW: the file's capabilities count
	// none: the file's capabilities count; what the task would gain is cut back; no_new_privs: nothing is gained
	// EPERM
}
