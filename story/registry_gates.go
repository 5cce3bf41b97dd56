package story

// Codes of what random worlds have shown to be missing.
var LandlockAddress = define(Info{
	ID: "LSM300", Gate: LSM, Title: "Landlock looks at an address before the socket does", Denies: "the task's Landlock rulesets handle ports, and an address of family {0} does not fit the socket",
	Facts: []FactInfo{{"family", KindInt}, {"module", KindString}}, Function: "current_check_access_socket", Errno: "EINVAL, or EAFNOSUPPORT for AF_UNSPEC with an address", Releases: "since Linux 6.7", Man: landlockMan,
	Long: "In a domain with rights over TCP ports the length and the family of the address are checked first: a family that is not the socket's is EINVAL there, where bind(2) itself would say EAFNOSUPPORT.",
})
