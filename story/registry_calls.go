package story

// The second half of the registry: checks of descriptors and arguments.
func init() {
	for code, info := range map[Code]Info{
		DescriptorFlags: {
			ID: "OTH027", Gate: Other, Title: "a descriptor serves for what it was opened for", Denies: "descriptor {0} was opened with {1}", Unknowns: "how descriptor {0} was opened is not known",
			Facts: []FactInfo{{"fd", KindInt}, {"flags", KindString}}, Function: "fdget, do_ftruncate", Errno: "EBADF or EINVAL", Releases: "all", Man: "open(2)",
			Long:  "A descriptor that was opened with O_PATH only names a file: for fchmod, fchown, futimens and ftruncate it counts as closed (EBADF). ftruncate needs one that is open for writing (EINVAL).",
			Repro: "python3 -c 'import os; os.fchmod(os.open(\"/tmp\", os.O_PATH), 0o700)'",
		},
		TimesUnknown: {
			ID: "OTH028", Gate: Other, Title: "the times decide who may set them", Unknowns: "what the address of the times leads to is not known",
			Function: "do_utimes", Errno: "EFAULT, EINVAL, EPERM or EACCES", Releases: "all", Man: "utimensat(2)",
			Long: "Whoever may write to a file may set both of its times to now; any other times are for the owner, and two UTIME_OMIT do nothing at all. Write the times as strace prints them.",
		},
		FileSize: {
			ID: "OTH029", Gate: Other, Title: "a filesystem limits the size of its files", Unknowns: "whether {1} has files of {0} is not known",
			Facts: []FactInfo{{"size", KindBytes}, {"fstype", KindString}}, Function: "inode_newsize_ok", Errno: "EFBIG", Releases: "all", Man: "truncate(2)",
			Long: "How big a file can be depends on the filesystem and its block size. Up to a terabyte every one that is modelled will do.",
		},
		LinkDescriptor: {
			ID: "LKP036", Gate: Lookup, Title: "linking a descriptor is for whoever opened it", Unknowns: "whether descriptor {0} was opened with the credentials that the task has is not known",
			Facts: []FactInfo{{"fd", KindInt}}, Function: "path_init", Errno: "ENOENT", Releases: "since Linux 2.6.39; relaxed for the opener between 6.1 and 6.12", Man: "linkat(2)",
			Long: "linkat with AT_EMPTY_PATH makes a name of an open file. The task needs CAP_DAC_READ_SEARCH, or exactly the credentials with which the descriptor was opened.",
		},
		RenameFlags: {
			ID: "OTH030", Gate: Other, Title: "the filesystem must know the flags of renameat2", Denies: "{0} does not know this flag", Unknowns: "whether {0} knows this flag is not known",
			Facts: []FactInfo{{"fstype", KindString}}, Function: "inode_operations.rename", Errno: "EINVAL", Releases: "all", Man: "rename(2)",
			Long:  "RENAME_NOREPLACE, RENAME_EXCHANGE and RENAME_WHITEOUT are refused by a filesystem that does not have them: overlayfs and ramfs make no whiteouts.",
			Repro: "renameat2 with RENAME_WHITEOUT on an overlay",
		},
	} {
		registry[code] = info
	}
}
