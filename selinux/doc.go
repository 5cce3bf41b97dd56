// Package selinux reads SELinux's binary policy and decides as the kernel's security server does, with the reason.
//
// A Context is what a person writes, user:role:type and a range of levels; it needs no policy. A Policy, read by Parse, turns
// contexts into Labels, which only have a meaning within it, and answers:
//
//   - Decide: which permissions a source has on a target (context_struct_compute_av), and Explain: why, or why not
//   - Create: which label a new object gets (security_compute_sid)
//   - Rules, Booleans, Diff: what the policy says
//   - InitialSID, Filesystem, Port, Node and the like: what things of the system are labelled as
//
// Files are labelled by package filecontext. Nothing here reads this machine's state, and nothing that a file holds can make a
// reader panic, hang, or use more memory than a fixed bound.
package selinux
