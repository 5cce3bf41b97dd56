package fix_test

import (
	"slices"
	"testing"

	"syscallstory/story"
)

// Why no change of an input helps.
const (
	program  = "the program has to call otherwise: its arguments do not go together, or are not there"
	object   = "the call is not for such an object: the program has to name another"
	order    = "the program has to do something else first"
	self     = "the program has done so to itself, and nobody takes it back"
	others   = "other processes have to do something, or to let go"
	built    = "the kernel has to be another, or to be booted otherwise"
	mounts   = "the tree of mounts has to be another where the call is made"
	above    = "the namespace that the task has been put into is what keeps it"
	elsewhen = "the file or the object is what it is: somebody has to make another"
)

// codesWithout are the checks that can refuse a call, and the reason why no change of an input helps; what a changed call could do
// instead is offered where it is known.
var codesWithout = map[story.Code]string{
	// What the call's arguments say.
	story.ArgInvalid: program, story.ArgNotRead: program, story.ArgUnreadable: program, story.MountArgument: program, story.MountOption: program, story.ExecFlags: program, story.ExecArguments: program,
	story.RenameFlags: program, story.LastSpecial: program, story.SeccompProgram: program, story.XattrSize: program, story.HandleSize: program, story.IDMapText: program, story.QueueName: program,
	story.AddressFamily: program, story.SocketKind: program, story.SocketOption: program, story.XattrRootID: program, story.CapsetOther: program, story.SessionRule: program,

	// What the call is made on.
	story.DescriptorOpen: object, story.DescriptorMode: object, story.DescriptorFlags: object, story.DescriptorKind: object, story.WrongDescriptor: object, story.NotSocket: object, story.NamespaceDescriptor: object, story.ContextDescriptor: object,
	story.LandlockFD: object, story.MapMode: object, story.NoOperation: object, story.LinkDirectory: object, story.SymlinkMode: object, story.XattrUnsupported: object, story.AttrUnsupported: object,
	story.HandleUnsupported: object, story.CrossFilesystem: object, story.XattrUserType: object, story.ACLRefused: object, story.SymlinkMagic: object, story.DirectoryExec: object, story.ExecNotRegular: object,
	story.VictimDirectory: object, story.NotLink: object, story.IoctlUnknown: object, story.RenameAncestor: object, story.TruncateType: object, story.CrossMount: object, story.ProcessSelf: object, story.SealRefused: object, story.FIFOBlocks: object,
	story.SocketPeer: object, story.MountKind: object, story.NotMountRoot: object, story.IDMapNamespace: object, story.OwnUserNS: object,

	// What has to come first.
	story.AmbientRefused: order, story.SocketBound: order, story.SocketState: order, story.ContextPhase: order, story.ContextEmpty: order, story.MountExpiry: order, story.PIDForChildren: order,
	story.OtherThreads: order, story.SharedDirectory: order, story.NotTracee: order, story.NotEmpty: order, story.XattrMissing: order, story.XattrExists: order,

	// What cannot be undone.
	story.SecurebitsLocked: self, story.SeccompStrict: self, story.SeccompMode: self, story.LandlockRight: self, story.LandlockRefer: self, story.LandlockMount: self, story.LandlockPort: self, story.LandlockScope: self, story.LandlockAddress: self,
	story.IDMapWritten: self, story.SetgroupsFixed: self, story.DirectoryRemoved: self, story.DotDotUnreachable: self, story.ChrootedCaller: self, story.ExecTooMany: self,

	// What is for others.
	story.FIFONoReader: others, story.TextBusy: others, story.ExecWritten: others, story.LeaseConflict: others, story.AddressInUse: others, story.ProcessTraced: others, story.NoSuchProcess: others,
	story.ProcessGone: others, story.ProcessMissing: others, story.ManyMissing: others, story.MountWriters: others, story.MountBusy: others, story.IPCMissing: others, story.IPCExists: others, story.IPCWait: others,
	story.IDMapCapability: others, story.IDMapRoot: others, story.IDMapPrivilege: others, story.IDMapOpener: others, // whoever opened the file counts

	story.SELinuxAccess:   "it has fixes, which need a policy: testdata/script/selinux_pod.txtar of cmd/story holds them",
	story.OverlayRoom:     "whoever has filled the filesystem frees it, or makes it larger",
	story.OverlayNameGone: "the program opens the file for writing before it removes the name, or does not change what it has removed",
	story.CgroupDelegated: "who is outside of the cgroup namespace sets it: the engine's resource limits are the place",

	// What the kernel is.
	story.KernelFeature: built, story.SyscallGone: built, story.LandlockOff: built, story.LockedDown: built, story.SocketFamily: built, story.MountType: built, story.MountFilesystem: built, story.NamespaceNesting: built,

	// Where mounts are.
	story.MountPoint: mounts, story.MountLocked: mounts, story.MountLockedChild: mounts, story.MountLockedFlag: mounts, story.MountUnbindable: mounts, story.MountForeign: mounts, story.MountLoop: mounts,
	story.MountSharedParent: mounts, story.MountNoParent: mounts, story.MountTwice: mounts, story.MountGone: mounts, story.MountBeneath: mounts, story.MountSetGroup: mounts, story.PivotRootMount: mounts,
	story.PivotUnreachable: mounts, story.IDMapMount: mounts, story.MountDevice: mounts, story.MountLayer: mounts, story.OverlayBroken: mounts, story.OverlayRename: mounts,
	story.LayerMissing: mounts, story.LayerReadOnly: mounts, story.LayerWorkdir: mounts, story.LayerOverlap: mounts, story.LayerNested: mounts, story.LayerDepth: mounts, story.LayerVolatile: mounts, story.OverlayOptions: mounts, story.OverlayQuota: "the quotas of a filesystem are its administrator's", story.LayerBusy: mounts, story.LayerOrigin: mounts,
	story.ProcHidden: mounts, story.OverlayMark: mounts, story.OverlayDevice: mounts, story.OverlayTwice: mounts,

	// What the task was put into.
	story.SetgroupsDenied: above, story.UserNSCreator: above, story.PIDOwner: above, story.IDMapParent: above, story.NotBelow: above, story.UserNSCopyUp: above, story.UserNSCaps: above, story.QueueIDs: above, story.AddressLocal: above,

	// What somebody has made.
	story.ExecFormat: elsewhen, story.ExecBadLoader: elsewhen, story.ExecDepth: elsewhen, story.ExecInaccessible: elsewhen,
	story.OverlayWhiteout: elsewhen,
}

// codesElsewhere have their fixes in other tests.
var codesElsewhere = map[story.Code]string{
	story.MountRevealing:    "the stream of examples/build, with story explain -",
	story.APIRefused:        "cmd/story's script talk_2018",
	story.DevicesCgroup:     "from/edits, TestWords",
	story.LandlockPrivilege: "as SeccompInstall",
}

// TestNoCodeIsForgotten: each check that can refuse a call has a fix in one of the tables, or a reason why it has none.
func TestNoCodeIsForgotten(t *testing.T) {
	has := map[story.Code]bool{}
	for _, c := range slices.Concat(podCases, podFamilies) {
		has[c.code] = true
	}
	for _, c := range machineCases {
		has[c.code] = true
	}
	for code := range codesElsewhere {
		has[code] = true
	}
	for _, code := range story.Codes() {
		info := code.Info()
		if info.Denies == "" {
			continue
		}
		reason := codesWithout[code]
		switch {
		case !has[code] && reason == "":
			t.Errorf("%s (%s) has neither a fix nor a reason why it has none: add a case to podFamilies or machineCases, or a reason to codesWithout", info.ID, info.Title)
		case has[code] && reason != "":
			t.Errorf("%s (%s) has a fix, and a reason why it has none", info.ID, info.Title)
		}
	}
	for code := range unsure {
		if !has[code] {
			t.Errorf("%v is unsure, but in no table", code)
		}
	}
}
