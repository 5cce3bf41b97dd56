package story

// The codes, by gate. Their numbers in the public names (MNT001) stand in the registry and never change; the order here
// may.
const (
	_ Code = iota

	SeccompFilter
	SeccompNone
	SeccompUnknown
	SeccompStrict
	SeccompPointer

	PathFault
	PathEmpty
	PathTooLong
	PathDirfd
	PathDirfdType
	NameFound
	NameMissing
	NameTooLong
	NameUnknown
	NotDirectory
	SymlinkFollow
	SymlinkLimit
	SymlinkRefused
	SymlinkMagic
	MountCross
	ScopeEscape
	ScopeMount
	WantDirectory
	CreateTrailingSlash
	CreateExists
	OpenDirectoryWrite
	OpenSymlink
	DotDotUnreachable
	DirectoryRemoved
	DirectoryExec
	ExecNotRegular
	LookupCached
	TypeUnknown

	MountReadOnly
	SuperReadOnly
	MountNoDev
	MountNoExec
	MountNoSymFollow
	MountUnknown
	HostPathType
	VolumeMountRefused

	ModeBits
	ModeNoExec
	ACLBits
	Immutable
	AppendOnly
	ProtectedCreate
	ProtectedSymlink
	OpenNoAtime
	ModeUnknown

	CapOverride
	CapReadSearch
	CapFowner

	UserNSOwner
	UserNSCap
	UserNSWrite
	UserNSCreate
	UserNSCopyUp

	LSMStack
	LSMHook
	LSMPolicy
	LSMFileLabel

	OverlayServes
	OverlayMounter
	OverlayCopyUp
	OverlayWhiteout
	OverlayName

	NoSyscall
	NoRoute
	OpenFlags
	OpenHow
	StatFlags
	AccessMode
	FileTable
	DevicesCgroup
	NoTmpfile
	OpenSocket
	FIFOBlocks
	FIFONoReader
	DeviceOpen
	TextBusy
	NoDirectIO
	RunAsNonRoot
	FSRules
	ArgFault
	ImageUser
	APIRefused
	DescriptorOpen

	LastSpecial
	NameExists
	VictimDirectory
	NotLink
	RenameAncestor
	NotEmpty
	TruncateType
	CrossMount
	MountPoint
	StickyDelete
	AppendDirectory
	ProtectedHardlink
	FixedAttributes
	OwnerOnly
	GroupOnly
	CapNeeded
	UserNSIDs
	UserNSArgument
	OverlayRename
	ArgInvalid
	NoOperation
	LinkDirectory
	SymlinkMode
	MountAPI
	NotMountRoot
	MountKind
	MountArgument
	DescriptorFlags
	TimesUnknown
	FileSize
	LinkDescriptor
	RenameFlags

	numCodes
)
