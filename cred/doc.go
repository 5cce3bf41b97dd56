// Package cred holds what credentials decide, as security/commoncap.c, kernel/sys.c and fs/posix_acl.c have it: which
// capability counts in which user namespace (Capable), what mode bits and an ACL grant (Granted), what execve makes of ids and
// capability sets (Exec), what the set*id family makes of them (SetUID, SetRESUID …), and what capset and prctl allow (Capset,
// Securebits.Change).
//
// Its functions are pure. They take values of package world, answer, and change nothing; none of them reads this machine, so
// that they serve for another one, or for one that does not exist. Ids are those of the initial user namespace, as the kernel
// keeps them; IDMap.Down and IDMap.Up turn them into those of another. Where an answer depends on facts that may be missing,
// it is a kernel.Answer with three values.
//
// The package imports nothing beyond kernel, world, story and check of this module and the standard library.
package cred
